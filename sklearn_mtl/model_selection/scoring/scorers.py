"""Scorers of one task, and of several tasks as one number, that scikit-learn takes wherever it scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.estimators.metrics import (
    Metric,
    are_several,
    check_metric,
    metric_name,
    metrics_by_task,
    resolved,
    takes_weights,
)
from sklearn_mtl.estimators.scored_rows import ScoredRows
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import KINDS, TaskKind


class TaskScorer(BaseEstimator):
    """Scores one task; `task_scorer` makes it.

    It has parameters, so that it is cloned and printed like an estimator, and metadata requests, so that
    sample weights can be routed to it.
    """

    # `score` is the routed method, and its `estimator` no metadata.
    __metadata_request__score = {"estimator": UNUSED}  # noqa: RUF012 - scikit-learn reads it off the class

    def __init__(self, task: str, scoring: Metric = None) -> None:
        self.task = task
        self.scoring = scoring

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the score; higher is better."""
        return self.score(estimator, X, y, sample_weight)

    def score(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the score; higher is better.

        Parameters
        ----------
        estimator : object
            A fitted multi-task estimator, or a Pipeline, search or other estimator around one.
        X, y, sample_weight
            As in ``score`` of the estimator.
        """
        rows = _rows(estimator, X, y, sample_weight)
        scorer = resolved(self.scoring)
        if not rows.has_rows(self.task, scorer) and self.task not in rows.left_out:
            warn_caller(
                f"Task {shown(self.task)} has no labelled row of positive weight among these "
                f"{len(rows.weight)} rows: its score is nan."
            )
        score = rows.score(self.task, self.scoring, scorer)
        rows.warn_of_unknown_labels([self.task])
        return score

    def _accept_sample_weight(self) -> bool:
        """Whether the metric takes weights: scikit-learn asks before it passes them."""
        return takes_weights(self.scoring)


class MultiTaskScorer(BaseEstimator):
    """Scores several tasks as one number, their weighted mean; `multitask_scorer` makes it."""

    __metadata_request__score = {"estimator": UNUSED}  # noqa: RUF012 - scikit-learn reads it off the class

    def __init__(self, scoring: Mapping[str, Metric], weights: Mapping[str, float] | None = None) -> None:
        self.scoring = scoring
        self.weights = weights

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the weighted mean; higher is better."""
        return self.score(estimator, X, y, sample_weight)

    def score(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the weighted mean; higher is better.

        Parameters
        ----------
        estimator : object
            A fitted multi-task estimator, or a Pipeline, search or other estimator around one.
        X, y, sample_weight
            As in ``score`` of the estimator.
        """
        rows = _rows(estimator, X, y, sample_weight)
        weights = {task: float((self.weights or {}).get(task, 1.0)) for task in self.scoring}
        scores = {
            task: rows.score(task, scoring, resolved(scoring))
            for task, scoring in self.scoring.items()
            if weights[task] > 0
        }
        rows.warn_of_unknown_labels(scores)
        undefined = [task for task, score in scores.items() if np.isnan(score)]
        # The fit has warned of tasks that it left out.
        if set(undefined) - set(rows.left_out):
            warn_caller(
                f"The tasks {undefined} have no score in these {len(rows.weight)} rows, for want of labels "
                "of positive weight or of classes, and are left out of the mean."
            )
        defined = [task for task in scores if task not in undefined]
        if not defined:
            return float("nan")
        return float(np.average([scores[t] for t in defined], weights=[weights[t] for t in defined]))

    def _accept_sample_weight(self) -> bool:
        """Whether any metric takes weights: scikit-learn asks before it passes them."""
        return any(takes_weights(scoring) for scoring in self.scoring.values())


def check_scored(scoring: Any, y: Any) -> None:
    """Raise a ``ValueError`` where a scorer of this module scores a task that is not in y.

    Parameters
    ----------
    scoring : object
        What a search was given; which tasks other scorers score is not known.
    y : mapping, DataFrame or array-like
        Labels by task.
    """
    scorers = scoring.values() if isinstance(scoring, Mapping) else [scoring]
    scored = [
        [one.task] if isinstance(one, TaskScorer) else list(one.scoring)
        for one in scorers
        if isinstance(one, TaskScorer | MultiTaskScorer)
    ]
    if not scored:
        return
    tasks = list(read_targets(y).columns)
    unknown = [task for task in dict.fromkeys(chain(*scored)) if task not in tasks]
    if unknown:
        raise ValueError(f"`scoring` names unknown tasks {shown(unknown)}; the tasks are {tasks}.")


def task_scorer(task: str, scoring: Metric = None) -> TaskScorer:
    """Return a scorer of one task, for searches, cross-validation and whatever takes a scorer.

    Parameters
    ----------
    task : str
        Name of the task; y0, y1, … for a two-dimensional array, y for a one-dimensional one.
    scoring : str, callable or None, default=None
        Name of a scikit-learn scorer (``sklearn.metrics.get_scorer_names``), a scorer made by
        ``make_scorer``, or a callable of estimator, X and y, which is given the view of the task as
        estimator. None stands for the task's own default score, such as R² or accuracy.

    Returns
    -------
    callable
        ``scorer(estimator, X, y, sample_weight=None)`` returns a float, higher is better. The estimator
        may be a Pipeline or a search around the multi-task estimator. Sample weights, one for each row or by
        task, are passed to metrics that take them; with metadata routing, request them by
        ``set_score_request(sample_weight=True)``.

    Warns
    -----
    UserWarning
        If no row has a label of the task; the score is then nan.

    Notes
    -----
    Rows without a label of the task are left out. Of a task with several labels or outputs, a metric leaves
    out rows that lack any of them, and the default score only the cells that are missing. A metric of
    probabilities is told all classes of ``fit``, so that rows in which one does not occur have a score.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.model_selection import task_scorer
    >>> X = np.random.default_rng(0).normal(size=(80, 2))
    >>> Y = {"price": X[:, 0], "type": np.where(X[:, 1] > 0, "flat", None)}
    >>> Y["type"][:40] = "house"
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=3).fit(X, Y)
    >>> scorer = task_scorer("type", "neg_log_loss")
    >>> scorer
    TaskScorer(scoring='neg_log_loss', task='type')
    >>> scorer(est, X, Y) < 0
    True
    """
    check_metric(task, scoring)
    return TaskScorer(task, scoring)


def multitask_scorer(
    scoring: Mapping[str, Metric], weights: Mapping[str, float] | None = None
) -> MultiTaskScorer:
    """Return a scorer of several tasks: the weighted mean of their scores, one float.

    Parameters
    ----------
    scoring : mapping of str to str, callable or None
        A metric for each task, as in `task_scorer`; tasks that it omits are not scored. Metrics of different
        units do not mix well without weights.
    weights : mapping of str to float, default=None
        Non-negative weight of each task's score; tasks that it omits have weight 1.0.

    Returns
    -------
    callable
        ``scorer(estimator, X, y, sample_weight=None)``, as in `task_scorer`.

    Warns
    -----
    UserWarning
        If a task has no score in these rows; it is left out of the mean.

    Examples
    --------
    >>> from sklearn_mtl.model_selection import multitask_scorer
    >>> multitask_scorer({"price": "r2", "type": "accuracy"}, weights={"price": 2.0})
    MultiTaskScorer(scoring={'price': 'r2', 'type': 'accuracy'},
                    weights={'price': 2.0})
    """
    if not isinstance(scoring, Mapping):
        raise TypeError(f"`scoring` must be a mapping from task to metric. Found {shown(scoring)}.")
    if not scoring:
        raise ValueError("`scoring` must name at least one task. Found none.")
    for task, of_task in scoring.items():
        check_metric(task, of_task)
    _check_weights(weights, list(scoring))
    return MultiTaskScorer(scoring, weights)


def multitask_scoring(
    tasks: Any, metrics: Metric | Sequence[Metric] | Mapping[str, Metric | Sequence[Metric]] = None
) -> dict[str, TaskScorer | MultiTaskScorer]:
    """Return a scorer for each task and one for their mean, for ``scoring`` of a search.

    Parameters
    ----------
    tasks : fitted estimator, mapping or sequence of str
        The tasks: their names, a mapping from name to a kind (``"regression"``, a task object) or to a
        metric, or a fitted multi-task estimator or something around one, all of whose tasks are scored.
    metrics : metric, sequence of metrics, or mapping of str to these, default=None
        A metric as in `task_scorer` for all tasks, or several; or a mapping by task. A task that the mapping
        omits has the metric that ``tasks`` names, else its default score.

    Returns
    -------
    dict of str to callable
        Scorers by the name of the task, or by ``task_metric`` where a task has several, and ``"mean"``. That
        is the plain mean over the tasks of the one metric that all have, otherwise of the default scores, as
        in ``score`` of the estimator: ``refit="mean"`` is what a search over one number would do.

    Examples
    --------
    >>> from sklearn_mtl.model_selection import multitask_scoring
    >>> scoring = multitask_scoring(["price", "type"], {"type": ["accuracy", "neg_log_loss"]})
    >>> list(scoring)
    ['price', 'type_accuracy', 'type_neg_log_loss', 'mean']
    >>> multitask_scoring(["sold", "type"], "roc_auc_ovr")["mean"]
    MultiTaskScorer(scoring={'sold': 'roc_auc_ovr', 'type': 'roc_auc_ovr'})
    """
    scored = _tasks_to_score(tasks)
    if metrics is not None:
        scored |= metrics_by_task(metrics, list(scored))
    found: dict[str, TaskScorer | MultiTaskScorer] = {}
    for task, metric in scored.items():
        for one in metric if are_several(metric) else [metric]:
            name = f"{task}_{metric_name(one)}" if are_several(metric) else task
            if name in found or name == "mean":
                raise ValueError(
                    "The names of scores, 'task' or 'task_metric', must be unique and none be 'mean'. "
                    f"Found {shown(name)} of task {shown(task)} again; make the mapping by hand with "
                    "task_scorer."
                )
            found[name] = task_scorer(task, one)
    for_all: Any = None if isinstance(metrics, Mapping) or are_several(metrics) else metrics
    return {**found, "mean": multitask_scorer(dict.fromkeys(scored, for_all))}


def _tasks_to_score(tasks: Any) -> dict[str, Any]:
    """Return the metric of each task to be scored, None where it is the default."""
    if isinstance(tasks, Mapping):
        return {task: None if _is_kind(of) else of for task, of in tasks.items()}
    if isinstance(tasks, Iterable) and not isinstance(tasks, str) and not hasattr(tasks, "fit"):
        return dict.fromkeys(tasks)
    estimator, _ = innermost(tasks)
    check_is_fitted(estimator)
    return dict.fromkeys(estimator.tasks_)


def _is_kind(value: Any) -> bool:
    return isinstance(value, TaskKind) or (isinstance(value, str) and value in KINDS)


def _rows(estimator: Any, X: Any, y: Any, sample_weight: Any) -> ScoredRows:
    found, X = innermost(estimator, X)
    return ScoredRows.read(found, X, y, sample_weight)


def _check_weights(weights: Any, tasks: Sequence[str]) -> None:
    if weights is None:
        return
    if not isinstance(weights, Mapping):
        raise TypeError(f"`weights` must be None or a mapping by task. Found {shown(weights)}.")
    unknown = [task for task in weights if task not in tasks]
    if unknown:
        raise ValueError(
            f"`weights` names unknown tasks {shown(unknown)}; the scored tasks are {shown(list(tasks))}."
        )
    for task, weight in weights.items():
        if not is_number(weight) or weight < 0:
            raise ValueError(
                f"`weights` must hold finite non-negative numbers. Found {shown(weight)} for task "
                f"{shown(task)}."
            )
    if not any(weights.get(task, 1.0) for task in tasks):
        raise ValueError("`weights` must leave a task of positive weight. Found 0 for every task.")
