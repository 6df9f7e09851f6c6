"""What MAPIE makes of the responses of one task: an interval, or a set of classes, for each row."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state

from sklearn_mtl.messages import shown
from sklearn_mtl.tasks import Task, TaskKind
from sklearn_mtl.tasks.class_task import class_codes


class ConformalTask(ABC):
    """The conformal predictions of one task, by its responses.

    Rows go through the network once for all tasks: to MAPIE, what was predicted of a row is its features.

    Parameters
    ----------
    task : Task
        The task.
    coverage : float
        The share of labels that the predictions are to hold.
    """

    # What a prediction is, in a word.
    kind: ClassVar[str]

    def __init__(self, task: Task, coverage: float) -> None:
        self.task: Any = task
        self.coverage = coverage

    @abstractmethod
    def conformalize(self, response: np.ndarray, labels: np.ndarray) -> None:
        """Take in the averaged responses to labelled rows, and their labels as they were given."""

    @abstractmethod
    def predict(self, response: np.ndarray) -> np.ndarray:
        """Return the interval, or the set, of each row."""

    @abstractmethod
    def holds(self, predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return whether each label is in what was predicted of its row."""

    @abstractmethod
    def size(self, predicted: np.ndarray) -> np.ndarray:
        """Return how large what was predicted of each row is."""


class ConformalInterval(ConformalTask):
    """Intervals of a regression: around its predictions, or its own, made wider or narrower."""

    kind = "interval"

    def conformalize(self, response: np.ndarray, labels: np.ndarray) -> None:
        """Take in the averaged responses to labelled rows, and their labels."""
        given, numbers = self._given(response), _by_output(labels)
        self.models = [
            self._model().conformalize(given[:, output], numbers[:, output])
            for output in range(numbers.shape[1])
        ]

    def predict(self, response: np.ndarray) -> np.ndarray:
        """Return the lower and upper end for each row, shape (n_rows, 2) or (n_rows, n_outputs, 2)."""
        given = self._given(response)
        # Of equal tails the correction would be larger, and hold more than what was asked.
        how = {"symmetric_correction": True} if self.task.has_interval else {}
        ends = [
            model.predict_interval(given[:, output], **how)[1][..., 0]
            for output, model in enumerate(self.models)
        ]
        return np.stack(ends, axis=1) if self.task.two_dimensional else ends[0]

    def holds(self, predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return whether each label is between the two ends."""
        numbers = labels.astype(np.float64)
        found: np.ndarray = (predicted[..., 0] <= numbers) & (numbers <= predicted[..., 1])
        return found

    def size(self, predicted: np.ndarray) -> np.ndarray:
        """Return the widths, in the units of the labels."""
        found: np.ndarray = predicted[..., 1] - predicted[..., 0]
        return found

    def _given(self, response: np.ndarray) -> np.ndarray:
        """Return what is predicted of each row and output: its own ends first, where there are some."""
        points = _by_output(self.task.predict(response))[..., None]
        if not self.task.has_interval:
            return points
        ends = self.task.interval(response, self.coverage).reshape(*points.shape[:2], 2)
        return np.concatenate([ends, points], axis=-1)

    def _model(self) -> Any:
        from mapie.regression import ConformalizedQuantileRegressor, SplitConformalRegressor

        if not self.task.has_interval:
            return SplitConformalRegressor(_Column(0), confidence_level=self.coverage, prefit=True)
        columns = [_Column(place) for place in range(3)]
        return ConformalizedQuantileRegressor(columns, confidence_level=self.coverage, prefit=True)


class ConformalSet(ConformalTask):
    """Sets of the classes of a task with one class for each row."""

    kind = "set"

    def conformalize(self, response: np.ndarray, labels: np.ndarray) -> None:
        """Take in the averaged responses to labelled rows, and their labels."""
        from mapie.classification import SplitConformalClassifier

        codes = class_codes(labels, self.task.classes)
        if (codes < 0).any():
            raise ValueError(
                f"Labels of task {shown(self.task.name)} must be among the classes of `fit`. Found "
                f"{shown(labels[codes < 0][:5].tolist())}."
            )
        given = _Probabilities(len(self.task.classes))
        self.model = SplitConformalClassifier(given, confidence_level=self.coverage, prefit=True)
        with warnings.catch_warnings():
            # That a rare class is not among these rows changes nothing of what is promised.
            warnings.filterwarnings("ignore", message=".*conformalization dataset has less labels")
            self.model.conformalize(self.task.predict_proba(response), codes)

    def predict(self, response: np.ndarray) -> np.ndarray:
        """Return whether each class is in the set of each row, shape (n_rows, n_classes)."""
        found: np.ndarray = self.model.predict_set(self.task.predict_proba(response))[1][..., 0]
        return found

    def holds(self, predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return whether the class of each row is in its set; one that was not in ``fit`` never is."""
        codes = class_codes(labels, self.task.classes)
        found: np.ndarray = (codes >= 0) & predicted[np.arange(len(codes)), codes]
        return found

    def size(self, predicted: np.ndarray) -> np.ndarray:
        """Return the numbers of classes."""
        found: np.ndarray = predicted.sum(axis=-1)
        return found


def conformal_task(task: Task, kind: TaskKind, coverage: float) -> ConformalTask | None:
    """Return the conformal predictions of a task; None where it has none.

    Parameters
    ----------
    task : Task
        The task.
    kind : TaskKind
        Its kind.
    coverage : float
        The share of labels that the predictions are to hold.
    """
    if task.position_axes:
        return None
    if kind.estimator_type == "regressor":
        return ConformalInterval(task, coverage)
    if task.has_probabilities and isinstance(getattr(task, "classes", None), np.ndarray):
        return ConformalSet(task, coverage)
    return None


@contextmanager
def global_state_kept() -> Iterator[None]:
    """Keep numpy's global generator as it is: MAPIE draws a seed from it, of which nothing depends here."""
    of_numpy = check_random_state(None)
    state = of_numpy.get_state()
    try:
        yield
    finally:
        of_numpy.set_state(state)


class _Column(RegressorMixin, BaseEstimator):
    """Predicts one column of what it is given."""

    # By this MAPIE knows that it is fitted.
    is_fitted = True

    def __init__(self, place: int) -> None:
        self.place = place

    def fit(self, X: Any, y: Any) -> _Column:
        """Do nothing."""
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the column."""
        return X[:, self.place]


class _Probabilities(ClassifierMixin, BaseEstimator):
    """Takes what it is given for the probabilities of classes."""

    is_fitted = True

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes
        self.classes_ = np.arange(n_classes)

    def fit(self, X: Any, y: Any) -> _Probabilities:
        """Do nothing."""
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the most probable class."""
        found: np.ndarray = X.argmax(axis=1)
        return found

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return what it is given."""
        return X


def _by_output(values: Any) -> np.ndarray:
    """Return numbers with a column for each output."""
    numbers = np.asarray(values, dtype=np.float64)
    return numbers.reshape(len(numbers), -1)
