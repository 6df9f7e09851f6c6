"""Means over folds, of which some may have no score of a task."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

# What scikit-learn says of means that are nan.
NOT_FINITE = "One or more of the"


def over_folds(
    scores: np.ndarray, failed: np.ndarray, reduce: Callable[..., np.ndarray] = np.mean
) -> np.ndarray:
    """Return the mean score of each candidate, without the folds in which none can have a score.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_folds)
        nan where there is none: the fold has no label of the task to learn from or to score, or the fit
        failed.
    failed : ndarray of bool, of the same shape
        Where it failed.
    reduce : callable, default=numpy.mean
        Takes scores and ``axis``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.model_selection.search.fold_means import over_folds
    >>> scores = np.array([[0.5, np.nan, 0.7], [0.4, np.nan, np.nan]])
    >>> over_folds(scores, failed=np.array([[False] * 3, [False, False, True]]))
    array([0.6, nan])
    """
    absent = np.isnan(scores)
    undefined = (absent | failed).all(axis=0) & (absent & ~failed).any(axis=0)
    if undefined.all():
        return np.full(len(scores), np.nan)
    found = reduce(scores[:, ~undefined], axis=1)
    return np.where((absent & failed).any(axis=1), np.nan, found)


def with_means(
    format_results: Callable[[], dict[str, Any]], results: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return ``cv_results_`` with means, deviations and ranks by `over_folds`.

    Parameters
    ----------
    format_results : callable
        Makes ``cv_results_`` as scikit-learn does.
    results : sequence of dict
        Of each fit, folds of one candidate next to each other.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = format_results()
    n_candidates = len(found["params"])
    failed = np.array([one["fit_error"] is not None for one in results]).reshape(n_candidates, -1)
    finite = True
    for key in [key for key in found if key.startswith(("mean_test_", "mean_train_"))]:
        name = key.removeprefix("mean_")
        scores = np.column_stack([found[f"split{fold}_{name}"] for fold in range(failed.shape[1])])
        means = over_folds(scores, failed)
        if np.isnan(found[key]).any() and not np.isnan(means).all():
            found[key], found[f"std_{name}"] = means, over_folds(scores, failed, np.std)
            if f"rank_{name}" in found:
                ranked = np.nan_to_num(means, nan=np.nanmin(means) - 1)
                found[f"rank_{name}"] = rankdata(-ranked, method="min").astype(np.int32)
        finite &= bool(np.isfinite(found[key]).all())
    for one in caught:
        if not finite or not str(one.message).startswith(NOT_FINITE):
            warnings.warn(one.message, stacklevel=2)
    return found
