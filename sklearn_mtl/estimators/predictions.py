"""What an estimator predicts of those tasks that have it; where none has, the error says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from types import MethodType
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor

from sklearn_mtl.estimators.task_estimator import TaskEstimator
from sklearn_mtl.messages import shown
from sklearn_mtl.tasks import Task

# Tasks in a message.
MOST_NAMED = 10


class AvailableWhere:
    """A method that is there only where a check lets it be.

    scikit-learn's ``available_if`` does the same, but the last line of its error names the class and the
    method alone, and what the check has to say stands far above it.

    Parameters
    ----------
    method : callable
        The method, as a function of the estimator.
    check : callable
        Takes the estimator and the name of the method, and raises an ``AttributeError`` that says why the
        method is not there.
    """

    def __init__(self, method: Callable[..., Any], check: Callable[[Any, str], None]) -> None:
        self._method = method
        self._check = check
        update_wrapper(self, method)  # type: ignore[arg-type]

    def __get__(self, estimator: Any, owner: type | None = None) -> Callable[..., Any]:
        """Return the method of an estimator; of the class, the function."""
        if estimator is None:
            return self._method
        self._check(estimator, self._method.__name__)
        return MethodType(self._method, estimator)


def available_where(check: Callable[[Any, str], None]) -> Callable[[Callable[..., Any]], Any]:
    """Make a method available only where a check raises nothing.

    Parameters
    ----------
    check : callable
        Takes the estimator and the name of the method, and raises an ``AttributeError`` that says why the
        method is not there.

    Examples
    --------
    >>> def has_tea(pot, method):
    ...     if not pot.tea:
    ...         raise AttributeError(f"`{method}` needs tea.")
    >>> class Pot:
    ...     tea = False
    ...     @available_where(has_tea)
    ...     def pour(self):
    ...         return "a cup"
    >>> hasattr(Pot(), "pour")
    False
    >>> Pot().pour()
    Traceback (most recent call last):
    AttributeError: `pour` needs tea.
    """
    return lambda method: AvailableWhere(method, check)


def check_probabilities(estimator: TaskEstimator, method: str) -> None:
    """Raise an ``AttributeError`` if no task has, or may come to have, probabilities."""
    if is_regressor(estimator) or _lacks(estimator, lambda task: task.has_probabilities):
        raise AttributeError(_needs(estimator, method, "a task with classes, such as a classification"))


def check_log_odds(estimator: TaskEstimator, method: str) -> None:
    """Raise an ``AttributeError`` if no task has probabilities, or y was two-dimensional.

    To scikit-learn, ``decision_function`` of such a y goes with one array of probabilities and one of
    classes; here both are lists, as those of its forests, which have no ``decision_function``.
    """
    check_probabilities(estimator, method)
    fitted = getattr(estimator, "_fitted", None)
    if fitted is not None and fitted.layout.kind == "2d":
        raise AttributeError(
            f"`{method}` of {type(estimator).__name__} needs a y of one dimension, or of named tasks; each "
            f"task of any y has it, est.task({fitted.tasks.names[0]!r}).{method}(X). Found a y of two "
            "dimensions."
        )


def check_intervals(estimator: TaskEstimator, method: str) -> None:
    """Raise an ``AttributeError`` if no task has, or may come to have, intervals."""
    if is_classifier(estimator) or _lacks(estimator, lambda task: task.has_interval):
        wanted = "a regression with loss='quantile' or loss='gaussian_nll'"
        raise AttributeError(_needs(estimator, method, wanted))


def _lacks(estimator: TaskEstimator, has: Callable[[Task], bool]) -> bool:
    fitted = getattr(estimator, "tasks_", None)
    return fitted is not None and not any(has(task) for task in fitted.values())


def _needs(estimator: TaskEstimator, method: str, wanted: str) -> str:
    fitted: Mapping[str, Task] = getattr(estimator, "tasks_", {})
    kinds = [f"{shown(name)} ({task.kind}, {type(task.loss).__name__})" for name, task in fitted.items()]
    first = [*kinds[:MOST_NAMED], *(["..."] if len(kinds) > MOST_NAMED else [])]
    found = f" Found {', '.join(first)}." if first else ""
    return f"`{method}` of {type(estimator).__name__} needs {wanted}.{found}"


def intervals(
    tasks: Mapping[str, Any], parts: Mapping[str, np.ndarray], coverage: float
) -> dict[str, np.ndarray]:
    """Return the interval of every task that has one.

    Parameters
    ----------
    tasks : mapping of str to Task
        The tasks.
    parts : mapping of str to ndarray
        Averaged responses by task.
    coverage : float
        Share of labels that the intervals should hold, in (0, 1).
    """
    if not 0 < coverage < 1:
        raise ValueError(f"`coverage` must be a number between 0 and 1. Found {shown(coverage)}.")
    return {name: task.interval(parts[name], coverage) for name, task in tasks.items() if task.has_interval}


class PredictsByTask(TaskEstimator):
    """Predicts by task what only some tasks have."""

    @available_where(check_probabilities)
    def predict_proba(self, X: Any) -> Any:
        """Predict class probabilities of the tasks that have classes.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.

        Returns
        -------
        MultiTaskTarget
            By task, float64 of shape (n_rows, n_classes), columns as in ``classes_``; for a multilabel
            task (n_rows, n_labels), the probability of each label. For a one-dimensional y that array
            itself, for a two-dimensional y a list of them.
        """
        now = self._as_of_now()
        return now._of_classes("predict_proba", now._responses(X)[0])

    @available_where(check_probabilities)
    def predict_log_proba(self, X: Any) -> Any:
        """Predict the logarithms of the class probabilities of the tasks that have classes.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.

        Returns
        -------
        MultiTaskTarget
            The logarithms of what ``predict_proba`` returns, in its containers. They are computed from the
            logits of the networks, and are finite also where a probability is 0.
        """
        now = self._as_of_now()
        return now._of_classes("predict_log_proba", now._log_responses(X))

    @available_where(check_log_odds)
    def decision_function(self, X: Any) -> Any:
        """Predict the log-odds of the classes of the tasks that have classes.

        Log-odds are ``log(p / (1 - p))``, computed from the logits of the networks: they are finite, and rank
        rows also where probabilities are 0 or 1 to all digits.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.

        Returns
        -------
        MultiTaskTarget
            By task, float64: for two classes of shape (n_rows,), the log-odds of the second; for more of
            shape (n_rows, n_classes), columns as in ``classes_``; for a multilabel task (n_rows, n_labels),
            the log-odds of each label. For a one-dimensional y that array itself. With a two-dimensional y
            the estimator has no such method, and the view of each task has it.

        Notes
        -----
        ``predict`` gives the class of the largest log-odds, or the second of two classes where they are above
        0. That is so with class weights too, which ``predict_proba`` takes out of its probabilities and this
        method does not. An ordinal task predicts its median class instead, which may be another.
        """
        now = self._as_of_now()
        return now._of_classes("decision_function", now._log_responses(X))

    @available_where(check_intervals)
    def predict_interval(self, X: Any, coverage: float = 0.9) -> Any:
        """Predict central intervals of the regression tasks with a quantile or Gaussian loss.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.
        coverage : float, default=0.9
            Share of labels that the interval should hold, in (0, 1). A quantile task must have both
            its ends among its quantiles.

        Returns
        -------
        MultiTaskTarget
            By task, float64 of shape (n_rows, 2), or (n_rows, n_outputs, 2): lower and upper end, in
            the units of the labels. For a one-dimensional y that array itself, for a two-dimensional y
            a list of them.
        """
        now = self._as_of_now()
        parts, _ = now._responses(X)
        return now._fitted.layout.restore_blocks(intervals(now.tasks_, parts, coverage))

    def _of_classes(self, method: str, responses: Mapping[str, np.ndarray]) -> Any:
        """Return what a method of the tasks makes of their responses, of those that have probabilities."""
        found = {
            name: getattr(task, method)(responses[name])
            for name, task in self.tasks_.items()
            if task.has_probabilities
        }
        return self._fitted.layout.restore_blocks(found)
