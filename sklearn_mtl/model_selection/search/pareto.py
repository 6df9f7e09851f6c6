"""The task scores of all candidates, and those candidates that no other beats on every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.model_selection.search.results import TrialResult

# Scores that differ by less than this share are equal but for the rounding of a mean over folds.
ROUNDING = 1e-9


def task_results(
    params: Sequence[dict[str, Any]],
    trials: Sequence[Sequence[TrialResult]],
    more: Mapping[str, Sequence[Any]],
) -> pd.DataFrame | None:
    """Return ``task_results_``: each candidate's score of each task, over the folds.

    Parameters
    ----------
    params : sequence of dict
        Parameters of each candidate.
    trials : sequence of sequence of TrialResult
        Results of each candidate on every fold.
    more : mapping of str to sequence
        Further columns of ``cv_results_``.

    Returns
    -------
    DataFrame or None
        A row for each candidate; the columns of `more`, ``param_…``, and ``mean_test_…`` and
        ``std_test_…`` of every task, as in ``cv_results_``. A fold without a score of a task is left out
        of its mean; where a fit failed, all are nan. ``attrs["metrics"]`` names the metric of each task.
        None where no candidate has any score.
    """
    found = [[one.task_scores for one in by_fold] for by_fold in trials]
    known = [scores for by_fold in found for scores in by_fold if scores is not None]
    if not known:
        return None
    tasks = list(dict.fromkeys(task for scores in known for task in scores.index))
    rows = [_over_folds(by_fold, tasks) for by_fold in found]
    names = list(dict.fromkeys(name for candidate in params for name in candidate))
    columns: dict[str, Any] = dict(more)
    columns |= {
        f"param_{name}": pd.Series([candidate.get(name, pd.NA) for candidate in params], dtype=object)
        for name in names
    }
    columns |= {
        f"{what}_test_{task}": [row.at[task, what] for row in rows]
        for task in tasks
        for what in ("mean", "std")
    }
    results = pd.DataFrame(columns, index=pd.RangeIndex(len(rows), name="candidate"))
    results.attrs["metrics"] = {
        task: metric for scores in known for task, metric in scores.attrs.get("metrics", {}).items()
    }
    return results


def _over_folds(by_fold: Sequence[pd.Series | None], tasks: Sequence[str]) -> pd.DataFrame:
    """Return the mean and the standard deviation of one candidate's scores, a row for each task."""
    scores = [one for one in by_fold if one is not None]
    if len(scores) < len(by_fold):
        return pd.DataFrame(np.nan, index=tasks, columns=["mean", "std"])
    frame = pd.DataFrame(scores)
    return pd.DataFrame({"mean": frame.mean(), "std": frame.std(ddof=0)}).reindex(tasks)


def pareto_front(results: pd.DataFrame) -> pd.DataFrame:
    """Return the candidates for which no other is at least as good on every task and better on one.

    Parameters
    ----------
    results : DataFrame
        Rows of ``task_results_``.

    Returns
    -------
    DataFrame
        Some of these rows. A task without a score in any row is left out, and so is a candidate without a
        score of one of the others.
    """
    means = results.filter(regex="^mean_test_").dropna(axis=1, how="all").dropna(axis=0, how="any")
    return results.loc[means.index[not_dominated(means.to_numpy())]]


def not_dominated(scores: np.ndarray) -> np.ndarray:
    """Return which rows no other row is at least as high as in every column and higher in one.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_tasks)
        Scores, the higher the better; those that differ by rounding only are equal.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.model_selection.search.pareto import not_dominated
    >>> not_dominated(np.array([[0.9, 0.1], [0.5, 0.5], [0.5 + 1e-16, 0.4], [0.1, 0.9]]))
    array([ True,  True, False,  True])
    """
    levels = _levels(scores)
    others, own = levels[None], levels[:, None]
    beaten = np.all(others >= own, axis=2) & np.any(others > own, axis=2)
    return np.logical_not(np.any(beaten, axis=1))


def _levels(scores: np.ndarray) -> np.ndarray:
    """Return the rank of each score in its column, scores that differ by rounding only on one rank.

    Ranks keep "equal" transitive, which a comparison with a tolerance is not.
    """
    order = np.argsort(scores, axis=0)
    ascending = np.take_along_axis(scores, order, axis=0)
    steps = np.diff(ascending, axis=0) > ROUNDING * np.maximum(1.0, np.abs(ascending[1:]))
    levels = np.zeros(scores.shape, dtype=np.intp)
    np.put_along_axis(levels, order[1:], np.cumsum(steps, axis=0), axis=0)
    return levels
