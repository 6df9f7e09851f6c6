"""The score of each task, by its default metric or by any."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sklearn_mtl.estimators.metrics import by_task, name_of, scorer_of, several
from sklearn_mtl.estimators.scored_rows import ScoredRows

if TYPE_CHECKING:
    from sklearn_mtl.estimators.base import BaseMultiTask


def score_by_task(estimator: BaseMultiTask, X: Any, y: Any, sample_weight: Any, *, every: bool) -> pd.Series:
    """Return the default score of each task.

    Parameters
    ----------
    estimator : BaseMultiTask
        Fitted.
    X, y, sample_weight
        As the user gave them.
    every : bool
        Whether y must have all tasks.

    Returns
    -------
    Series of float64
        By task; ``attrs["metrics"]`` says of each which metric it is.
    """
    rows = ScoredRows.read(estimator, X, y, sample_weight)
    tasks = _tasks_of(rows, every=every)
    scores = pd.Series({task: rows.default_score(task) for task in tasks}, dtype=np.float64)
    _warn_of_undefined([task for task, known in zip(tasks, scores.notna(), strict=True) if not known])
    scores.attrs["metrics"] = {task: estimator.tasks_[task].loss.metric for task in tasks}
    return scores


def score_by_metric(estimator: BaseMultiTask, X: Any, y: Any, sample_weight: Any, metrics: Any) -> pd.Series:
    """Return the score of each task by each of its metrics.

    Parameters
    ----------
    estimator : BaseMultiTask
        Fitted.
    X, y, sample_weight
        As the user gave them.
    metrics : metric, sequence of metrics, or mapping from task to these
        A metric as of `scorer_of`.

    Returns
    -------
    Series of float64
        By task and metric.
    """
    rows = ScoredRows.read(estimator, X, y, sample_weight)
    asked = by_task(metrics, _tasks_of(rows, every=False))
    found: dict[tuple[str, str], float] = {}
    for task, of_task in asked.items():
        default = estimator.tasks_[task].loss.metric
        for metric in of_task if several(of_task) else [of_task]:
            name = name_of(metric, default)
            if (task, name) in found:
                raise ValueError(
                    f"`metrics` must have different names. Found {name!r} of task {task!r} twice."
                )
            found[task, name] = rows.score(task, metric, scorer_of(task, metric))
    if not found:
        raise ValueError("`metrics` must name at least one metric of one task. Found none.")
    _warn_of_undefined(list(dict.fromkeys(task for (task, _), score in found.items() if np.isnan(score))))
    index = pd.MultiIndex.from_tuples(found, names=["task", "metric"])
    return pd.Series(list(found.values()), index, dtype=np.float64)


def _tasks_of(rows: ScoredRows, *, every: bool) -> list[str]:
    """Return the tasks of y, in the order of the estimator's."""
    tasks, given = list(rows.estimator.tasks_), rows.targets.columns
    # The columns of an array have no names: of fewer, nobody knows which they are.
    every = every or rows.targets.layout.kind in ("1d", "2d")
    if set(given) - set(tasks) or (every and len(given) < len(tasks)):
        raise ValueError(
            f"y must have the tasks of `fit`, {tasks}. Found {list(given)}; `score_tasks` also takes some of "
            "them, by name."
        )
    return [task for task in tasks if task in given]


def _warn_of_undefined(tasks: Sequence[str]) -> None:
    if tasks:
        warnings.warn(
            f"These rows have too few labels of the tasks {list(tasks)}, which are left out of the score.",
            stacklevel=4,
        )
