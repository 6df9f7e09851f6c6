"""Classification: one class of several for each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number
from sklearn_mtl.targets import Column, holds_labels, read_column
from sklearn_mtl.tasks.class_task import ClassTask, check_one_column, distinct_labels, strata_of_classes
from sklearn_mtl.tasks.labelled import check_labelled
from sklearn_mtl.tasks.log_odds import SMALLEST_LOG, log_of, normalized
from sklearn_mtl.tasks.losses.classification import (
    BinaryCrossEntropy,
    ClassLoss,
    CrossEntropy,
    ShiftedBinaryCrossEntropy,
)
from sklearn_mtl.tasks.losses.row_loss import RowLoss, check_loss
from sklearn_mtl.tasks.task import TaskKind


@dataclass(frozen=True, eq=False)
class ClassificationTask(ClassTask):
    """A classification task whose labels were seen; its classes are sorted.

    Parameters
    ----------
    class_weight : ndarray of float64, shape (n_classes,)
        The factor of a row's weight for each class.
    corrected : bool
        Whether class weights are taken out of the probabilities again.
    """

    class_weight: np.ndarray
    corrected: bool = False

    kind: ClassVar[str] = "classification"

    def calibrated_by(self, calibrate: bool) -> ClassificationTask:
        """Return the task whose probabilities are, or are not, corrected for class weights."""
        return replace(self, corrected=calibrate)

    def as_log_odds(self) -> ClassificationTask | None:
        """Return the task whose network gives the log-odds in the data, whatever the class weights."""
        if not isinstance(self.loss, BinaryCrossEntropy):
            return None
        first, second = self.class_weight
        # What is not to be taken out of the probabilities stays within them.
        if not self.corrected or first == second:
            return self
        if min(first, second) == 0:
            raise ValueError(
                f"`class_weight` of task {shown(self.name)} must be positive where the probability of the "
                f"task is a factor or a product of others. Found {shown(self.class_weight.tolist())}."
            )
        shift = float(np.log(second) - np.log(first))
        loss = ShiftedBinaryCrossEntropy(self.loss.label_smoothing, self.loss.focusing, shift)
        return LogOddsTask(**{**self.__dict__, "loss": loss, "corrected": False})

    @property
    def coded(self) -> np.ndarray:
        """The classes in sorted order."""
        return self.classes

    def predict_proba(self, response: np.ndarray) -> np.ndarray:
        """Return class probabilities, shape (n_rows, n_classes)."""
        probabilities = self.probabilities(response)
        if not self.corrected or (self.class_weight == 1).all():
            return probabilities
        # Training saw each class as if it were `class_weight` times as frequent.
        weight = self.class_weight
        odds = np.divide(probabilities, weight, out=np.zeros_like(probabilities), where=weight > 0)
        return odds / odds.sum(axis=1, keepdims=True)

    def predict_log_proba(self, log_response: np.ndarray) -> np.ndarray:
        """Return the logarithms of the probabilities, shape (n_rows, n_classes)."""
        logs = super().predict_log_proba(log_response)
        if not self.corrected or (self.class_weight == 1).all():
            return logs
        # A class of weight 0 has no probability.
        weighed = np.where(self.class_weight > 0, logs - log_of(self.class_weight), SMALLEST_LOG)
        return normalized(weighed)

    def cell_weight(self, encoded: np.ndarray) -> np.ndarray | float:
        """Return the class weight of each cell."""
        if (self.class_weight == 1).all():
            return 1.0
        return self.class_weight[np.nan_to_num(encoded).astype(np.intp)]

    def score(self, column: Column, response: np.ndarray, weight: np.ndarray) -> float:
        """Return the accuracy; a class not seen in ``fit`` counts as wrong."""
        known = ~column.missing & (weight > 0)
        if not known.any():
            return float("nan")
        right = self._decided(response)[known, 0] == self.codes(column.values[known])
        return float(np.average(right, weights=weight[known]))


@dataclass(frozen=True, eq=False)
class LogOddsTask(ClassificationTask):
    """A task of two weighted classes whose network gives the log-odds in the data.

    Its probabilities need no correction, so that what holds for those of every network holds for their mean.
    """

    loss: ShiftedBinaryCrossEntropy

    def decision_function(self, log_response: np.ndarray) -> np.ndarray:
        """Return the log-odds that ``predict`` goes by, those of the weighted classes."""
        return super().decision_function(log_response) + self.loss.shift


class Classification(TaskKind):
    """A classification task of one label for each row.

    Parameters
    ----------
    loss : {"cross_entropy", "focal"} or ClassLoss, default="cross_entropy"
        ``"focal"`` is (1 - p)² times the cross-entropy (Lin et al. 2017, eq. 4). A loss of one's own
        derives from `ClassLoss`; ``fit`` sets its number of classes.
    class_weight : None, "balanced" or mapping, default=None
        The factor of a row's weight for each class, as in scikit-learn: ``"balanced"`` is
        ``n / (n_classes * n_of_class)``; classes a mapping omits count 1. The network then learns
        probabilities q as if each class were w_k times as frequent. ``predict`` gives the class of the
        largest q, so that rare classes are found more often. With ``calibrate=True``, the default,
        ``predict_proba`` takes the weights out again and gives p_k = (q_k / w_k) / Σ (q_j / w_j), the
        probabilities in the data themselves. The class of the largest p need not be the predicted one,
        which is that of the largest w_k p_k (Elkan 2001, "The Foundations of Cost-Sensitive Learning").
        With ``calibrate=False``, ``predict_proba`` gives q.
    label_smoothing : float, default=0.0
        Share of each label that is spread evenly over all classes, in [0, 1) (Szegedy et al. 2016).

    Examples
    --------
    >>> from sklearn_mtl.tasks import Classification
    >>> Classification(class_weight="balanced")
    Classification(class_weight='balanced')
    """

    kind: ClassVar[str] = "classification"
    estimator_type: ClassVar[Literal["classifier", "regressor"] | None] = "classifier"
    strata = staticmethod(strata_of_classes)

    def __init__(
        self,
        loss: str | ClassLoss = "cross_entropy",
        *,
        class_weight: str | Mapping[Any, float] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        self.loss = loss
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing

    def bind(self, column: Column, weight: np.ndarray, classes: Any = None) -> ClassificationTask:
        """Return the task for the labels of the training rows."""
        self._check_parameters()
        check_one_column(column)
        check_labelled(column, weight)
        known = ~column.missing & (weight > 0)
        if column.values.dtype.kind == "f" and not isinstance(column.dtype, pd.CategoricalDtype):
            _refuse_fractions(column.name, column.values[known])
        labels = column.values if known.all() else column.values[known]
        declared = None if classes is None else read_column(column.name, classes)
        found = distinct_labels(labels if declared is None else declared.known)
        loss = self._row_loss(len(found))
        dtype = column.dtype if declared is None or holds_labels(column.dtype, found) else declared.dtype
        task = ClassificationTask(column.name, loss, 1, False, dtype, found, np.ones(len(found)))
        if classes is not None:
            task.check_known(column)
        if isinstance(self.loss, ClassLoss):
            check_loss(column.name, loss, task.encode(column), weight[:, None])
        if self.class_weight is None:
            return task
        factors = self._factors(column.name, found, task.codes(labels), weight[known])
        return replace(task, class_weight=factors)

    def _row_loss(self, n_classes: int) -> RowLoss:
        if isinstance(self.loss, ClassLoss):
            return self.loss.of_classes(n_classes)
        return _cross_entropy(n_classes, float(self.label_smoothing), 2.0 if self.loss == "focal" else 0.0)

    def _check_parameters(self) -> None:
        own = isinstance(self.loss, ClassLoss)
        if not own and not (isinstance(self.loss, str) and self.loss in ("cross_entropy", "focal")):
            raise ValueError(
                "`loss` of Classification must be 'cross_entropy' or 'focal', or a ClassLoss of your own. "
                f"Found {shown(self.loss)}."
            )
        if not is_number(self.label_smoothing) or not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"`label_smoothing` of Classification must be in [0, 1). Found {shown(self.label_smoothing)}."
            )
        if own and self.label_smoothing:
            raise ValueError(
                "`label_smoothing` of Classification must be 0 with a loss of your own, which can have it as "
                f"a parameter. Found {shown(self.label_smoothing)} with {shown(self.loss)}."
            )

    def _factors(self, name: str, classes: np.ndarray, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            mass = np.bincount(codes, weight, minlength=len(classes))
            # A class that was declared, but has no labels yet, has nothing to balance.
            return np.where(mass > 0, mass.sum() / (len(classes) * np.where(mass > 0, mass, 1.0)), 1.0)
        if not isinstance(self.class_weight, Mapping):
            raise ValueError(
                f"`class_weight` of task {shown(name)} must be None, 'balanced' or a mapping from class to "
                f"weight. Found {shown(self.class_weight)}."
            )
        unknown = [label for label in self.class_weight if label not in classes.tolist()]
        if unknown:
            raise ValueError(
                f"`class_weight` of task {shown(name)} names unknown classes {shown(unknown)}; "
                f"the classes are {shown(classes.tolist())}."
            )
        weights = [self.class_weight.get(label, 1.0) for label in classes.tolist()]
        factors = np.array([float(value) if is_number(value) else np.nan for value in weights])
        if not np.isfinite(factors).all() or (factors < 0).any() or not factors.any():
            raise ValueError(
                f"`class_weight` of task {shown(name)} must hold finite non-negative numbers, not all 0. "
                f"Found {shown(dict(self.class_weight))}."
            )
        return factors


# One object for all tasks of equal losses: without it, grouping a thousand tasks takes 2 % of their fit.
@cache
def _cross_entropy(n_classes: int, smoothing: float, focusing: float) -> RowLoss:
    if n_classes == 2:
        return BinaryCrossEntropy(smoothing, focusing)
    return CrossEntropy(smoothing, focusing, n_classes=n_classes)


def _refuse_fractions(name: str, labels: np.ndarray) -> None:
    fractions = labels[labels != np.rint(labels)]
    if len(fractions):
        raise ValueError(
            f"Unknown label type: continuous. Task {shown(name)} is a classification, whose labels must be "
            f"classes; numbers with fractions are a 'regression'. Found {shown(fractions[:3].tolist())}."
        )
