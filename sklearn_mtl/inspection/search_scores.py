"""The scores of a search's candidates by task, as the displays of searches draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklearn_mtl.estimators.metrics import metric_name
from sklearn_mtl.estimators.scikit_learn_private import BaseSearchCV
from sklearn_mtl.inspection.figure import in_figure
from sklearn_mtl.model_selection.scoring.scorers import MultiTaskScorer, TaskScorer
from sklearn_mtl.model_selection.search.trials import last_step

MEAN, STD = "mean_test_", "std_test_"


@dataclass(frozen=True, eq=False)
class SearchScores:
    """What a search has found out about its candidates.

    Parameters
    ----------
    means, stds : DataFrame of shape (n_candidates, n_scores)
        Mean and standard deviation of each score over the folds. Index: the rows of ``cv_results_``.
    params : sequence of dict
        Parameters of each of these candidates.
    metrics : dict of str to str
        Name of the metric of each score, where it is known.
    n_folds : int
        Number of folds.
    chosen : int or None
        Row of the candidate that the search has chosen; None where it has chosen none.
    estimator : estimator
        The estimator that was searched.
    """

    means: pd.DataFrame
    stds: pd.DataFrame
    params: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, str]
    n_folds: int
    chosen: int | None
    estimator: Any

    @classmethod
    def of(cls, search: Any) -> SearchScores:
        """Read a fitted search.

        Parameters
        ----------
        search : estimator
            A fitted search of this package or of scikit-learn, or a Pipeline that ends in one. Where its
            ``scoring`` has several metrics, they are the scores, but for those of several tasks as one
            number; otherwise the scores are those of ``task_results_``. Of a search by halving the
            candidates of the last iteration are taken: scores after fewer epochs do not compare with theirs.

        Raises
        ------
        TypeError
            If it is no search.
        ValueError
            If the search has scored no single task.
        """
        search = _last_search(search)
        results = search.cv_results_
        if search.multimetric_:
            scorers = search.scorer_ if isinstance(search.scorer_, Mapping) else {}
            names = [key.removeprefix(MEAN) for key in results if key.startswith(MEAN)]
            names = [name for name in names if not isinstance(scorers.get(name), MultiTaskScorer)]
            metrics = {name: metric for name in names if (metric := _metric(scorers.get(name), search))}
            found = pd.DataFrame({key: results[key] for key in results if key.startswith((MEAN, STD))})
        else:
            found = getattr(search, "task_results_", pd.DataFrame())
            names = [key.removeprefix(MEAN) for key in found if key.startswith(MEAN)]
            metrics = dict(found.attrs.get("metrics", {}))
        if not names:
            raise ValueError(
                "`search` must have scored single tasks: give it `scoring=multitask_scoring([...])`, or take "
                f"a StackedGridSearchCV. Found a {type(search).__name__} with one score for all tasks."
            )
        rows = _compared(results)
        chosen = getattr(search, "best_index_", None)
        return cls(
            _columns(found, MEAN, names).loc[rows],
            _columns(found, STD, names).loc[rows],
            [results["params"][row] for row in rows],
            metrics,
            search.n_splits_,
            int(chosen) if chosen in rows else None,
            search.estimator,
        )


def labelled(task: str, metrics: Mapping[str, str]) -> str:
    """Return a task with its metric, for an axis."""
    metric = metrics.get(task, "score")
    # The scores of a search over several metrics of one task have names such as `type_accuracy`.
    return in_figure(task) if task.endswith(f"_{metric}") else f"{in_figure(task)} ({in_figure(metric)})"


def _last_search(search: Any) -> Any:
    search = last_step(search)
    if not isinstance(search, BaseSearchCV):
        raise TypeError(
            "`search` must be a search of sklearn_mtl or of scikit-learn, or a Pipeline that ends in one. "
            f"Found {type(search).__name__}."
        )
    check_is_fitted(search, "cv_results_")
    return search


def _metric(scorer: Any, search: Any) -> str | None:
    """Return the name of a scorer's metric; None for a scorer that is not of this package."""
    if not isinstance(scorer, TaskScorer):
        return None
    best = last_step(getattr(search, "best_estimator_", None))
    task = getattr(best, "tasks_", {}).get(scorer.task)
    return metric_name(scorer.scoring, getattr(task, "metric", "score"))


def _compared(results: Mapping[str, Any]) -> list[int]:
    """Return the rows whose scores compare: all, or those of the last iteration."""
    iterations = np.asarray(results.get("iter", np.zeros(len(results["params"]))))
    return [int(row) for row in np.flatnonzero(iterations == iterations.max())]


def _columns(found: pd.DataFrame, prefix: str, names: Sequence[str]) -> pd.DataFrame:
    return found[[prefix + name for name in names]].set_axis(list(names), axis=1).astype(np.float64)
