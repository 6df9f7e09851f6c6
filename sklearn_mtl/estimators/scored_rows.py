"""Rows to be scored: the labels of each task beside the responses of the network, which runs once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any, Self

import numpy as np
from sklearn.metrics import d2_log_loss_score, log_loss
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if

from sklearn_mtl.estimators.kinds import warn_of_other_kinds
from sklearn_mtl.estimators.label_warnings import warn_of_other_order, warn_of_unknown_labels
from sklearn_mtl.estimators.metrics import Metric, Scorer, in_words, scorer_takes_weights
from sklearn_mtl.estimators.position_views import PositionsView, compares_positions
from sklearn_mtl.estimators.rows import read_sample_weight
from sklearn_mtl.estimators.scikit_learn_private import (
    metric_arguments,
    metric_of,
    response_method_of,
    take_rows,
    with_arguments,
)
from sklearn_mtl.estimators.task_estimator import TaskEstimator
from sklearn_mtl.estimators.task_view import TaskView, view_of
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, Targets, read_column, read_targets


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """Labelled rows with the responses of a fitted estimator.

    Parameters
    ----------
    estimator : TaskEstimator
        The estimator, fitted.
    X : object
        Features as this estimator takes them.
    targets : Targets
        Labels by task, as y has them.
    weight : ndarray of float64, shape (n_rows, n_tasks)
        Sample weights, tasks as in ``tasks``.
    weighted : bool
        Whether the user gave any weights.
    responses : mapping of str to ndarray
        Averaged responses by task.
    """

    estimator: TaskEstimator
    X: Any
    targets: Targets
    weight: np.ndarray
    weighted: bool
    responses: Mapping[str, np.ndarray]

    @classmethod
    def read(cls, estimator: TaskEstimator, X: Any, y: Any, sample_weight: Any) -> Self:
        """Return the rows, having run the network over them once.

        Parameters
        ----------
        estimator : TaskEstimator
            The estimator, fitted.
        X, y, sample_weight
            Features, labels and weights as the user gave them.
        """
        warn_of_other_order(X, {"y": y, "sample_weight": sample_weight})
        estimator = estimator._as_of_now()
        responses, _ = estimator._responses(X)
        n_rows = len(next(iter(responses.values())))
        names = estimator._fitted.all_tasks
        weight = np.broadcast_to(read_sample_weight(sample_weight, names, n_rows), (n_rows, len(names)))
        targets = read_targets(y, n_rows=n_rows)
        taken = {name: task.kind for name, task in estimator.tasks_.items()}
        warn_of_other_kinds(estimator._fitted.seen, taken, targets.columns)
        return cls(estimator, X, targets, weight, sample_weight is not None, responses)

    @property
    def tasks(self) -> list[str]:
        """The tasks of the estimator, and then those that it left out."""
        return self.estimator._fitted.all_tasks

    def check_known(self) -> None:
        """Raise a ``ValueError`` where y has a task that the estimator has not learned."""
        known = self.estimator.tasks_
        unknown = [name for name in self.targets.columns if name not in known]
        if unknown:
            raise ValueError(
                f"y must hold tasks of the estimator, {shown(list(known))}. Found {shown(unknown)}."
            )

    @property
    def left_out(self) -> Sequence[str]:
        """Tasks without a label in the fold that the estimator was fitted to: they have no score."""
        return self.estimator._fitted.left_out

    def default_score(self, task: str) -> float:
        """Return the task's own default score over the rows that have a label of it; nan where none has."""
        column = self._labels(task)
        if task in self.left_out:
            return float("nan")
        return float(self.estimator.tasks_[task].score(column, self.responses[task], self._weight(task)))

    def score(self, task: str, metric: Metric, scorer: Scorer | None) -> float:
        """Return the score of one task over the rows that have a label of it; nan where none has.

        Parameters
        ----------
        task : str
            The task.
        metric : str, callable or None
            The metric as the user gave it, for messages.
        scorer : callable or None
            The scorer that the metric stands for; None is the task's own default score.
        """
        if scorer is None:
            return self.default_score(task)
        column, weight = self._labels(task), self._weight(task)
        if not self.has_rows(task, scorer):
            return float("nan")
        rows = np.flatnonzero(self._compared(task, scorer))
        every = len(rows) == len(column)
        X = self.X if every else take_rows(self.X, rows)
        log_odds = "predict_proba" not in _methods_of(scorer)
        bound, response = self.estimator.tasks_[task], self.responses[task][rows]
        bound.check_response(column, self.responses[task])
        view: Any = view_of(self.estimator, task)
        if compares_positions(bound, scorer):
            view = PositionsView(view, X, response, column.take(rows), log_odds)
            labels, weight = view.labels, np.repeat(weight[rows], view.n_labels)
        else:
            view = PredictedView(view, X, response, log_odds)
            labels, weight = bound.matched(column.given[rows]), weight[rows]
        _check_predicts(task, metric, scorer, view)
        metadata = {"sample_weight": weight} if self.weighted and scorer_takes_weights(scorer) else {}
        try:
            return float(_with_all_classes(scorer, view)(view, X, labels, **metadata))
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{_rule(task, view)} Found {in_words(metric)}, which raised {type(error).__name__}: {error}"
            ) from error

    def has_rows(self, task: str, scorer: Scorer | None) -> bool:
        """Whether there are rows to score the task on: labelled, and of positive weight."""
        if task in self.left_out:
            return False
        return bool((self._compared(task, scorer) & (self._weight(task) > 0)).any())

    def _compared(self, task: str, scorer: Scorer | None) -> np.ndarray:
        """Rows with a label; with every label for a metric, unless it is one that gets them one by one."""
        column = self._labels(task)
        one_by_one = scorer is None or compares_positions(self.estimator.tasks_[task], scorer)
        return column.has_label if one_by_one else column.complete

    def warn_of_unknown_labels(self, tasks: Iterable[str]) -> None:
        """Warn if many labels of these tasks are none of the classes."""
        known = [task for task in tasks if task not in self.left_out]
        warn_of_unknown_labels(
            ((self.estimator.tasks_[task], self._labels(task), self._weight(task)) for task in known),
        )

    def _labels(self, task: str) -> Column:
        if task not in self._places:
            raise ValueError(
                f"A scorer's task must be one of the estimator's tasks {self.tasks}. Found {shown(task)}."
            )
        if task not in self.targets.columns:
            raise ValueError(
                f"y must hold task {shown(task)}, which is scored. Found {shown(list(self.targets.columns))}."
            )
        column = self.targets.columns[task]
        if task not in self.left_out:
            self.estimator.tasks_[task].check_shape(column)
        return column

    def _weight(self, task: str) -> np.ndarray:
        return self.weight[:, self._places[task]]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {task: place for place, task in enumerate(self.tasks)}


