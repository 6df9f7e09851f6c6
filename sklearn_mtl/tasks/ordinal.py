"""Ordinal: one class of several in an order, for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, holds_labels, read_column
from sklearn_mtl.targets.kinds import MOST_CLASSES, NEARLY_ALL
from sklearn_mtl.tasks.class_task import ClassTask, distinct_labels, strata_of_classes
from sklearn_mtl.tasks.labelled import check_labelled
from sklearn_mtl.tasks.losses.classification import CodeLoss, CrossEntropy
from sklearn_mtl.tasks.losses.ordinal import CumulativeLink
from sklearn_mtl.tasks.task import TaskKind


@dataclass(frozen=True, eq=False)
class OrdinalTask(ClassTask):
    """An ordinal task whose labels were seen.

    Parameters
    ----------
    order : ndarray of shape (n_classes,)
        The classes in their order, lowest first.
    """

    order: np.ndarray

    kind: ClassVar[str] = "ordinal"

    @property
    def coded(self) -> np.ndarray:
        """The classes in their order."""
        return self.order

    def predict_proba(self, response: np.ndarray) -> np.ndarray:
        """Return class probabilities, shape (n_rows, n_classes), of the classes in sorted order."""
        # scikit-learn's metrics take columns in sorted order only.
        return self.probabilities(response)[:, self.codes(self.classes)]

    def score(self, column: Column, response: np.ndarray, weight: np.ndarray) -> float:
        """Return D² of the distance in classes, scikit-learn's ``d2_absolute_error_score`` of class codes.

        1 is perfect, 0 as good as the median class for every row. A class not seen in ``fit`` is at the
        largest distance from any other.
        """
        known = ~column.missing & (weight > 0)
        # D² of a single label is not defined.
        if known.sum() < 2:
            return float("nan")
        place = self.codes(column.values[known])
        found, mass = self._decided(response)[known, 0], weight[known]
        up_to = np.cumsum(np.bincount(place[place >= 0], mass[place >= 0], minlength=len(self.classes)))
        median = int((up_to < up_to[-1] / 2).sum())
        residual = np.average(self._distance(found, place), weights=mass)
        total = np.average(self._distance(median, place), weights=mass)
        return float(1 - residual / total) if total else float(residual == 0)

    def _distance(self, code: np.ndarray | int, place: np.ndarray) -> np.ndarray:
        return np.where(place < 0, max(len(self.classes) - 1, 1), np.abs(code - place))


class Ordinal(TaskKind):
    """A task of classes in an order, such as grades: the proportional odds model.

    P(y <= k | x) = sigmoid(theta_k - f(x)), where f is the network's output for the row and the
    thresholds theta are learned: one number says how high a row stands, and the thresholds where one class
    ends and the next begins (McCullagh 1980, "Regression Models for Ordinal Data", section 2).

    ``predict`` gives the median class, which has the least expected distance in classes; it need not be the
    most probable one. ``predict_proba`` gives the probability of each class, its columns sorted as in every
    classifier of scikit-learn, like ``classes_``; ``est.tasks_["grade"].order`` has the classes in their
    order. The score is D² of the absolute distance in classes: 1 is perfect, 0 as good as the median class
    for every row.

    Parameters
    ----------
    order : sequence, default=None
        All classes, lowest first. By default the order of a pandas Categorical that is ordered, or that of
        numbers by size.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.tasks import Ordinal
    >>> X = np.linspace(-1, 1, 300)[:, None]
    >>> grades = np.array(["poor", "fair", "good"])[np.digitize(X[:, 0], [-0.5, 0.2])]
    >>> tasks = {"grade": Ordinal(order=["poor", "fair", "good"])}
    >>> est = MultiTaskClassifierRegressor(tasks=tasks, n_bags=1, random_state=0)
    >>> est.fit(X, {"grade": grades}).tasks_["grade"].order
    array(['poor', 'fair', 'good'], dtype=object)
    >>> est.classes_["grade"]
    array(['fair', 'good', 'poor'], dtype=object)
    >>> est.score(X, {"grade": grades}) > 0.9
    True
    """

    kind: ClassVar[str] = "ordinal"
    estimator_type: ClassVar[Literal["classifier", "regressor"] | None] = "classifier"
    strata = staticmethod(strata_of_classes)

    def __init__(self, order: Sequence[Any] | None = None) -> None:
        self.order = order

    def bind(self, column: Column, weight: np.ndarray, classes: Any = None) -> OrdinalTask:
        """Return the task for the labels of the training rows."""
        if column.values.ndim != 1:
            raise ValueError(
                f"Task {shown(column.name)} is ordinal and needs one label for each row. "
                f"Found labels of shape {column.values.shape}."
            )
        check_labelled(column, weight)
        known = ~column.missing & (weight > 0)
        found = self._ordered(column, column.values[known], classes)
        of = CumulativeLink if len(found) > 1 else CrossEntropy
        loss: CodeLoss = of(n_classes=len(found))
        # The order may name longer text, or more categories, than the labels have.
        dtype = column.dtype if holds_labels(column.dtype, found) else found.dtype
        task = OrdinalTask(column.name, loss, 1, False, dtype, distinct_labels(found), found)
        unknown = task.unknown_labels(column)
        if unknown:
            raise ValueError(
                f"The `order` of task {shown(column.name)} must hold all its labels. Found "
                f"{shown(unknown[:5])} besides "
                f"{shown(found.tolist())}."
            )
        return task

    def _ordered(self, column: Column, labels: np.ndarray, classes: Any) -> np.ndarray:
        declared, dtype = self.order, column.dtype
        if declared is None and isinstance(dtype, pd.CategoricalDtype) and dtype.ordered:
            declared = dtype.categories
        if declared is not None:
            is_list = isinstance(declared, list | tuple) or np.ndim(declared) > 0
            if not is_list or len(declared) == 0:
                raise ValueError(
                    f"`order` of task {shown(column.name)} must be a list of the classes, lowest first. "
                    f"Found {shown(declared)}."
                )
            found = read_column(column.name, declared)
            if found.values.ndim != 1 or found.missing.any() or len(set(found.values.tolist())) < len(found):
                raise ValueError(
                    f"`order` of task {shown(column.name)} must name every class once. Found "
                    f"{shown(self.order)}."
                )
            return found.values
        if labels.dtype.kind not in "biuf":
            raise ValueError(
                f"Task {shown(column.name)} is ordinal, and its labels need an order: numbers and an ordered "
                "pandas Categorical have one, and Ordinal(order=[...]) says it, lowest first. "
                f"Found labels such as {shown(labels[:3].tolist())}."
            )
        if classes is not None:
            return np.unique(read_column(column.name, classes).values)
        distinct: np.ndarray = np.unique(labels)
        _refuse_continuous(column.name, labels, distinct)
        return distinct


def _refuse_continuous(name: str, labels: np.ndarray, distinct: np.ndarray) -> None:
    is_many = len(distinct) > max(MOST_CLASSES, NEARLY_ALL * len(labels))
    if is_many and labels.dtype.kind == "f" and (distinct != np.rint(distinct)).any():
        raise ValueError(
            f"Unknown label type: continuous. Task {shown(name)} is ordinal, whose labels must be "
            "classes in an "
            "order; numbers with fractions of which nearly all are distinct are a 'regression'. "
            f"Found {len(distinct)} distinct values in {len(labels)} rows, such as "
            f"{shown(labels[:3].tolist())}."
        )
