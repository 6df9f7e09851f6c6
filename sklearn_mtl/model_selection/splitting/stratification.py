"""Strata of rows by the labels of tasks, and how their rows are spread over the parts of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import resolve
from sklearn_mtl.targets import Column
from sklearn_mtl.targets.kinds import MOST_CLASSES
from sklearn_mtl.tasks import KINDS, TaskKind

# Whole numbers of many distinct values, with fewer rows each than this, are quantities and not classes.
FEWEST_ROWS_OF_A_CLASS = 5
# Shares that differ by less than this are equal but for rounding.
TIE = 1e-9


@dataclass(frozen=True, eq=False)
class Strata:
    """The stratum of each row by the labels of one task: its class, its bin, or whether it has a label.

    Parameters
    ----------
    task : str
        Name of the task.
    codes : ndarray of int, shape (n_rows,)
        Stratum of each row; the last stratum is that of the rows without a label.
    n_strata : int
        Number of strata, empty ones included.
    classes : list
        Names of the first strata where they are classes, each of which should be in every training part.
    """

    task: str
    codes: np.ndarray
    n_strata: int
    classes: list[Any] = field(default_factory=list)


def strata_of(
    columns: Mapping[str, Column], tasks: Sequence[str] | Mapping[str, Any], n_bins: int, fewest: int
) -> list[Strata]:
    """Return strata of the given tasks: one `Strata` for a task, or for each column of a task with several.

    Where there are several, further ones say whether a row has a label of a task with gaps, so that the
    labels of small tasks are spread too.

    Parameters
    ----------
    columns : mapping of str to Column
        Labels by task.
    tasks : sequence of str, or mapping of str to str or TaskKind
        Tasks to stratify by. The kind that a mapping names decides the strata, if it finds more than one.
    n_bins : int
        Largest number of bins of a regression task; all have about as many labels.
    fewest : int
        Number of labels that a bin needs so that every part can have one.

    Raises
    ------
    ValueError
        If there is no such task.
    """
    unknown = [task for task in tasks if task not in columns]
    if unknown:
        raise ValueError(
            f"`task` must be among the tasks of y, {shown(list(columns))}. Found {shown(unknown[0])}."
        )
    found: list[Strata] = []
    for task in tasks:
        of_kind = _of_kind(columns[task], tasks[task]) if isinstance(tasks, Mapping) else None
        found += _of_labels(columns[task], n_bins, fewest) if of_kind is None else [of_kind]
    if len(found) > 1:
        found += [
            Strata(task, of_some.astype(np.intp), 2)
            for task in tasks
            if (of_some := ~columns[task].has_label).any()
        ]
    return found


def _of_kind(column: Column, kind: str | TaskKind) -> Strata | None:
    """Return the strata that a kind finds, named by their first labels; None where it finds only one."""
    codes = resolve(KINDS, kind, f" for task {shown(column.name)}").strata(column)
    n_strata = int(codes.max(initial=-1)) + 1
    if n_strata < 2:
        return None
    first = [np.asarray(column.values[np.argmax(codes == code)]).tolist() for code in range(n_strata)]
    return Strata(column.name, np.where(codes < 0, n_strata, codes), n_strata + 1, first)


def _of_labels(column: Column, n_bins: int, fewest: int) -> list[Strata]:
    """Return the strata by class or by bin, for each column of a task."""
    if column.values.ndim == 1:
        return [_of_values(column.name, column.values, column.missing, n_bins, fewest)]
    columns = zip(column.values.T, column.missing.T, strict=True)
    return [_of_values(column.name, values, gaps, n_bins, fewest) for values, gaps in columns]


def _of_values(task: str, labels: np.ndarray, gaps: np.ndarray, n_bins: int, fewest: int) -> Strata:
    known = labels[~gaps]
    quantity = _is_quantity(known)
    if quantity:
        n_bins = max(min(n_bins, len(known) // fewest), 1)
        known = pd.qcut(known, n_bins, labels=False, duplicates="drop")
    codes, classes = pd.factorize(known)
    every = np.full(len(gaps), len(classes), dtype=np.intp)
    every[~gaps] = codes
    return Strata(task, every, len(classes) + 1, [] if quantity else list(classes))


def _is_quantity(known: np.ndarray) -> bool:
    """Whether labels are numbers to be binned, not classes."""
    if known.dtype.kind not in "iuf":
        return False
    if known.dtype.kind == "f" and bool((known != np.round(known)).any()):
        return True
    n_values = len(np.unique(known))
    return n_values > MOST_CLASSES and len(known) < FEWEST_ROWS_OF_A_CLASS * n_values


def block_folds(codes: np.ndarray, n_folds: int, rng: np.random.RandomState | None = None) -> np.ndarray:
    """Return the fold of each row, rows of one stratum in blocks, as in scikit-learn's ``StratifiedKFold``.

    Unlike there, a stratum may have fewer rows than there are folds.

    Parameters
    ----------
    codes : ndarray of int, shape (n_rows,)
        Stratum of each row.
    n_folds : int
        Number of folds.
    rng : RandomState, optional
        Generator that shuffles the rows of each stratum; by default they keep their order.
    """
    ordered, n_strata = np.sort(codes), codes.max() + 1
    counts = [np.bincount(ordered[fold::n_folds], minlength=n_strata) for fold in range(n_folds)]
    folds = np.empty(len(codes), dtype=np.intp)
    for stratum, of_stratum in enumerate(np.transpose(counts)):
        block = np.arange(n_folds).repeat(of_stratum)
        if rng is not None:
            rng.shuffle(block)
        folds[codes == stratum] = block
    return folds


def iterative_folds(
    codes: np.ndarray, sizes: np.ndarray, shares: np.ndarray, rng: np.random.RandomState | None = None
) -> np.ndarray:
    """Return the part of each row by iterative stratification over several labels.

    The stratum with the fewest rows left goes first. Each of its rows goes to the part that lacks that
    stratum most; among equals to the one that lacks all strata of the row most, a step that the paper does
    not have; and then to the one with most room. Parts have exactly the given sizes.

    Parameters
    ----------
    codes : ndarray of int, shape (n_rows, n_labels)
        Strata of each row, as `numbered` numbers them over all labels.
    sizes : ndarray of int, shape (n_parts,)
        Number of rows of each part; their sum is n_rows.
    shares : ndarray of float, shape (n_parts,)
        Share of each stratum that a part should have.
    rng : RandomState, optional
        Generator of the order of the rows, and of the choice among equals; by default the first is taken.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of Multi-Label Data",
       ECML PKDD 2011, algorithm 1.
    """
    n_rows = len(codes)
    order = np.arange(n_rows) if rng is None else rng.permutation(n_rows)
    left = np.bincount(codes.ravel())
    label_of = np.zeros(len(left), dtype=np.intp)
    label_of[codes] = np.arange(codes.shape[1])
    lacking = np.outer(left, shares)
    room = sizes.astype(np.float64)
    parts = np.full(n_rows, -1, dtype=np.intp)
    while left.any():
        rarest = np.where(left > 0, left, n_rows + 1).argmin()
        for row in order[(parts[order] < 0) & (codes[order, label_of[rarest]] == rarest)]:
            best = np.flatnonzero(room > 0)
            for lack in (lacking[rarest], lacking[codes[row]].sum(axis=0), room):
                best = best[lack[best] >= lack[best].max() - TIE]
            part = best[0] if rng is None or len(best) == 1 else best[rng.randint(len(best))]
            parts[row] = part
            lacking[codes[row], part] -= 1
            room[part] -= 1
            left[codes[row]] -= 1
    return parts


def group_folds(
    codes: np.ndarray, groups: np.ndarray, n_folds: int, rng: np.random.RandomState | None = None
) -> np.ndarray:
    """Return the fold of each row, rows of one group in one fold, every stratum spread evenly.

    Let s be the share of a stratum's rows that a fold holds. The groups are placed one after the other,
    those with the largest shares first, each where it adds least to the sum of s² over folds and strata.
    As the shares of a stratum add up to 1, that sum is least where they are equal. All rows together count
    as one more stratum, so that folds have about as many rows.

    Parameters
    ----------
    codes : ndarray of int, shape (n_rows, n_labels)
        Strata of each row, as `numbered` numbers them over all labels.
    groups : ndarray of int, shape (n_rows,)
        Number of each row's group; each number below the largest occurs.
    n_folds : int
        Number of folds, at most the number of groups.
    rng : RandomState, optional
        Generator of the order of groups with the same shares, and of the choice among equals; by default the
        first is taken.
    """
    n_groups = groups.max() + 1
    # The last stratum is that of all rows.
    counts = np.zeros((n_groups, codes.max() + 2))
    for of_label in codes.T:
        np.add.at(counts, (groups, of_label), 1)
    counts[:, -1] = np.bincount(groups)
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    order = np.arange(n_groups) if rng is None else rng.permutation(n_groups)
    order = order[np.argsort(-(shares[order] ** 2).sum(axis=1), kind="stable")]
    held, fold_of = np.zeros((n_folds, shares.shape[1])), np.empty(n_groups, dtype=np.intp)
    for group in order:
        best = np.arange(n_folds)
        # A group of shares q makes s² into s² + 2 s q + q², of which only s q differs between folds.
        for cost in (held @ shares[group], held[:, -1]):
            best = best[cost[best] <= cost[best].min() + TIE]
        fold = best[0] if rng is None or len(best) == 1 else best[rng.randint(len(best))]
        fold_of[group] = fold
        held[fold] += shares[group]
    found: np.ndarray = fold_of[groups]
    return found


def numbered(strata: Sequence[Strata]) -> np.ndarray:
    """Return the codes of several labels side by side, numbered over all of them."""
    offsets = np.cumsum([0, *(one.n_strata for one in strata[:-1])])
    return np.column_stack([one.codes + offset for one, offset in zip(strata, offsets, strict=True)])
