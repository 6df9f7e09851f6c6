"""The methods of an estimator that only some tasks have; where it lacks one, the error says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from types import MethodType
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor

from sklearn_mtl.estimators.fitted import FittedEstimator
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
        Takes the estimator, and raises an ``AttributeError`` that says why the method is not there.
    """

    def __init__(self, method: Callable[..., Any], check: Callable[[Any], None]) -> None:
        self._method = method
        self._check = check
        update_wrapper(self, method)  # type: ignore[arg-type]

    def __get__(self, estimator: Any, owner: type | None = None) -> Callable[..., Any]:
        """Return the method of an estimator; of the class, the function."""
        if estimator is None:
            return self._method
        self._check(estimator)
        return MethodType(self._method, estimator)


def available_where(check: Callable[[Any], None]) -> Callable[[Callable[..., Any]], Any]:
    """Make a method available only where a check raises nothing.

    Parameters
    ----------
    check : callable
        Takes the estimator, and raises an ``AttributeError`` that says why the method is not there.

    Examples
    --------
    >>> def has_tea(pot):
    ...     if not pot.tea:
    ...         raise AttributeError("`pour` needs tea.")
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


def check_probabilities(estimator: FittedEstimator) -> None:
    """Raise an ``AttributeError`` if no task has, or may come to have, probabilities."""
    if is_regressor(estimator) or _lacks(estimator, lambda task: task.has_probabilities):
        raise AttributeError(
            _needs(estimator, "predict_proba", "a task with classes, such as a classification")
        )


def check_intervals(estimator: FittedEstimator) -> None:
    """Raise an ``AttributeError`` if no task has, or may come to have, intervals."""
    if is_classifier(estimator) or _lacks(estimator, lambda task: task.has_interval):
        wanted = "a regression with loss='quantile' or loss='gaussian_nll'"
        raise AttributeError(_needs(estimator, "predict_interval", wanted))


def _lacks(estimator: FittedEstimator, has: Callable[[Task], bool]) -> bool:
    fitted = getattr(estimator, "tasks_", None)
    return fitted is not None and not any(has(task) for task in fitted.values())


def _needs(estimator: FittedEstimator, method: str, wanted: str) -> str:
    fitted: Mapping[str, Task] = getattr(estimator, "tasks_", {})
    kinds = [f"{name!r} ({task.kind}, {type(task.loss).__name__})" for name, task in fitted.items()]
    shown = [*kinds[:MOST_NAMED], *(["..."] if len(kinds) > MOST_NAMED else [])]
    found = f" Found {', '.join(shown)}." if shown else ""
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
        raise ValueError(f"`coverage` must be a number between 0 and 1. Found {coverage!r}.")
    return {name: task.interval(parts[name], coverage) for name, task in tasks.items() if task.has_interval}
