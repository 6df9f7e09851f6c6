"""Which rows are held out for early stopping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

# Of fewer rows, a held-out share says nothing about when to stop.
FEWEST_ROWS_TO_SPLIT = 10


@dataclass(frozen=True, eq=False)
class RowSplit:
    """Training rows, and validation rows that tell when to stop.

    Parameters
    ----------
    train, validation : ndarray of int
        Sorted row numbers. A row may be in neither, as between the two parts of a time series.
    """

    train: np.ndarray
    validation: np.ndarray

    @classmethod
    def from_validation(cls, validation: np.ndarray, n_rows: int) -> Self:
        """Return the split that trains on all rows but the given ones."""
        return cls(np.setdiff1d(np.arange(n_rows), validation), validation)

    def with_every_class_in_training(
        self, labels: Sequence[np.ndarray], groups: np.ndarray | None
    ) -> RowSplit:
        """Return the split that moves rows to training where a class or a task has no other there.

        Parameters
        ----------
        labels : sequence of ndarray of int, each of shape (n_rows,)
            For each task a code of each row's class, -1 for none; 0 where there are no classes.
        groups : ndarray of int, shape (n_rows,), or None
            Group of each row; the whole of its group goes with such a row.
        """
        train, validation = self.train, self.validation
        for codes in labels:
            of_train, of_validation = codes[train], codes[validation]
            n_codes = int(codes.max(initial=-1)) + 1
            there = np.bincount(of_train[of_train >= 0], minlength=n_codes) > 0
            if there.all():
                continue
            moved = (of_validation >= 0) & ~there[of_validation]
            if groups is not None:
                moved = np.isin(groups[validation], groups[validation[moved]])
            train, validation = np.union1d(train, validation[moved]), validation[~moved]
        return RowSplit(train, validation)


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
    >>> from sklearn_mtl.data import held_out_rows
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


def held_out_groups(
    groups: np.ndarray, fraction: float, n_splits: int, rng: np.random.RandomState
) -> list[np.ndarray]:
    """Draw the held-out rows of several splits in whole groups, apart from each other where they fit.

    The groups are laid around a circle in random order, each as long as it has rows. A split holds out
    the groups whose middle lies in its arc, or else the next one, and never all; the arcs start at even
    distances.

    Parameters
    ----------
    groups : ndarray of int, shape (n_rows,)
        Number of each row's group; each number below the largest occurs.
    fraction : float
        Share of rows held out, about, in (0, 1).
    n_splits : int
        Number of splits.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    list of ndarray of int
        Sorted row numbers of each split; empty where there are fewer than ten rows, or one group.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.data.splits import held_out_groups
    >>> held_out_groups(np.repeat(np.arange(5), 4), 0.2, 1, np.random.RandomState(0))
    [array([ 8,  9, 10, 11])]
    """
    n_rows = len(groups)
    if n_rows < FEWEST_ROWS_TO_SPLIT:
        return [np.empty(0, dtype=np.intp)] * n_splits
    sizes = np.bincount(groups)
    order = rng.permutation(len(sizes))
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    found = []
    for split in range(n_splits):
        distance = (middles - split * n_rows / n_splits) % n_rows
        nearest = np.argsort(distance, kind="stable")
        n_groups = np.clip((distance < fraction * n_rows).sum(), 1, len(sizes))
        found.append(np.flatnonzero(np.isin(groups, order[nearest[: min(n_groups, len(sizes) - 1)]])))
    return found
