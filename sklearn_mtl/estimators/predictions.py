"""From averaged responses to what the methods of the estimators return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import is_classifier, is_regressor

from sklearn_mtl.tasks import RegressionTask, Task

if TYPE_CHECKING:
    from sklearn_mtl.estimators.base import BaseMultiTask


def has_probabilities(estimator: BaseMultiTask) -> bool:
    """Whether the estimator has, or may come to have, a task with probabilities."""
    if is_regressor(estimator):
        return False
    fitted = getattr(estimator, "tasks_", None)
    return fitted is None or any(hasattr(task, "predict_proba") for task in fitted.values())


def has_intervals(estimator: BaseMultiTask) -> bool:
    """Whether the estimator has, or may come to have, a task with intervals."""
    if is_classifier(estimator):
        return False
    fitted = getattr(estimator, "tasks_", None)
    return fitted is None or any(getattr(task, "has_interval", False) for task in fitted.values())


def intervals(
    tasks: Mapping[str, Task], parts: Mapping[str, np.ndarray], coverage: float
) -> dict[str, np.ndarray]:
    """Return the interval of every task that has one.

    Parameters
    ----------
    tasks : mapping of str to Task
        The tasks.
    parts : mapping of str to ndarray
        Averaged responses by task.
    coverage : float
        Share of labels that the intervals should hold.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"`coverage` must be a number between 0 and 1. Found {coverage!r}.")
    return {
        name: task.interval(parts[name], coverage)
        for name, task in tasks.items()
        if isinstance(task, RegressionTask) and task.has_interval
    }
