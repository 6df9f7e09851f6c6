"""The score of each task, by its default metric or by any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.estimators.metrics import are_several, metric_name, metrics_by_task, scorer_of
from sklearn_mtl.estimators.scored_rows import ScoredRows
from sklearn_mtl.estimators.task_estimator import TaskEstimator
from sklearn_mtl.messages import shown


class ScoresByTask(TaskEstimator):
    """Scores all tasks as one number, and each by itself."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the mean over tasks of their default scores, such as R² or accuracy.

        Task weights take no part: a search over them would reward itself.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.
        y : mapping, DataFrame or array-like
            True labels; missing ones are left out.
        sample_weight : array-like of shape (n_rows,), or mapping or DataFrame by task, optional
            Weights of the rows.

        Returns
        -------
        float
            The mean. Tasks without a label in these rows are left out, with a warning.
        """
        _, scores = _default_scores(self, X, y, sample_weight, every=True)
        known = [score for score in scores.values() if not np.isnan(score)]
        return float(np.mean(known)) if known else float("nan")

    def score_tasks(self, X: Any, y: Any, sample_weight: Any = None, *, metrics: Any = None) -> pd.Series:
        """Return the score of each task.

        Parameters
        ----------
        X, sample_weight
            As in `score`.
        y : mapping, DataFrame or array-like
            True labels of all tasks, or of some by name; missing ones are left out.
        metrics : str, callable, sequence of these, or mapping from task to these, optional
            A scorer or its name, as in scikit-learn, or a function ``metric(y_true, y_pred)``.
            None is the default metric of the task's kind, such as R² or accuracy.

        Returns
        -------
        pandas.Series of float64
            The scores by task and metric where metrics are given; otherwise by task, the metrics being
            named in ``attrs["metrics"]``. A task without a label in these rows scores nan, with a warning.

        Raises
        ------
        ValueError
            If y or ``metrics`` names another task, or a metric can't take a task of this kind.
        """
        if metrics is None:
            return score_by_task(self, X, y, sample_weight)
        return score_by_metric(self, X, y, sample_weight, metrics)


def score_by_task(estimator: TaskEstimator, X: Any, y: Any, sample_weight: Any) -> pd.Series:
    """Return the default score of each task.

    Parameters
    ----------
    estimator : TaskEstimator
        The estimator, fitted.
    X, y, sample_weight
        Features, labels and weights as the user gave them.

    Returns
    -------
    Series of float64
        The scores by task; ``attrs["metrics"]`` names the metric of each.
    """
    rows, found = _default_scores(estimator, X, y, sample_weight, every=False)
    scores = pd.Series(list(found.values()), index=list(found), dtype=np.float64)
    # A task that its fold left out has no metric, as it has no score.
    scores.attrs["metrics"] = {
        task: rows.estimator.tasks_[task].metric for task in found if task not in rows.left_out
    }
    return scores


def _default_scores(
    estimator: TaskEstimator, X: Any, y: Any, sample_weight: Any, *, every: bool
) -> tuple[ScoredRows, dict[str, float]]:
    """Return the rows, and the default scores by task, nan where there is none."""
    rows = ScoredRows.read(estimator, X, y, sample_weight)
    tasks = _tasks_of(rows, every=every)
    scores = {task: rows.default_score(task) for task in tasks}
    rows.warn_of_unknown_labels(tasks)
    _warn_of_undefined(rows, [task for task, score in scores.items() if np.isnan(score)])
    return rows, scores


def score_by_metric(estimator: TaskEstimator, X: Any, y: Any, sample_weight: Any, metrics: Any) -> pd.Series:
    """Return the score of each task by each of its metrics.

    Parameters
    ----------
    estimator : TaskEstimator
        The estimator, fitted.
    X, y, sample_weight
        Features, labels and weights as the user gave them.
    metrics : metric, sequence of metrics, or mapping from task to these
        A metric is what `scorer_of` takes.

    Returns
    -------
    Series of float64
        The scores by task and metric.
    """
    rows = ScoredRows.read(estimator, X, y, sample_weight)
    asked = metrics_by_task(metrics, _tasks_of(rows, every=False))
    found: dict[tuple[str, str], float] = {}
    for task, of_task in asked.items():
        default = "score" if task in rows.left_out else rows.estimator.tasks_[task].metric
        for metric in of_task if are_several(of_task) else [of_task]:
            name = metric_name(metric, default)
            if (task, name) in found:
                raise ValueError(
                    f"`metrics` must have different names. Found {shown(name)} of task {shown(task)} twice."
                )
            found[task, name] = rows.score(task, metric, scorer_of(task, metric))
    if not found:
        raise ValueError("`metrics` must name at least one metric of one task. Found none.")
    undefined = dict.fromkeys(task for (task, _), score in found.items() if np.isnan(score))
    rows.warn_of_unknown_labels(asked)
    _warn_of_undefined(rows, list(undefined))
    index = pd.MultiIndex.from_tuples(found, names=["task", "metric"])
    return pd.Series(list(found.values()), index, dtype=np.float64)


def _tasks_of(rows: ScoredRows, *, every: bool) -> list[str]:
    """Return the tasks of y, in the order of the estimator's."""
    tasks, given = rows.tasks, rows.targets.columns
    # The columns of an array have no names: nobody knows which ones fewer columns are.
    every = every or rows.targets.layout.kind in ("1d", "2d")
    missing = [task for task in tasks if task not in given] if every else []
    if missing or set(given) - set(tasks):
        lacks = f", without {missing}; `score_tasks` takes some tasks, by name" if missing else ""
        raise ValueError(f"y must have the tasks of `fit`, {tasks}. Found {shown(list(given))}{lacks}.")
    return [task for task in tasks if task in given]


def _warn_of_undefined(rows: ScoredRows, tasks: Sequence[str]) -> None:
    # The fit has warned of what its fold left out.
    tasks = [task for task in tasks if task not in rows.left_out]
    if tasks:
        warn_caller(
            f"These rows have too few labels of the tasks {tasks}, which are left out of the score.",
        )
