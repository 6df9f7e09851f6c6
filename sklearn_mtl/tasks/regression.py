"""Regression: one number or several for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from sklearn.metrics import r2_score

from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number
from sklearn_mtl.targets import Column
from sklearn_mtl.tasks.labelled import check_labelled
from sklearn_mtl.tasks.losses.gaussian_nll import GaussianNLL
from sklearn_mtl.tasks.losses.regression import (
    AbsoluteError,
    GammaDeviance,
    Huber,
    Pinball,
    PoissonDeviance,
    RegressionLoss,
    SquaredError,
    standardisation,
)
from sklearn_mtl.tasks.losses.row_loss import check_loss
from sklearn_mtl.tasks.task import Task, TaskKind


@dataclass(frozen=True, eq=False)
class RegressionTask(Task):
    """A regression task whose labels were seen.

    Hooks, for numbers that belong together, are `decode` and `decode_all` (in units, each by itself), `score`
    (R²) and its name `metric`, and `labels_in_words`.

    Parameters
    ----------
    loc, scale : ndarray of float64, shape (n_columns,)
        The network learns ``(label - loc) / scale``.
    low, high : ndarray of float64, shape (n_columns,)
        The range of the labels.
    bounded : bool
        Whether predictions are clipped to that range.
    log_scale : bool
        Whether the network learns the logarithms of the labels instead.
    smearing : ndarray of float64, shape (n_columns,), or float
        Factor of the predictions.
    """

    loss: RegressionLoss
    loc: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    bounded: bool = True
    log_scale: bool = False
    smearing: np.ndarray | float = 1.0

    kind: ClassVar[str] = "regression"

    def calibrated_by(self, calibrate: bool) -> RegressionTask:
        """Return the task whose predictions are, or are not, clipped to the range of its labels."""
        return replace(self, bounded=calibrate)

    def widened_by(self, column: Column, weight: np.ndarray) -> RegressionTask:
        """Return the task with its range widened to these labels."""
        low, high = _range(_numbers(column), weight[:, None], self.low, self.high)
        return replace(self, low=low, high=high)

    def adjusted_to(self, held_out: Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Task:
        """Return the task with a factor that makes means of exponentials (Duan 1983, "Smearing Estimate")."""
        if not self.log_scale or self.loss.predicts_quantile:
            return self
        decision, encoded, weight = held_out()
        total = weight.sum(0)
        ratio = np.exp(np.where(weight > 0, encoded - decision, 0.0) * self.scale)
        factor = (weight * ratio).sum(0) / np.where(total > 0, total, 1.0)
        return replace(self, smearing=np.where((total > 0) & np.isfinite(factor), factor, 1.0))

    @property
    def n_label_columns(self) -> int:
        """The number of outputs."""
        return self.n_columns

    def encode(self, column: Column) -> np.ndarray:
        """Return the scaled labels, NaN where missing."""
        values = _numbers(column)
        return ((_logarithms(self.name, values) if self.log_scale else values) - self.loc) / self.scale

    def decode(self, decision: np.ndarray) -> np.ndarray:
        """Return the point predictions as float64."""
        return self._squeeze(self._clipped(self._in_units(decision) * self.smearing))

    @classmethod
    def decode_all(cls, tasks: Sequence[Self], decision: np.ndarray) -> list[np.ndarray]:
        """Return the point predictions of each of several tasks."""
        if len({task.log_scale for task in tasks}) > 1:
            return super().decode_all(tasks, decision)
        # Several tasks of one column are decoded as one task of several columns.
        joined = replace(
            tasks[0],
            n_columns=decision.shape[1],
            two_dimensional=True,
            loc=np.concatenate([task.loc for task in tasks]),
            scale=np.concatenate([task.scale for task in tasks]),
            low=np.concatenate([task.low for task in tasks]),
            high=np.concatenate([task.high for task in tasks]),
            smearing=np.concatenate([np.broadcast_to(task.smearing, task.n_columns) for task in tasks]),
        )
        ends = np.cumsum([task.n_columns for task in tasks])
        points = np.ascontiguousarray(joined.decode(decision).T)
        return [
            task._squeeze(points[end - task.n_columns : end].T) for task, end in zip(tasks, ends, strict=True)
        ]

    def score(self, column: Column, response: np.ndarray, weight: np.ndarray) -> float:
        """Return R², the mean over outputs."""
        values = _numbers(column)
        found = self.predict(response).reshape(values.shape)
        known = ~np.isnan(values) & (weight > 0)[:, None]
        # R² of a single label is not defined.
        scores = [
            _r2(values[rows, i], found[rows, i], weight[rows])
            for i, rows in enumerate(known.T)
            if rows.sum() > 1
        ]
        return float(np.mean(scores)) if scores else float("nan")

    def interval(self, response: np.ndarray, coverage: float) -> np.ndarray:
        """Return the central interval of each prediction.

        Parameters
        ----------
        response : ndarray of float64, shape (n_rows, n_columns, width)
            Averaged over members and networks.
        coverage : float
            Share of labels that the interval should hold, between 0 and 1.

        Returns
        -------
        ndarray of float64, shape (n_rows, 2) or (n_rows, n_columns, 2)
            Lower and upper end, in the units of the labels.
        """
        if not self.has_interval:
            raise ValueError(
                f"predict_interval needs a task of loss 'quantile' or 'gaussian_nll'. "
                f"Found task {shown(self.name)} of loss {type(self.loss).__name__}."
            )
        try:
            found = self.loss.interval(torch.from_numpy(response), coverage).numpy()
        except ValueError as error:
            raise ValueError(f"Task {shown(self.name)}: {error}") from error
        ends = self._in_units(found.swapaxes(1, 2)).swapaxes(1, 2)
        # The prediction may have been clipped to the range of the labels; it must lie in its interval.
        point = self.predict(response).reshape(ends.shape[:2])
        ends = np.stack([np.minimum(ends[..., 0], point), np.maximum(ends[..., 1], point)], axis=-1)
        return self._squeeze(ends)

    @property
    def has_interval(self) -> bool:
        """Whether the loss gives intervals."""
        return self.loss.has_interval

    @property
    def labels_in_words(self) -> str:
        """The range of the labels."""
        ends = f"{self.low.min():,.6g} to {self.high.max():,.6g}"
        return f"{self.n_columns} outputs, {ends}" if self.two_dimensional else ends

    def _in_units(self, scaled: np.ndarray) -> np.ndarray:
        values: np.ndarray = scaled * self.scale + self.loc
        return np.exp(values) if self.log_scale else values

    def _clipped(self, values: np.ndarray) -> np.ndarray:
        return np.clip(values, self.low, self.high) if self.bounded else values


class Regression(TaskKind):
    """A regression task.

    Labels are standardised inside (Poisson and gamma: divided by their mean), predictions come back
    in the labels' own units as float64. Two-dimensional labels are several outputs of one task.

    Parameters
    ----------
    loss : str or RegressionLoss, default="squared_error"
        ``"squared_error"``, ``"absolute_error"``, ``"huber"``, ``"poisson"`` (labels ≥ 0),
        ``"gamma"`` (labels > 0), ``"quantile"`` or ``"gaussian_nll"`` (mean and variance,
        Nix & Weigend 1994). A loss of one's own derives from `PointLoss` or `LogLinkLoss`.
    delta : float, default=1.0
        Where ``"huber"`` turns from squared to absolute error, in standard deviations of the labels.
    quantiles : sequence of float, default=(0.05, 0.5, 0.95)
        The levels of ``"quantile"``, between 0 and 1 and increasing. ``predict`` gives the quantile
        nearest to 0.5, ``predict_interval`` a pair of them.
    transform : {None, "log"}, default=None
        ``"log"`` learns the logarithms of the labels, which must be positive. With ``calibrate=True``
        predictions of a mean are corrected by a factor from held-out rows.

    Examples
    --------
    >>> from sklearn_mtl.tasks import Regression
    >>> Regression(loss="quantile", quantiles=(0.1, 0.5, 0.9))
    Regression(loss='quantile', quantiles=(0.1, 0.5, 0.9))
    """

    kind: ClassVar[str] = "regression"
    estimator_type: ClassVar[Literal["classifier", "regressor"] | None] = "regressor"

    def __init__(
        self,
        loss: str | RegressionLoss = "squared_error",
        *,
        delta: float = 1.0,
        quantiles: Sequence[float] = (0.05, 0.5, 0.95),
        transform: Literal["log"] | None = None,
    ) -> None:
        self.loss = loss
        self.delta = delta
        self.quantiles = quantiles
        self.transform = transform

    def bind(self, column: Column, weight: np.ndarray, classes: Any = None) -> RegressionTask:
        """Return the task for the labels of the training rows."""
        loss, log_scale = self._row_loss(), self._log_scale()
        check_labelled(column, weight)
        given = values = _numbers(column)
        weight = np.where(np.isnan(values), 0.0, weight[:, None])
        if log_scale:
            values = _logarithms(column.name, values)
        loc, scale = standardisation(column.name, self.loss, loss, values, weight)
        # An output without one label has no range: its predictions stay at the scaled zero.
        none = np.where((weight > 0).any(axis=0), np.nan, 0.0)
        low, high = _range(given, weight, none, none)
        if loss is self.loss:
            check_loss(column.name, loss, (values - loc) / scale, weight)
        columns, two_dimensional = values.shape[1], column.values.ndim == 2
        task = RegressionTask(
            column.name, loss, columns, two_dimensional, column.dtype, loc, scale, low, high
        )
        return replace(task, log_scale=log_scale)

    def _log_scale(self) -> bool:
        if self.transform is not None and not (isinstance(self.transform, str) and self.transform == "log"):
            raise ValueError(
                f"`transform` of Regression must be None or 'log'. Found {shown(self.transform)}."
            )
        if self.transform is not None and self._row_loss().support != "real":
            raise ValueError(
                "`transform='log'` of Regression needs a loss that takes labels of any sign: others learn "
                f"a logarithm anyway. Found {shown(self.loss)}."
            )
        return self.transform is not None

    def _row_loss(self) -> RegressionLoss:
        if isinstance(self.loss, RegressionLoss):
            return self.loss
        if not isinstance(self.loss, str) or self.loss not in _LOSSES:
            raise ValueError(
                f"`loss` of Regression must be one of {sorted(_LOSSES)} or a RegressionLoss, such as a "
                f"PointLoss of your own. Found {shown(self.loss)}."
            )
        return _LOSSES[self.loss](self)


def _huber(kind: Regression) -> RegressionLoss:
    delta = kind.delta
    if not is_number(delta) or delta <= 0:
        raise ValueError(f"`delta` of Regression must be a positive number. Found {shown(kind.delta)}.")
    return Huber(float(kind.delta))


def _pinball(kind: Regression) -> RegressionLoss:
    given: Any = kind.quantiles
    numbers: Any = [given] if is_number(given) else given
    is_row = isinstance(numbers, Sequence | np.ndarray) and np.ndim(numbers) == 1
    levels = tuple(map(float, numbers)) if is_row and all(map(is_number, numbers)) else ()
    if not levels or not all(0 < level < 1 for level in levels) or list(levels) != sorted(set(levels)):
        raise ValueError(
            "`quantiles` of Regression must be increasing numbers between 0 and 1. Found "
            f"{shown(kind.quantiles)}."
        )
    return Pinball(levels)


_LOSSES: dict[str, Callable[[Regression], RegressionLoss]] = {
    "squared_error": lambda _: SquaredError(),
    "absolute_error": lambda _: AbsoluteError(),
    "huber": _huber,
    "poisson": lambda _: PoissonDeviance(),
    "gamma": lambda _: GammaDeviance(),
    "quantile": _pinball,
    "gaussian_nll": lambda _: GaussianNLL(),
}


def _numbers(column: Column) -> np.ndarray:
    """Return labels as float64 of two dimensions, NaN where missing."""
    try:
        values = np.array(column.values, dtype=np.float64)
    except OverflowError as error:
        raise ValueError(
            f"Task {shown(column.name)} is a regression and needs numbers of a size that floats have. "
            f"Found labels such as {shown(column.known[:3].tolist())}."
        ) from error
    except (TypeError, ValueError):
        values = None
    # numpy reads numbers from text, too.
    if values is None or (column.values.dtype == object and any(map(_is_text, column.known))):
        raise ValueError(
            f"Task {shown(column.name)} is a regression and needs numbers. "
            f"Found labels such as {shown(column.known[:3].tolist())}."
        )
    values[column.missing] = np.nan
    return values.reshape(len(values), -1)


def _logarithms(name: str, values: np.ndarray) -> np.ndarray:
    """Return the logarithms of labels, nan where missing."""
    wrong = values[values <= 0]
    if len(wrong):
        raise ValueError(
            f"Task {shown(name)} with transform='log' needs positive labels. Found {len(wrong)} others, the "
            f"first {wrong[0]:g}."
        )
    return np.log(values)


def _is_text(label: Any) -> bool:
    return isinstance(label, str | bytes)


def _range(
    values: np.ndarray, weight: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the given range of each column, widened to its labels; nan is left out."""
    seen = np.where(weight > 0, values, np.nan)
    return np.fmin(low, np.fmin.reduce(seen, axis=0)), np.fmax(high, np.fmax.reduce(seen, axis=0))


def _r2(labels: np.ndarray, found: np.ndarray, weight: np.ndarray) -> float:
    """Return scikit-learn's R², without the checks that take most of its time."""
    residual = (weight * (labels - found) ** 2).sum()
    total = (weight * (labels - np.average(labels, weights=weight)) ** 2).sum()
    if not np.isfinite(residual):
        # scikit-learn raises, and says what is not finite.
        return float(r2_score(labels, found, sample_weight=weight))
    return float(1 - residual / total) if total else float(residual == 0)
