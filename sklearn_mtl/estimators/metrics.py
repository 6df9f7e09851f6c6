"""Metrics of a task, in all the forms in which a user may give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import Any

from sklearn.metrics import check_scoring, get_scorer, get_scorer_names, make_scorer

from sklearn_mtl.estimators.scikit_learn_private import metric_of, response_method_of
from sklearn_mtl.messages import shown

Scorer = Callable[..., float]
# A scorer's name, a scorer, or None for the task's own default score.
Metric = str | Scorer | None


def check_metric(task: object, metric: Any) -> None:
    """Raise a ``TypeError`` or ``ValueError`` for what can't score a task.

    Parameters
    ----------
    task : object
        The task, which must be a string.
    metric : object
        The metric or metrics as the user gave them.
    """
    if not isinstance(task, str):
        raise TypeError(f"A scorer's task must be a string. Found {shown(task)}.")
    if metric is not None and not isinstance(metric, str) and not callable(metric):
        raise TypeError(
            f"The metric of task {shown(task)} must be None, a scorer's name or a callable. Found "
            f"{shown(metric)}."
        )
    rule = (
        f"The metric of task {shown(task)} must be a scikit-learn scorer or its name. "
        f"Found {in_words(metric)}"
    )
    if isinstance(metric, str) and metric not in get_scorer_names():
        nearest = get_close_matches(metric, get_scorer_names(), 1)
        hint = f"the nearest name is {shown(nearest[0])}; " if nearest else ""
        raise ValueError(f"{rule}; {hint}`sklearn.metrics.get_scorer_names()` has them all.")
    try:
        resolved(metric)
    except ValueError as error:
        raise ValueError(f"{rule}: {error}") from error


def in_words(metric: Metric) -> str:
    """Return a metric as messages show it: a function by its name."""
    return getattr(metric, "__name__", shown(metric))


def resolved(metric: Metric) -> Scorer | None:
    """Return the scorer that a metric stands for; None for the task's own default score."""
    return None if metric is None else check_scoring(scoring=metric)


def takes_weights(metric: Metric) -> bool:
    """Whether a metric takes sample weights."""
    scorer = resolved(metric)
    return scorer is None or scorer_takes_weights(scorer)


def scorer_takes_weights(scorer: Scorer) -> bool:
    """Whether a scorer's metric, or a callable scorer itself, takes sample weights."""
    return "sample_weight" in signature(metric_of(scorer) or scorer).parameters


def are_several(metrics: Any) -> bool:
    """Whether these are several metrics, not one."""
    return isinstance(metrics, Sequence) and not isinstance(metrics, str)


def metrics_by_task(metrics: Any, tasks: Sequence[str]) -> dict[str, Any]:
    """Return the metrics of each task: a mapping as it is, anything else for every task.

    Parameters
    ----------
    metrics : metric, sequence of metrics, or mapping from task to these
        The metric or metrics as the user gave them.
    tasks : sequence of str
        The tasks that there are.

    Raises
    ------
    ValueError
        If a mapping names another task.
    """
    if not isinstance(metrics, Mapping):
        return dict.fromkeys(tasks, metrics)
    unknown = [task for task in metrics if task not in tasks]
    if unknown:
        raise ValueError(
            f"`metrics` names unknown tasks {shown(unknown)}; the tasks are {shown(list(tasks))}."
        )
    return dict(metrics)


def metric_name(metric: Metric, default: str = "score") -> str:
    """Return the name of a metric; ``default`` for the task's own default score."""
    if metric is None or isinstance(metric, str):
        return metric or default
    return getattr(metric, "__name__", shown(metric))


def scorer_of(task: str, metric: Metric) -> Scorer | None:
    """Return the scorer of a metric, which may also be a function of true and predicted labels.

    The scorer returns what such a function returns, whether or not higher is better. It calls it with
    what scikit-learn's own scorer of it asks for: probabilities for ``roc_auc_score``, predictions
    where scikit-learn has no scorer of it.

    Parameters
    ----------
    task : str
        The task, for messages.
    metric : str, callable or None
        A scorer's name, a scorer, a function ``metric(y_true, y_pred)``, or None.
    """
    if not callable(metric) or not _is_of_labels(metric):
        check_metric(task, metric)
        return resolved(metric)
    scorers = (get_scorer(name) for name in get_scorer_names())
    asked = (response_method_of(one) for one in scorers if metric_of(one) is metric)
    return make_scorer(metric, response_method=next(asked, "predict"))


def _is_of_labels(metric: Scorer) -> bool:
    """Whether a function takes true and predicted labels; a scorer takes an estimator, X and y."""
    if metric_of(metric) is not None:
        return False
    parameters = list(signature(metric).parameters.values())
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    required = [one for one in parameters if one.kind in positional and one.default is Parameter.empty]
    return len(required) == 2 or parameters[0].name == "y_true"