class PredictedView:
    """The view of a task, whose response to the rows to be scored is known.

    Metrics take arrays of numpy: predictions that are categories, nullable integers and the like are turned
    into such, as those of y are. In everything else this is the view.
    It has no log-odds unless it is told so: a scorer that takes probabilities as well goes by these.

    Parameters
    ----------
    view : TaskView
        The fitted view.
    X : object
        Rows whose response is known; others go through the network.
    response : ndarray
        The averaged response to them.
    log_odds : bool, default=False
        Whether it has ``decision_function``, for which the rows go through the network again.
    """

    def __init__(self, view: TaskView, X: Any, response: np.ndarray, log_odds: bool = False) -> None:
        self._view = view
        self._X = X
        self._known = response
        self._log_odds = log_odds

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions as numpy holds them."""
        task, response = self._response(X)
        return read_column(self._view.name, task.predict(response)).given

    @available_if(lambda self: hasattr(self._view, "predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, shape (n_rows, n_classes)."""
        task, response = self._response(X)
        found: np.ndarray = task.predict_proba(response)
        return found

    def _response(self, X: Any) -> tuple[Any, np.ndarray]:
        return (self._view._task, self._known) if X is self._X else self._view._response(X)

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the view."""
        return self._view.__sklearn_tags__()

    def __getattr__(self, name: str) -> Any:
        """Return what the view has; also ``fit``, by which scikit-learn knows an estimator."""
        # A copy that is being made has no view yet.
        if name == "_view" or (name == "decision_function" and not self._log_odds):
            raise AttributeError(name)
        return getattr(self._view, name)


def _rule(task: str, view: PredictedView | PositionsView) -> str:
    return f"The metric of task {shown(task)} must be one for its kind, {view._task.kind}."


def _check_predicts(task: str, metric: Metric, scorer: Scorer, view: PredictedView | PositionsView) -> None:
    """Raise a ``ValueError`` where a scorer asks for what the task does not predict."""
    asked = _methods_of(scorer)
    if not any(hasattr(view, method) for method in asked):
        needs = "probabilities" if "predict_proba" in asked else " or ".join(asked)
        raise ValueError(f"{_rule(task, view)} Found {in_words(metric)}, which needs {needs}: it has none.")
    if view._task.kind == "multilabel" and metric_of(scorer) in (log_loss, d2_log_loss_score):
        raise ValueError(
            f"{_rule(task, view)} Found {in_words(metric)}, which takes classes that exclude each other."
        )


def _methods_of(scorer: Scorer) -> list[str]:
    """Return the methods that a scorer takes, the first that an estimator has."""
    found: list[str] = np.atleast_1d(response_method_of(scorer)).tolist()
    return found


def _with_all_classes(scorer: Any, view: PredictedView | PositionsView) -> Scorer:
    """Return the scorer such that its metric knows all classes, also those that these rows lack."""
    function, classes = metric_of(scorer), getattr(view, "classes_", None)
    if function is None or not isinstance(classes, np.ndarray):
        return scorer
    asks = _methods_of(scorer) == ["predict_proba"]
    if not asks or "labels" in metric_arguments(scorer) or "labels" not in signature(function).parameters:
        return scorer
    found: Scorer = with_arguments(scorer, labels=classes)
    return found
