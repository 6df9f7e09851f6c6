"""Groups of tasks that gain from each other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
from sklearn.cluster import AgglomerativeClustering

from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer

# Up to so many tasks all partitions are compared; there are 1.4 million of 12 tasks into 5 groups.
MOST_EXACT = 12


def suggest_groups(affinity: pd.DataFrame, n_groups: int) -> list[list[str]]:
    """Return groups of tasks in which tasks have a high affinity with each other.

    A pair within a group is worth what its affinity, in both directions, has more than the mean over all
    pairs, and groups are such that the worth of all of their pairs is largest: the constant Potts model of
    Traag, Van Dooren & Nesterov (2011), "Narrow scope for resolution-limit-free community detection",
    equation 5. Of up to 12 tasks the best partition is found; more are clustered with average linkage by
    scikit-learn's ``AgglomerativeClustering``.

    Parameters
    ----------
    affinity : DataFrame of shape (n_tasks, n_tasks)
        As `task_affinity` returns it, or any table of numbers with the same rows and columns: the row of a
        task says what it does for the others. A pair of nan, of which nothing is known, counts as 0.
    n_groups : int
        Number of groups, from 1 to the number of tasks.

    Returns
    -------
    list of list of str
        What `Hierarchical` takes as ``groups``: the tasks of each group, in the order of the table.

    Raises
    ------
    ValueError
        If `affinity` does not have the same rows and columns, or `n_groups` is no such number.
    TypeError
        If `affinity` is no DataFrame.

    See Also
    --------
    task_affinity : What to make groups by.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mtl.inspection import suggest_groups
    >>> tasks = ["price", "area", "age"]
    >>> affinity = pd.DataFrame([[1.0, 0.7, 0.1], [0.7, 1.0, 0.0], [0.1, 0.0, 1.0]], tasks, tasks)
    >>> suggest_groups(affinity, 2)
    [['price', 'area'], ['age']]
    """
    gains = checked_affinity(affinity).fillna(0).to_numpy(dtype=np.float64).copy()
    n_tasks = len(gains)
    if not is_integer(n_groups) or not 1 <= n_groups <= n_tasks:
        raise ValueError(
            f"`n_groups` must be an integer from 1 to the number of tasks, {n_tasks}. Found "
            f"{shown(n_groups)}."
        )
    worth = gains + gains.T
    worth -= worth.sum(where=~np.eye(n_tasks, dtype=bool)) / max(n_tasks * (n_tasks - 1), 1)
    groups = _best(worth, int(n_groups)) if n_tasks <= MOST_EXACT else _clustered(worth, int(n_groups))
    names = list(affinity.columns)
    return [[names[task] for task in group] for group in sorted(groups)]


def checked_affinity(affinity: pd.DataFrame) -> pd.DataFrame:
    """Return a table of affinities as it is, seen to be one.

    Parameters
    ----------
    affinity : DataFrame
        What the user gave.

    Raises
    ------
    ValueError, TypeError
        If it is none.
    """
    if not isinstance(affinity, pd.DataFrame):
        raise TypeError(f"`affinity` must be a DataFrame of tasks by tasks. Found {shown(affinity)}.")
    if not len(affinity) or list(affinity.index) != list(affinity.columns):
        raise ValueError(
            "`affinity` must have the same tasks as rows and as columns, in one order. Found the rows "
            f"{shown(list(affinity.index))} and the columns {shown(list(affinity.columns))}."
        )
    if np.isinf(affinity.select_dtypes("number").to_numpy(dtype=np.float64)).any():
        raise ValueError("`affinity` must hold finite numbers, or nan. Found an infinite one.")
    if not all(dtype.kind in "iuf" for dtype in affinity.dtypes):
        raise ValueError(f"`affinity` must hold numbers. Found {shown(affinity.dtypes.iloc[0])}.")
    return affinity


def _best(worth: np.ndarray, n_groups: int) -> list[list[int]]:
    """Return the partition into so many groups of the largest worth, groups of tasks being sets of bits."""
    n_tasks = len(worth)
    within = [0.0] * (1 << n_tasks)
    for group in range(1, 1 << n_tasks):
        first, rest = (group & -group).bit_length() - 1, group & (group - 1)
        within[group] = within[rest] + sum(worth[first, task] for task in _tasks(rest))

    @cache
    def best(left: int, n_left: int) -> tuple[float, tuple[int, ...]]:
        if n_left == 1:
            return within[left], (left,)
        first = left & -left
        found: tuple[float, tuple[int, ...]] = (-np.inf, ())
        for others in _subsets(left ^ first):
            rest = left ^ first ^ others
            if rest.bit_count() >= n_left - 1:
                value, groups = best(rest, n_left - 1)
                # Rounding must not decide between partitions of equal worth: the first stays.
                if within[first | others] + value > found[0] + 1e-12:
                    found = within[first | others] + value, (first | others, *groups)
        return found

    return [list(_tasks(group)) for group in best((1 << n_tasks) - 1, n_groups)[1]]


def _tasks(group: int) -> Iterator[int]:
    while group:
        yield (group & -group).bit_length() - 1
        group &= group - 1


def _subsets(of: int) -> Iterator[int]:
    """Yield all subsets of a set of bits, itself first and the empty one last."""
    subset = of
    while True:
        yield subset
        if not subset:
            return
        subset = (subset - 1) & of


def _clustered(worth: np.ndarray, n_groups: int) -> list[list[int]]:
    distance = worth.max() - worth
    np.fill_diagonal(distance, 0)
    clustering = AgglomerativeClustering(n_groups, metric="precomputed", linkage="average").fit(distance)
    return [np.flatnonzero(clustering.labels_ == group).tolist() for group in range(n_groups)]
