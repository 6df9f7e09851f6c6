"""Candidates that no other beats on every task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.model_selection.trials import Tested


def mean_task_scores(candidates: Sequence[Sequence[Tested]]) -> pd.DataFrame | None:
    """Return the mean score of each task over the folds; None where no candidate has any.

    Parameters
    ----------
    candidates : sequence of sequence of Tested
        Each candidate on every fold.

    Returns
    -------
    DataFrame or None
        A row for each candidate, nan where a fold failed; a column for each task. A fold without a
        label of a task is left out of its mean.
    """
    found = [[tested.task_scores for tested in of_folds] for of_folds in candidates]
    known = [scores for of_folds in found for scores in of_folds if scores is not None]
    if not known:
        return None
    tasks = list(dict.fromkeys(task for scores in known for task in scores.index))
    means = [
        pd.DataFrame(of_folds).mean()
        if all(scores is not None for scores in of_folds)
        else pd.Series(dtype=float)
        for of_folds in found
    ]
    index = pd.RangeIndex(len(means), name="candidate")
    return pd.DataFrame([mean.reindex(tasks).to_numpy() for mean in means], index, tasks)


def pareto_front(params: Sequence[dict[str, Any]], scores: pd.DataFrame) -> pd.DataFrame:
    """Return the candidates for which no other is at least as good on every task and better on one.

    Parameters
    ----------
    params : sequence of dict
        Of every candidate.
    scores : DataFrame
        A column for each task; the index counts the candidates.

    Returns
    -------
    DataFrame
        Columns ``param_…`` and ``mean_test_…``, as in ``cv_results_``.
    """
    # A task without a label in any fold tells nothing; a candidate without a score is no answer.
    scores = scores.dropna(axis=1, how="all").dropna(axis=0, how="any")
    front = scores[not_dominated(scores.to_numpy())].add_prefix("mean_test_")
    names = list(dict.fromkeys(name for candidate in params for name in candidate))
    columns = {f"param_{name}": [params[i].get(name, pd.NA) for i in front.index] for name in names}
    return pd.concat([pd.DataFrame(columns, index=front.index, dtype=object), front], axis=1)


def not_dominated(scores: np.ndarray) -> np.ndarray:
    """Return which rows no other row is at least as high as in every column and higher in one.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_tasks)
        The higher the better.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.model_selection.pareto import not_dominated
    >>> not_dominated(np.array([[0.9, 0.1], [0.5, 0.5], [0.5, 0.4], [0.1, 0.9]]))
    array([ True,  True, False,  True])
    """
    others, own = scores[None], scores[:, None]
    beaten = np.all(others >= own, axis=2) & np.any(others > own, axis=2)
    return np.logical_not(np.any(beaten, axis=1))
