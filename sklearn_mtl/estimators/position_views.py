"""Labels and predictions of all labelled positions, one after the other, as metrics of classes take them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if

from sklearn_mtl.estimators.metrics import Scorer
from sklearn_mtl.estimators.scikit_learn_private import metric_of
from sklearn_mtl.estimators.task_view import TaskView
from sklearn_mtl.targets import Column, positions_of
from sklearn_mtl.tasks import Task


def compares_positions(task: Task, scorer: Scorer | None) -> bool:
    """Whether a scorer gets the labels of positions one by one: those of scikit-learn's own metrics do.

    Other functions get rows, of which each holds the labels of its positions.

    Parameters
    ----------
    task : Task
        The task that is scored.
    scorer : callable or None
        The scorer; None is the default score.
    """
    module = getattr(metric_of(scorer), "__module__", None) or ""
    return bool(task.position_axes) and module.partition(".")[0] == "sklearn"


class PositionsView(ClassifierMixin, BaseEstimator):
    """The view of a task whose rows are the labelled positions of given rows.

    Parameters
    ----------
    view : TaskView
        The fitted view of a task with a label for each position.
    X : object
        The rows.
    response : ndarray of shape (n_rows, n_positions, width)
        The averaged response to them, NaN where a row has no position.
    column : Column
        Their labels.
    log_odds : bool
        Whether it has ``decision_function``, for which the rows go through the network again.

    Attributes
    ----------
    labels : ndarray of shape (n_labels,)
        The labels that are there, row after row.
    n_labels : ndarray of int, shape (n_rows,)
        How many of them each row has.
    """

    def __init__(self, view: TaskView, X: Any, response: np.ndarray, column: Column, log_odds: bool) -> None:
        given, self._task = positions_of(column), view._task
        self._view, self._X, self._response, self._log_odds = view, X, response, log_odds
        self._real = ~np.isnan(response[..., 0])
        shared = min(self._real.shape[1], given.values.shape[1])
        self._known = np.zeros_like(self._real)
        self._known[:, :shared] = ~given.missing[:, :shared]
        labels = given.values[:, :shared][self._known[:, :shared]]
        self.labels = self._task.of_position.matched(labels)
        self.n_labels = self._known.sum(axis=1)
        self.classes_ = self._task.classes

    def predict(self, X: Any) -> np.ndarray:
        """Return the predicted class of each labelled position."""
        return self._of_labelled(self._task.predict(self._response))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities of each labelled position, shape (n_labels, n_classes)."""
        return self._of_labelled(self._task.predict_proba(self._response))

    @available_if(lambda self: self._log_odds)
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the log-odds of each labelled position."""
        task, log_response = self._view._log_response(self._X)
        return self._of_labelled(task.decision_function(log_response))

    def _of_labelled(self, by_row: Any) -> np.ndarray:
        """Return of what a task has for each position what it has for those with a label."""
        axes = self._task.position_axes
        rows = [row.reshape(-1, *row.shape[axes:]) for row in by_row]
        found: np.ndarray = np.concatenate(rows)[self._known[self._real]]
        return found
