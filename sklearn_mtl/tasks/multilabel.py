"""Multilabel: any number of yes-or-no labels for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from scipy.special import log_expit

from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column
from sklearn_mtl.tasks.labelled import check_labelled
from sklearn_mtl.tasks.losses.classification import BinaryCrossEntropy
from sklearn_mtl.tasks.task import Task, TaskKind


@dataclass(frozen=True, eq=False)
class MultilabelTask(Task):
    """A multilabel task whose labels were seen.

    Parameters
    ----------
    pos_weight : ndarray of float64, shape (n_columns,)
        The weight of a cell that is 1, for each label; cells that are 0 count 1.
    corrected : bool
        Whether these weights are taken out of the probabilities again.
    """

    pos_weight: np.ndarray
    corrected: bool = False

    kind: ClassVar[str] = "multilabel"

    @property
    def classes(self) -> list[np.ndarray]:
        """The two classes of each label, in the dtype of the labels."""
        return [np.array([0, 1]).astype(self.dtype) for _ in range(self.n_columns)]

    @property
    def labels_in_words(self) -> str:
        """The number of labels."""
        return f"{self.n_columns} labels"

    @property
    def metric(self) -> str:
        """The name of the mean accuracy over labels; scikit-learn's accuracy would be that of whole rows."""
        return "mean_label_accuracy"

    @property
    def n_label_columns(self) -> int:
        """The number of labels."""
        return self.n_columns

    def encode(self, column: Column) -> np.ndarray:
        """Return 0 and 1, NaN where missing."""
        return _zero_one(column)

    def cell_weight(self, encoded: np.ndarray) -> np.ndarray | float:
        """Return ``pos_weight`` where a label is set."""
        if (self.pos_weight == 1).all():
            return 1.0
        return np.where(encoded == 1, self.pos_weight, 1.0)

    def decode(self, decision: np.ndarray) -> np.ndarray:
        """Return 0 and 1 in the dtype of the labels, shape (n_rows, n_columns)."""
        return decision.astype(np.int64).astype(self.dtype, copy=False)

    def score(self, column: Column, response: np.ndarray, weight: np.ndarray) -> float:
        """Return the accuracy, as the mean over labels."""
        values = self.encode(column)
        known = ~np.isnan(values) & (weight > 0)[:, None]
        right = self._decided(response) == (values == 1)
        scores = [
            np.average(right[rows, i], weights=weight[rows]) for i, rows in enumerate(known.T) if rows.any()
        ]
        return float(np.mean(scores)) if scores else float("nan")

    def predict_proba(self, response: np.ndarray) -> np.ndarray:
        """Return the probability that each label is set, shape (n_rows, n_columns)."""
        probabilities = response[..., 0]
        if not self.corrected or (self.pos_weight == 1).all():
            return probabilities
        odds = probabilities / self.pos_weight
        return odds / (odds + 1 - probabilities)

    def predict_log_proba(self, log_response: np.ndarray) -> np.ndarray:
        """Return the logarithm of the probability that each label is set, shape (n_rows, n_columns)."""
        odds = self.decision_function(log_response)
        if self.corrected:
            odds = odds - np.log(self.pos_weight)
        found: np.ndarray = log_expit(odds)
        return found

    def decision_function(self, log_response: np.ndarray) -> np.ndarray:
        """Return the log-odds of each label, by the probabilities that ``predict`` goes by."""
        found: np.ndarray = log_response[..., 1] - log_response[..., 0]
        return found

    def calibrated_by(self, calibrate: bool) -> MultilabelTask:
        """Return the task whose probabilities are, or are not, corrected for `pos_weight`."""
        return replace(self, corrected=calibrate)


class Multilabel(TaskKind):
    """A task of several yes-or-no labels for each row, given as a two-dimensional block of 0 and 1.

    Parameters
    ----------
    pos_weight : None, "balanced", float or sequence of float, default=None
        The weight of a cell that is 1, one for all labels or one for each; ``"balanced"`` is the number of
        cells that are 0 by the number of those that are 1. ``predict`` then sets labels as if they were set
        so many times as often. With ``calibrate=True``, the default, ``predict_proba`` takes the weights
        out again and gives the probability in the data, so that a label may be predicted whose probability
        is below one half.

    Examples
    --------
    >>> from sklearn_mtl.tasks import Multilabel
    >>> Multilabel(pos_weight=3.0)
    Multilabel(pos_weight=3.0)
    """

    kind: ClassVar[str] = "multilabel"
    estimator_type: ClassVar[Literal["classifier", "regressor"] | None] = "classifier"

    def __init__(self, *, pos_weight: str | float | Sequence[float] | None = None) -> None:
        self.pos_weight = pos_weight

    def bind(self, column: Column, weight: np.ndarray, classes: Any = None) -> MultilabelTask:
        """Return the task for the labels of the training rows."""
        if column.values.ndim != 2:
            raise ValueError(
                f"Task {shown(column.name)} is multilabel and needs a two-dimensional block of 0 and 1. "
                f"Found labels of shape {column.values.shape}."
            )
        check_labelled(column, weight)
        factors = self._factors(column.name, _zero_one(column), weight)
        return MultilabelTask(
            column.name, BinaryCrossEntropy(), column.values.shape[1], True, column.dtype, factors
        )

    def _factors(self, name: str, values: np.ndarray, weight: np.ndarray) -> np.ndarray:
        if self.pos_weight is None:
            return np.ones(values.shape[1])
        if isinstance(self.pos_weight, str) and self.pos_weight == "balanced":
            positive = (weight[:, None] * (values == 1)).sum(axis=0)
            negative = (weight[:, None] * (values == 0)).sum(axis=0)
            # A label that is never set, or always, has no ratio to balance.
            return np.where((positive > 0) & (negative > 0), negative / np.maximum(positive, 1e-300), 1.0)
        try:
            given = np.asarray(self.pos_weight, dtype=object)
            if not all(isinstance(one, Real) and not isinstance(one, bool) for one in given.ravel()):
                raise TypeError
            factors = np.broadcast_to(given.astype(np.float64), values.shape[1:]).copy()
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"`pos_weight` of task {shown(name)} must be None, 'balanced', a number or one number "
                "for each of "
                f"{values.shape[1]} labels. Found {shown(self.pos_weight)}."
            ) from error
        if not np.isfinite(factors).all() or (factors <= 0).any():
            raise ValueError(
                f"`pos_weight` of task {shown(name)} must be positive and finite. Found "
                f"{shown(self.pos_weight)}."
            )
        return factors


def _zero_one(column: Column) -> np.ndarray:
    """Return labels as float64 0 and 1, NaN where missing."""
    values = np.full(column.values.shape, np.nan)
    known = ~column.missing
    labels = column.values[known]
    # Checked as an array where that works: cell by cell, it takes long.
    others = labels[(labels != 0) & (labels != 1)] if labels.dtype.kind in "biuf" else labels
    wrong = list(dict.fromkeys(label for label in others.tolist() if label not in (0, 1)))
    if wrong:
        raise ValueError(
            f"Task {shown(column.name)} is multilabel and needs labels 0 and 1. Found {shown(wrong[:5])}."
        )
    values[known] = labels.astype(np.float64)
    return values
