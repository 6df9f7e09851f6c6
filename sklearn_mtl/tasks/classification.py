"""Classification: one class of several for each row."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd

from sklearn_mtl.targets import Column, holds_labels, read_column, restore_dtype
from sklearn_mtl.tasks.class_labels import class_codes, distinct_labels, in_words, label_types
from sklearn_mtl.tasks.losses.classification import BinaryCrossEntropy, ClassLoss, CrossEntropy
from sklearn_mtl.tasks.losses.row_loss import RowLoss, check_loss
from sklearn_mtl.tasks.task import Task, TaskKind, check_labelled, check_one_column, strata_of_classes


@dataclass(frozen=True, eq=False)
class ClassTask(Task):
    """A task of one class for each row, whose labels were seen.

    The response of its loss is the probability of each class, or, of two, that of the second alone; the
    decision is a place among the classes.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The classes in sorted order, as scikit-learn's metrics take them; columns of the probabilities.
    """

    classes: np.ndarray

    @property
    def coded(self) -> np.ndarray:
        """The classes in the order of their codes, by which the loss knows them."""
        return self.classes

    @property
    def n_label_columns(self) -> int:
        """One class for each row."""
        return 1

    def encode(self, column: Column) -> np.ndarray:
        """Return class codes; NaN where missing and for classes not seen in ``fit``."""
        codes = np.full(len(column), np.nan)
        known = ~column.missing if column.missing.any() else slice(None)
        codes[known] = self.codes(column.known)
        unknown = codes < 0
        if unknown.any():
            codes[unknown] = np.nan
        return codes[:, None]

    def unknown_labels(self, column: Column) -> list[Any]:
        """Return the distinct labels that are none of the classes."""
        unknown: list[Any] = distinct_labels(self.unknown(column.known)).tolist()
        return unknown

    def unknown(self, labels: np.ndarray) -> np.ndarray:
        """Return those labels that are none of the classes."""
        return labels[self.codes(labels) < 0]

    def decode(self, decision: np.ndarray) -> Any:
        """Return the classes of codes, in the dtype of the labels."""
        return restore_dtype(self._labels(decision.T)[0], self.dtype)

    @classmethod
    def decode_all(cls, tasks: Sequence[Self], decision: np.ndarray) -> list[Any]:
        """Return the classes of the codes of each of several tasks, those of equal classes at once."""
        # By tasks, so that the codes of each lie together.
        codes = np.ascontiguousarray(decision.T)
        found: list[Any] = []
        for _, run in groupby(tasks, lambda task: task._classes_key):
            of_run = list(run)
            labels = of_run[0]._labels(codes[len(found) : len(found) + len(of_run)])
            found += [restore_dtype(own, task.dtype) for own, task in zip(labels, of_run, strict=True)]
        return found

    def codes(self, labels: np.ndarray) -> np.ndarray:
        """Return the code of each label, -1 where it is none of the classes.

        Numbers and booleans are compared as in Python, so that True is 1 and 1.0.

        Raises
        ------
        ValueError
            If labels that are none are of another type than the classes: text where those are numbers.
        """
        codes = class_codes(labels, self.coded)
        unknown = codes < 0
        if unknown.any():
            self._refuse_other_types(labels[unknown])
        return codes

    def matched(self, labels: np.ndarray) -> np.ndarray:
        """Return labels as the classes that they equal, as predictions hold them."""
        if labels.dtype == self.classes.dtype and labels.dtype.kind in "biuf":
            return labels
        codes = self.codes(labels)
        classes = self.coded[codes]
        return classes if (codes >= 0).all() else np.where(codes >= 0, classes, labels)

    def _refuse_other_types(self, unknown: np.ndarray) -> None:
        """Raise a ``ValueError`` if labels that are no class are of another type than all classes."""
        own = label_types(self.classes)
        others = label_types(unknown) - own
        if others:
            raise ValueError(
                f"Labels of task {self.name!r} must be {in_words(own)}, as its classes are. "
                f"Found {in_words(others)} such as {unknown[:3].tolist()} for the classes "
                f"{self.classes[:5].tolist()}; pass labels in the dtype of `fit`, {self.dtype}."
            )

    @property
    def only_class(self) -> str:
        """The class, quoted, where there is one only."""
        return repr(self.classes.tolist()[0]) if len(self.classes) == 1 else ""

    @property
    def labels_in_words(self) -> str:
        """The classes, or how many there are."""
        classes = [str(label) for label in self.coded]
        return ", ".join(classes) if len(classes) <= 6 else f"{len(classes)} classes"

    def predict_proba(self, response: np.ndarray) -> np.ndarray:
        """Return class probabilities, shape (n_rows, n_classes)."""
        if self.loss.width == len(self.classes):
            return response[:, 0, :]
        probabilities = np.empty((len(response), 2))
        probabilities[:, 1] = response[:, 0, 0]
        np.subtract(1, probabilities[:, 1], out=probabilities[:, 0])
        return probabilities

    def _labels(self, codes: np.ndarray) -> np.ndarray:
        """Return the classes of codes, (tasks, n_rows); of two, the code is whether it is the second."""
        classes = self.coded
        labels = np.empty(codes.shape, dtype=classes.dtype)
        for of_task, own in zip(codes.view(np.int8) if codes.dtype == bool else codes, labels, strict=True):
            # Any other mode writes to a copy first.
            classes.take(of_task, out=own, mode="clip")
        return labels

    @property
    def _classes_key(self) -> Hashable:
        """What tasks of equal classes have in common; objects are compared by being the same task."""
        classes = self.coded
        return id(self) if classes.dtype.hasobject else (classes.dtype.str, classes.tobytes())


@dataclass(frozen=True, eq=False)
class ClassificationTask(ClassTask):
    """A classification task whose labels were seen; its classes are sorted.

    Parameters
    ----------
    class_weight : ndarray of float64, shape (n_classes,)
        Factor of a row's weight by its class.
    corrected : bool
        Whether the probabilities are those of the data, without the weights of the classes.
    """

    class_weight: np.ndarray
    corrected: bool = False

    kind: ClassVar[str] = "classification"

    def calibrated_by(self, calibrate: bool) -> ClassificationTask:
        """Return the task whose probabilities do not, or do, count the weights of the classes."""
        return replace(self, corrected=calibrate)

    def predict_proba(self, response: np.ndarray) -> np.ndarray:
        """Return class probabilities, shape (n_rows, n_classes)."""
        probabilities = super().predict_proba(response)
        if not self.corrected or (self.class_weight == 1).all():
            return probabilities
        # Training saw each class as if it were `class_weight` times as frequent.
        weight = self.class_weight
        odds = np.divide(probabilities, weight, out=np.zeros_like(probabilities), where=weight > 0)
        return odds / odds.sum(axis=1, keepdims=True)

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


class Classification(TaskKind):
    """A classification task of one label for each row.

    Parameters
    ----------
    loss : {"cross_entropy", "focal"} or ClassLoss, default="cross_entropy"
        ``"focal"`` is (1 - p)² times the cross-entropy (Lin et al. 2017, eq. 4). One of your own is a
        `ClassLoss`, which is told the number of classes.
    class_weight : None, "balanced" or mapping, default=None
        Factor of a row's weight by its class, as in scikit-learn: ``"balanced"`` is
        ``n / (n_classes * n_of_class)``; classes a mapping omits count 1. The network then learns
        probabilities q as if each class were w_k times as frequent. ``predict`` gives the class of the
        largest q, so that rare classes are found more often. With ``calibrate=True``, the default,
        ``predict_proba`` undoes the weights by the prior: it gives p_k = (q_k / w_k) / Σ (q_j / w_j), the
        probabilities in the data themselves, and the class of the largest p need not be the one predicted
        (that is the class of the largest w_k p_k; Elkan 2001, "The Foundations of Cost-Sensitive
        Learning"). With ``calibrate=False`` it gives q.
    label_smoothing : float, default=0.0
        Share of each label spread evenly over all classes, in [0, 1) (Szegedy et al. 2016).

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
        smoothing, focusing = float(self.label_smoothing), 2.0 if self.loss == "focal" else 0.0
        if n_classes == 2:
            return BinaryCrossEntropy(smoothing, focusing)
        return CrossEntropy(n_classes, smoothing, focusing)

    def _check_parameters(self) -> None:
        own = isinstance(self.loss, ClassLoss)
        if not own and not (isinstance(self.loss, str) and self.loss in ("cross_entropy", "focal")):
            raise ValueError(
                "`loss` of Classification must be 'cross_entropy' or 'focal', or a ClassLoss of your own. "
                f"Found {self.loss!r}."
            )
        if not isinstance(self.label_smoothing, Real) or not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"`label_smoothing` of Classification must be in [0, 1). Found {self.label_smoothing!r}."
            )
        if own and self.label_smoothing:
            raise ValueError(
                "`label_smoothing` of Classification must be 0 with a loss of your own, which can have it as "
                f"a parameter. Found {self.label_smoothing!r} with {self.loss!r}."
            )

    def _factors(self, name: str, classes: np.ndarray, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            mass = np.bincount(codes, weight, minlength=len(classes))
            # A class that was declared and not seen yet has nothing to balance.
            return np.where(mass > 0, mass.sum() / (len(classes) * np.where(mass > 0, mass, 1.0)), 1.0)
        if not isinstance(self.class_weight, Mapping):
            raise ValueError(
                f"`class_weight` of task {name!r} must be None, 'balanced' or a mapping from class to "
                f"weight. Found {self.class_weight!r}."
            )
        unknown = [label for label in self.class_weight if label not in classes.tolist()]
        if unknown:
            raise ValueError(
                f"`class_weight` of task {name!r} names unknown classes {unknown}; "
                f"the classes are {classes.tolist()}."
            )
        factors = np.array([float(self.class_weight.get(label, 1.0)) for label in classes.tolist()])
        if not np.isfinite(factors).all() or (factors < 0).any() or not factors.any():
            raise ValueError(
                f"`class_weight` of task {name!r} must hold finite non-negative numbers, not all 0. "
                f"Found {dict(self.class_weight)}."
            )
        return factors


def _refuse_fractions(name: str, labels: np.ndarray) -> None:
    fractions = labels[labels != np.rint(labels)]
    if len(fractions):
        raise ValueError(
            f"Unknown label type: continuous. Task {name!r} is a classification, whose labels must be "
            f"classes; numbers with fractions are a 'regression'. Found {fractions[:3].tolist()}."
        )
