"""Which rows are held out for early stopping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Of fewer rows, a held-out share says nothing about when to stop.
FEWEST_ROWS_TO_SPLIT = 10


def held_out_rows(
    n_rows: int, fraction: float, n_splits: int, strata: np.ndarray | None, rng: np.random.RandomState
) -> list[np.ndarray]:
    """Draw the held-out rows of several splits, apart from each other where they fit.

    The rows are shuffled, sorted by stratum, and taken at even distances, each split with another
    start: every stratum gives its share, and the splits have no row in common as long as
    ``n_splits * fraction <= 1``.

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
    count = min(max(round(len(order) * fraction), 1), len(order) - 1)
    # In whole numbers, so that rounding never gives two splits the same row.
    steps = np.arange(max(count, 0)) * n_splits
    places = [(steps + split) * len(order) // (max(count, 1) * n_splits) for split in range(n_splits)]
    return [np.sort(order[place]) for place in places]


def without_last(rows: np.ndarray, labels: Sequence[np.ndarray]) -> np.ndarray:
    """Return the held-out rows but for those with the last of a class, or the last label of a task.

    Parameters
    ----------
    rows : ndarray of int
        Held-out rows.
    labels : sequence of ndarray of int, each of shape (n_rows,)
        For each task a code of each row's class, -1 for none; 0 where there are no classes.
    """
    for codes in labels:
        held = codes[rows]
        n_codes = int(codes.max(initial=-1)) + 1
        left = np.bincount(codes[codes >= 0], minlength=n_codes) - np.bincount(
            held[held >= 0], minlength=n_codes
        )
        if n_codes and (left == 0).any():
            rows = rows[(held < 0) | (left[held] > 0)]
    return rows
