"""What every loss of one task has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import Field, fields, is_dataclass
from numbers import Number
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import fingerprint

# Fewer columns are summed as quickly as it is found out whether they are the same.
MANY_COLUMNS = 32
# The log-odds of 1 row in 100: that a class is rarer, or not there, a few hundred labels do not tell.
LARGEST_CONSTANT = 4.6
# Number of rows on which a user's own loss is tried.
MOST_CHECKED = 1000


class RowLoss(ABC):
    """The loss of one labelled cell, and what the network's raw output means under it.

    Losses are values: two tasks whose losses compare equal are computed as one tensor expression. Parameters
    may be lists, arrays, tensors and dicts. A loss of one's own is best a frozen dataclass, whose fields are
    its parameters: files can hold that too.

    A target column has ``width`` raw outputs. Shapes below: ``raw`` is (..., columns, width), ``y``
    is (..., columns) and broadcasts against it; cells without a label hold any finite number and
    weigh nothing later.

    Hooks may be overridden, and have a default: `with_slope` (by automatic differentiation), `reference`
    (the loss of `constant`), `condensed` (all rows), `bounded_constant` (that of `constant`, within
    bounds), `log_response` (the logarithm of `response`), `fed` (the raw outputs), `n_constant` (0) and
    `has_temperature`. A loss whose responses are probabilities
    also defines ``log_loss(response, y)``, as a `ProbabilityLoss` does.

    Attributes
    ----------
    metric : str
        Name of what `score` gives, for the columns of ``history_``.
    log_loss : callable
        Only of a loss that `has_temperature`; see `ProbabilityLoss.log_loss`.

    See Also
    --------
    PointLoss : A loss of a number, of which the loss itself is all that must be written.
    LogLinkLoss : The same for labels that are not negative.
    ClassLoss : The same for classes.
    """

    metric: ClassVar[str]
    log_loss: Callable[[Tensor, Tensor], Tensor]

    def __init_subclass__(cls, **settings: Any) -> None:
        """Compare losses as below, unless the class itself defines a comparison."""
        super().__init_subclass__(**settings)
        # `@dataclass` would write its own into the class, which fail on lists and arrays.
        if cls.__eq__ is RowLoss.__eq__:
            cls.__eq__ = RowLoss.__eq__  # type: ignore[method-assign]
            cls.__hash__ = RowLoss.__hash__  # type: ignore[method-assign]

    def __eq__(self, other: object) -> bool:
        """Whether the other is of the same class and parameters, which may be arrays, lists and dicts."""
        return self is other or (isinstance(other, RowLoss) and self._identity() == other._identity())

    def __hash__(self) -> int:
        """Return what equal losses have in common."""
        return hash(self._identity())

    def _identity(self) -> Hashable:
        """Return the class and the parameters."""
        held = dict(vars(self))
        declared: tuple[Field[Any], ...] = fields(self) if is_dataclass(self) else ()
        for field in declared:
            # Fields of a class with slots are not among its variables.
            held[field.name] = getattr(self, field.name) if field.compare else None
        return type(self), frozenset((name, _comparable(value)) for name, value in held.items())

    def __repr__(self) -> str:
        """Show the parameters."""
        fields = [f"{name}={value!r}" for name, value in vars(self).items()]
        return f"{type(self).__name__}({', '.join(fields)})"

    @property
    @abstractmethod
    def width(self) -> int:
        """Raw outputs for each target column."""

    @property
    def n_constant(self) -> int:
        """How many of these, the last, are the same for every row: parameters learned with the network."""
        return 0

    @property
    def has_temperature(self) -> bool:
        """Whether ``calibrate`` fits a temperature to the loss: it has ``log_loss(response, y)``."""
        return hasattr(self, "log_loss")

    @abstractmethod
    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell, shape (..., columns)."""

    def with_slope(self, raw: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each cell, and its derivative in the raw outputs, without a graph.

        Parameters
        ----------
        raw : tensor of shape (..., columns, width)
            Raw outputs, not to be differentiated.
        y : tensor of shape (..., columns)
            Encoded targets; broadcasts against the raw outputs.

        Returns
        -------
        loss : tensor of shape (..., columns)
        slope : tensor of shape (..., columns, width)
        """
        with torch.enable_grad():
            leaf = raw.detach().requires_grad_()
            cell = self(leaf, y)
            (slope,) = torch.autograd.grad(cell.sum(), leaf)
        return cell.detach(), slope

    @abstractmethod
    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the best raw output that ignores the inputs.

        Parameters
        ----------
        y, weight : tensor of shape (rows, columns)
            Encoded targets and cell weights.

        Returns
        -------
        tensor of shape (columns, width)
        """

    def bounded_constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the best constant of each output of a head, not too far from 0 where labels are few; a hook.

        Parameters
        ----------
        y, weight : tensor of shape (rows, columns)
            Encoded targets and cell weights.

        Returns
        -------
        tensor of float64, shape (columns, width)
            At most `LARGEST_CONSTANT` from 0; nan for a column without labels.
        """
        found = self.constant(*self.condensed(y, weight)).double().clamp(-LARGEST_CONSTANT, LARGEST_CONSTANT)
        return torch.where((weight > 0).any(0).unsqueeze(1), found, torch.nan)

    def reference(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the summed loss of each column's best constant, which a task's loss is divided by.

        Parameters
        ----------
        y, weight : tensor of shape (rows, columns)
            Encoded targets and cell weights.

        Returns
        -------
        tensor of float64, shape (columns,)
        """
        y, weight = self.condensed(y, weight)
        cells: Tensor = self(self.constant(y, weight).expand(len(y), -1, -1), y)
        return (cells * weight).sum(0)

    def condensed(self, y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return labels and weights that have the same best constant and loss of it, in fewer rows; a hook.

        Parameters
        ----------
        y, weight : tensor of shape (rows, columns)
            Encoded targets and cell weights.

        Returns
        -------
        tensor of float64, shape (n, columns), two of them
            By default those of all rows.
        """
        return y.double(), weight.double()

    @abstractmethod
    def response(self, raw: Tensor) -> Tensor:
        """Return what may be averaged over members and networks, shape (..., columns, width)."""

    def log_response(self, raw: Tensor) -> Tensor:
        """Return the logarithms of the response, of one that holds probabilities.

        They have digits left where a probability is 1 to all of its own.

        Parameters
        ----------
        raw : tensor of shape (..., columns, width)
            Raw outputs.

        Returns
        -------
        tensor of shape (..., columns, width or more)
            The logarithms of the response are the last ones. Before them may be that of the first of two
            classes, where the response is the probability of the second alone.
        """
        response = self.response(raw)
        return response.clamp_min(torch.finfo(response.dtype).tiny).log()

    def fed(self, raw: Tensor) -> Tensor:
        """Return what other tasks are given of this one in a cascade; a hook, by default the raw outputs.

        Parameters
        ----------
        raw : tensor of shape (..., columns, width)
            Raw outputs.

        Returns
        -------
        tensor of shape (..., columns, width)
        """
        return raw

    @abstractmethod
    def decision(self, response: Tensor) -> Tensor:
        """Return what the task decodes, (..., columns): a number or a class code, by an averaged response.

        It may have further axes, where ``decode`` of the task takes them.
        """

    @abstractmethod
    def link(self, response: Tensor) -> Tensor:
        """Return the raw output that has this response, the inverse of `response`.

        The loss of an average prediction is the loss at ``link(mean of responses)``.
        """

    @abstractmethod
    def score(self, response: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Return the metric of each column, shape (..., columns).

        Parameters
        ----------
        response : tensor of shape (..., rows, columns, width)
            Averaged responses.
        y, weight : tensor of shape (..., rows, columns)
            Encoded targets and cell weights.
        """


class ProbabilityLoss(RowLoss):
    """A loss whose responses are probabilities, to which ``calibrate`` fits a temperature."""

    def fed(self, raw: Tensor) -> Tensor:
        """Return the probabilities."""
        return self.response(raw)

    @abstractmethod
    def log_loss(self, response: Tensor, y: Tensor) -> Tensor:
        """Return minus the log-probability of each label.

        Parameters
        ----------
        response : tensor of shape (..., columns, width)
            Averaged responses.
        y : tensor of shape (..., columns)
            Encoded targets.

        Returns
        -------
        tensor of shape (..., columns)
        """


def _comparable(parameter: Any) -> Hashable:
    """Return what equal parameters have in common; for a parameter that can't be pickled, its identity."""
    if parameter is None or isinstance(parameter, str | bytes | Number):
        return parameter
    if isinstance(parameter, tuple):
        return tuple(map(_comparable, parameter))
    found: Hashable = fingerprint(parameter)
    return found if isinstance(found, str) else id(parameter)


def check_loss(name: str, loss: RowLoss, encoded: np.ndarray, weight: np.ndarray) -> None:
    """Raise a ``ValueError`` for a loss that can't be trained on, looking at some labels.

    Parameters
    ----------
    name : str
        The task.
    loss : RowLoss
        A user's own loss.
    encoded : ndarray of float64, shape (n_rows, n_columns)
        Encoded labels.
    weight : ndarray of float64, shape (n_rows, n_columns)
        Cell weights.
    """
    y = torch.from_numpy(np.nan_to_num(encoded[:MOST_CHECKED]))
    mass = torch.from_numpy(np.ascontiguousarray(weight[:MOST_CHECKED]))
    cells = loss(y.new_zeros((*y.shape, loss.width)), y)
    if cells.shape != y.shape:
        raise ValueError(
            f"`loss` of task {shown(name)} must give the loss of each cell, here of shape {tuple(y.shape)}. "
            f"Found {shown(loss)}, which gives the shape {tuple(cells.shape)}."
        )
    least = loss.reference(y, mass)
    if not (least.isfinite() & (least >= 0)).all():
        raise ValueError(
            f"`loss` of task {shown(name)} must have a finite loss of its best constant, 0 or more, "
            "which it is "
            f"divided by. Found {shown(loss)} with {shown(least.tolist()[:5])} in all; `reference` can "
            "say another."
        )


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted mean over rows, the last axis but one; 0 in a column that weighs nothing."""
    return (values * weight).sum(-2) / weight.sum(-2).clamp_min(1e-30)


def summed(weight: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Return cell weights summed over rows, the last axis but one; equal columns are summed once."""
    if weight.shape[-1] > MANY_COLUMNS and weight.stride(-1) == 0:
        return weight[..., :1].sum(-2, dtype=dtype).expand(*weight.shape[:-2], weight.shape[-1])
    return weight.sum(-2, dtype=dtype)


def weighted_quantile(y: Tensor, weight: Tensor, levels: tuple[float, ...]) -> Tensor:
    """Return the quantiles of each column, shape (columns, levels).

    The quantile is the mean of the two neighbours where the cumulated weight hits the level
    exactly, so that a row of weight two counts as two rows.
    """
    values, order = y.sort(0)
    cumulated = weight.gather(0, order).cumsum(0).T.contiguous()
    wanted = cumulated[:, -1:] * cumulated.new_tensor(levels)
    last = len(y) - 1
    # A rounding-sized slack decides ties, or equal weights would give other quantiles than ones.
    slack = 1e-9 * cumulated[:, -1:]
    low = torch.searchsorted(cumulated, wanted - slack).clamp_max(last)
    high = torch.searchsorted(cumulated, wanted + slack).clamp_max(last)
    columns = values.T
    return (columns.gather(1, low) + columns.gather(1, high)) / 2
