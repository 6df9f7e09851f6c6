"""What every loss of one task has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

# Fewer are summed as quickly as it is found out whether they are the same.
MANY_COLUMNS = 32


@dataclass(frozen=True)
class RowLoss(ABC):
    """The loss of one labelled cell, and what the network's raw output means under it.

    Losses are values: two tasks whose losses compare equal are computed as one tensor expression.
    A target column has ``width`` raw outputs. Shapes below: ``raw`` is (..., columns, width), ``y``
    is (..., columns) and broadcasts against it; cells without a label hold any finite number and
    weigh nothing later.
    """

    metric: ClassVar[str]
    # Whether it has a `log_loss`, on which `calibrate` fits a temperature.
    has_temperature: ClassVar[bool] = False

    @property
    @abstractmethod
    def width(self) -> int:
        """Raw outputs for each target column."""

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
        y, weight = y.double(), weight.double()
        cells: Tensor = self(self.constant(y, weight).expand(len(y), -1, -1), y)
        return (cells * weight).sum(0)

    @abstractmethod
    def response(self, raw: Tensor) -> Tensor:
        """Return what may be averaged over members and networks, shape (..., columns, width)."""

    @abstractmethod
    def decision(self, response: Tensor) -> Tensor:
        """Return what is predicted by an averaged response, the number or the class code, (..., columns)."""

    def log_loss(self, response: Tensor, y: Tensor) -> Tensor:
        """Return minus the log-probability of each label; only of a loss that ``has_temperature``.

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
        raise NotImplementedError(f"{type(self).__name__} has no log-loss.")

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


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted mean over rows, the last axis but one; 0 in a column that weighs nothing."""
    return (values * weight).sum(-2) / weight.sum(-2).clamp_min(1e-30)


def summed(weight: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Return cell weights summed over rows, the last axis but one; many columns that are one are so once."""
    if weight.shape[-1] > MANY_COLUMNS and weight.stride(-1) == 0:
        return weight[..., :1].sum(-2, dtype=dtype).expand(*weight.shape[:-2], weight.shape[-1])
    return weight.sum(-2, dtype=dtype)
