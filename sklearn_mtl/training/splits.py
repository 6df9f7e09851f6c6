"""Which rows are held out for early stopping."""

from __future__ import annotations

import numpy as np

# Of fewer rows, a held-out share says nothing about when to stop.
FEWEST_ROWS_TO_SPLIT = 10


def held_out_rows(
    n_rows: int, fraction: float, n_splits: int, strata: np.ndarray | None, rng: np.random.RandomState
) -> list[np.ndarray]:
    """Draw the held-out rows of several splits, apart from each other where they fit.

    The rows are shuffled, sorted by stratum, and every (1 / fraction)-th is taken, each split with
    another start: every stratum gives its share, however small, and the splits share no row as long
    as ``n_splits * fraction <= 1``.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    fraction : float
        Share of rows held out, in (0, 1).
    n_splits : int
        Number of splits.
    strata : ndarray of shape (n_rows,) or None
        Integer code of each row's stratum. A row alone in its stratum is never held out.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    list of ndarray of int
        Sorted row numbers of each split; empty where there are fewer than ten rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.training import held_out_rows
    >>> [len(rows) for rows in held_out_rows(100, 0.1, 2, None, np.random.RandomState(0))]
    [10, 10]
    """
    if n_rows < FEWEST_ROWS_TO_SPLIT:
        return [np.empty(0, dtype=np.intp)] * n_splits
    order = rng.permutation(n_rows)
    if strata is not None:
        order = order[np.argsort(strata[order], kind="stable")]
        order = order[np.bincount(strata)[strata[order]] > 1]
    place = np.arange(len(order))
    return [np.sort(order[_every(place, fraction, split / n_splits)]) for split in range(n_splits)]


def _every(place: np.ndarray, fraction: float, start: float) -> np.ndarray:
    """Mark about ``fraction`` of the places, evenly spread, at least one."""
    # Halfway between the starts, so that rounding never decides.
    steps = np.floor((place + 1) * fraction + start + 1e-9) - np.floor(place * fraction + start + 1e-9)
    return steps > 0 if steps.any() else place == len(place) // 2
