"""The rows that each net holds out for early stopping: a share of them, or what a splitter says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.data import RowSplit
from sklearn_mtl.estimators.label_warnings import warn_of_other_order
from sklearn_mtl.estimators.rows import Rows
from sklearn_mtl.features import unmasked
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, MultiTaskTarget

# Of fewer rows, a held-out share says nothing about when to stop.
FEWEST_ROWS_TO_SPLIT = 10


def is_splitter(value: Any) -> bool:
    """Whether this is a splitter as scikit-learn has them."""
    return callable(getattr(value, "split", None)) and not isinstance(value, str | bytes | type)


def strata_of(rows: Rows, *, of_kinds: Sequence[Callable[[Column], np.ndarray]]) -> list[np.ndarray]:
    """Return the stratum of each row for each task, -1 without a label of positive weight.

    Parameters
    ----------
    rows : Rows
        The rows.
    of_kinds : sequence of callable
        The ``strata`` of each task's kind: most kinds that differ in a parameter have it in common.
    """
    return [
        np.where(rows.of_task(position) > 0, of_kind(column), -1)
        for position, (of_kind, column) in enumerate(zip(of_kinds, rows.columns.values(), strict=True))
    ]


def read_groups(groups: Any, n_rows: int) -> np.ndarray:
    """Return the number of each row's group, counted from 0.

    Parameters
    ----------
    groups : array-like of shape (n_rows,)
        Numbers, strings, or anything else that pandas can factorize.
    n_rows : int
        Rows of X.

    Returns
    -------
    ndarray of int, shape (n_rows,)

    Raises
    ------
    ValueError
        If there are more or fewer than rows, or some are missing.

    Examples
    --------
    >>> from sklearn_mtl.estimators.held_out import read_groups
    >>> read_groups(["b", "a", "b"], n_rows=3)
    array([0, 1, 0])
    """
    labels = groups if isinstance(groups, pd.Series) else column_or_1d(unmasked(groups))
    if len(labels) != n_rows:
        raise ValueError(
            f"`groups` must hold the group of each row of X. Found {len(labels)} of {n_rows} rows."
        )
    codes, _ = pd.factorize(np.asarray(labels))
    if (codes < 0).any():
        raise ValueError(
            f"`groups` must hold the group of each row of X. Found {int((codes < 0).sum())} missing; give "
            "rows that belong to none a group each."
        )
    found: np.ndarray = codes
    return found


def groups_of(rows: Rows, X: Any, groups: Any) -> np.ndarray:
    """Return the number of each row's group among the groups that these rows have.

    Parameters
    ----------
    rows : Rows
        The rows.
    X, groups : object
        Features and groups as the user gave them.
    """
    warn_of_other_order(X, {"groups": groups})
    numbers = read_groups(groups, len(rows.X))
    return np.unique(numbers if rows.index is None else numbers[rows.index], return_inverse=True)[1]


def split_by_share(
    rows: Rows,
    strata: list[np.ndarray],
    groups: np.ndarray | None,
    *,
    share: float,
    n_nets: int,
    seed: int,
) -> list[RowSplit]:
    """Return splits that hold out a share of the rows each.

    The share is stratified by the first task of several strata; of groups, whole ones are held out.

    Parameters
    ----------
    rows : Rows
        Labelled rows.
    strata : list of ndarray
        As `strata_of` returns them.
    groups : ndarray of int, shape (n_rows,), or None
        As `groups_of` returns them.
    share : float
        The share, in (0, 1).
    n_nets, seed : int
        Number of splits, and the seed of what they draw.
    """
    rng = np.random.RandomState(seed)
    if groups is None:
        of_several = next((codes + 1 for codes in strata if codes.max() > 0), None)
        drawn = held_out_rows(len(rows), share, n_nets, of_several, rng)
    else:
        if groups.max() == 0:
            warn_caller(
                "`groups` should hold several groups, of which some can be held out. Found one: no row is "
                "held out, and training does not stop early.",
            )
        drawn = held_out_groups(groups, share, n_nets, rng)
    return [
        RowSplit.from_validation(validation, len(rows)).with_every_class_in_training(strata, groups)
        for validation in drawn
    ]


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
    >>> from sklearn_mtl.estimators.held_out import held_out_rows
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
    >>> from sklearn_mtl.estimators.held_out import held_out_groups
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


def split_by_splitter(
    rows: Rows,
    strata: list[np.ndarray],
    numbers: np.ndarray | None,
    X: Any,
    y: Any,
    groups: Any,
    *,
    splitter: Any,
    n_nets: int,
) -> list[RowSplit]:
    """Return the last splits of a splitter, whose training parts are largest where they grow.

    Parameters
    ----------
    rows : Rows
        Labelled rows.
    strata : list of ndarray
        As `strata_of` returns them.
    numbers : ndarray of int, shape (n_rows,), or None
        As `groups_of` returns them.
    X, y, groups : object
        As the user gave them: all rows are split, also those without a label.
    splitter : splitter
        A splitter of scikit-learn, or one with its methods.
    n_nets : int
        Number of splits.
    """
    found = list(_among(rows, _splits(splitter, X, y, groups)))[-n_nets:]
    if not found or any(len(split.train) == 0 for split in found):
        raise ValueError(
            "`validation_fraction` as a splitter must give splits with labelled rows to learn from. "
            f"Found {len(found)} splits of {shown(splitter)}."
        )
    found = [split.with_every_class_in_training(strata, numbers) for split in found]
    return [found[net % len(found)] for net in range(n_nets)]


def _splits(splitter: Any, X: Any, y: Any, groups: Any) -> list[Any]:
    y = MultiTaskTarget(y) if isinstance(y, Mapping) and not isinstance(y, MultiTaskTarget) else y
    try:
        return list(splitter.split(X, y, groups))
    except (TypeError, ValueError) as error:
        found, why = f"`validation_fraction` can't split the rows. Found {shown(splitter)}", str(error)
        if groups is None and "groups" in why:
            why = "which needs groups; fit(X, y, groups=...) says them."
        elif isinstance(error, TypeError) and isinstance(y, MultiTaskTarget):
            why = "which is made for a single target; TaskStratifiedKFold of model_selection takes several."
        raise ValueError(f"{found}, {why}") from error


def _among(rows: Rows, splits: Any) -> Iterator[RowSplit]:
    """Yield splits of all of X as splits of some rows of it."""
    places = np.full(len(rows.X), -1)
    places[slice(None) if rows.index is None else rows.index] = np.arange(len(rows))
    for parts in splits:
        train, validation = (np.unique(places[part]) for part in parts)
        yield RowSplit(train[train >= 0], validation[validation >= 0])
