"""Tasks whose predictions were decided together: the responses of each hold what was decided."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.metrics import r2_score

from sklearn_mtl.targets import Column
from sklearn_mtl.tasks.log_odds import log_odds


class DecidedTask(ABC):
    """A task that predicts what was decided, and is otherwise the task that it was.

    A response is that of the task, or its probabilities, and after it the decision.

    Parameters
    ----------
    task : Task
        The task as the estimator knows it.
    """

    def __init__(self, task: Any) -> None:
        self._task = task

    def __getattr__(self, name: str) -> Any:
        """Return what the task has."""
        # A copy that is being made has no task yet.
        if name == "_task":
            raise AttributeError(name)
        return getattr(self._task, name)

    @abstractmethod
    def predict(self, response: np.ndarray) -> Any:
        """Return what was decided, in the labels' own units and dtype."""

    @abstractmethod
    def score(self, column: Column, response: np.ndarray, weight: np.ndarray) -> float:
        """Return the default score of the task, of what was decided."""


class DecidedNumber(DecidedTask):
    """A regression of one output. A response is that of the task, and the number in units of the labels."""

    @staticmethod
    def response(response: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return responses with what was decided."""
        return np.concatenate([response, numbers[:, None, None]], axis=-1)

    def predict(self, response: np.ndarray) -> np.ndarray:
        """Return the numbers."""
        found: np.ndarray = response[:, 0, -1]
        return found

    def score(self, column: Column, response: np.ndarray, weight: np.ndarray) -> float:
        """Return R²; nan of fewer than two labels."""
        known = ~column.missing.ravel() & (weight > 0)
        if known.sum() < 2:
            return float("nan")
        labels = column.values.ravel()[known].astype(np.float64)
        return float(r2_score(labels, self.predict(response)[known], sample_weight=weight[known]))

    def interval(self, response: np.ndarray, coverage: float) -> np.ndarray:
        """Return the interval of the task, made wider where the number is not in it."""
        ends, number = self._task.interval(response[..., :-1], coverage), self.predict(response)
        return np.stack([np.minimum(ends[:, 0], number), np.maximum(ends[:, 1], number)], axis=-1)


class DecidedClass(DecidedTask):
    """A task of one class for each row. A response is the probabilities, and the place of the class.

    Parameters
    ----------
    task : Task
        The task as the estimator knows it.
    has_own_probabilities : bool
        Whether the probabilities are others than those of the estimator.
    """

    def __init__(self, task: Any, has_own_probabilities: bool) -> None:
        super().__init__(task)
        self._has_own_probabilities = has_own_probabilities

    @staticmethod
    def response(probabilities: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return responses with what was decided."""
        return np.concatenate([probabilities, places[:, None]], axis=1)[:, None]

    def predict(self, response: np.ndarray) -> Any:
        """Return the classes."""
        return self._task.decode(self._codes(response)[:, None])

    def predict_proba(self, response: np.ndarray) -> np.ndarray:
        """Return the probabilities, shape (n_rows, n_classes)."""
        return response[:, 0, :-1]

    def predict_log_proba(self, log_response: np.ndarray) -> np.ndarray:
        """Return the logarithms of the probabilities."""
        if self._has_own_probabilities:
            return log_response[:, 0]
        found: np.ndarray = self._task.predict_log_proba(log_response)
        return found

    def decision_function(self, log_response: np.ndarray) -> np.ndarray:
        """Return the log-odds of the classes, by the probabilities; rules take no part in them."""
        if self._has_own_probabilities:
            return log_odds(log_response[:, 0])
        found: np.ndarray = self._task.decision_function(log_response)
        return found

    def score(self, column: Column, response: np.ndarray, weight: np.ndarray) -> float:
        """Return the default score of the task, of the classes that were decided."""
        certain = np.eye(len(self._task.classes))[self._codes(response)]
        return float(self._task.score(column, certain[:, None, -self._task.loss.width :], weight))

    def _codes(self, response: np.ndarray) -> np.ndarray:
        codes: np.ndarray = self._task.codes(self._task.classes)[response[:, 0, -1].astype(np.intp)]
        return codes
