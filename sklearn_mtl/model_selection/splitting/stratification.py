"""Strata of rows by the labels of tasks, and their distribution over the parts of a split."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.recipes import resolve
from sklearn_mtl.targets import Column
from sklearn_mtl.targets.kinds import MOST_CLASSES
from sklearn_mtl.tasks import KINDS, TaskKind

# Numbers of many distinct values, each of few rows, are quantities.
FEWEST_ROWS_OF_A_CLASS = 5
# Shares are floats: what differs by less is a tie.
TIE = 1e-9


@dataclass(frozen=True, eq=False)
class Strata:
    """Rows by the labels of one task: by class, by bin, or by whether there is a label.

    Parameters
    ----------
    task : str
        The task.
    codes : ndarray of int, shape (n_rows,)
        Stratum of each row; the last is that of the rows without a label.
    n_strata : int
        Number of strata, empty ones included.
    classes : list
        What the first strata are called, where they are classes: none of them should be lost.
    """

    task: str
    codes: np.ndarray
    n_strata: int
    classes: list[Any] = field(default_factory=list)


def strata_of(
    columns: Mapping[str, Column], tasks: Sequence[str] | Mapping[str, Any], n_bins: int, fewest: int
) -> list[Strata]:
    """Return the strata of the given tasks, one for each label or output of a two-dimensional one.

    Where there are several, those of a task with gaps are followed by whether a row has a label of it,
    so that the labels of small tasks are spread too.

    Parameters
    ----------
    columns : mapping of str to Column
        Labels by task.
    tasks : sequence of str, or mapping of str to str or TaskKind
        Those to stratify by. A kind of a mapping says the strata, where it sees several.
    n_bins : int
        Most bins of a regression, each of about as many labels.
    fewest : int
        Labels of a bin that are enough for every part to have one: of fewer, all might go to one part.

    Raises
    ------
    ValueError
        If there is no such task.
    """
    unknown = [task for task in tasks if task not in columns]
    if unknown:
        raise ValueError(f"`task` must be among the tasks of y, {list(columns)}. Found {unknown[0]!r}.")
    found: list[Strata] = []
    for task in tasks:
        of_kind = _of_kind(columns[task], tasks[task]) if isinstance(tasks, Mapping) else None
        found += _of_labels(columns[task], n_bins, fewest) if of_kind is None else [of_kind]
    if len(found) > 1:
        found += [
            Strata(task, of_some.astype(np.intp), 2)
            for task in tasks
            if (of_some := _without_label(columns[task])).any()
        ]
    return found


def _of_kind(column: Column, kind: str | TaskKind) -> Strata | None:
    """Return the strata that a kind sees in the labels, named by their first labels; None of only one."""
    codes = resolve(KINDS, kind, f" for task {column.name!r}").strata(column)
    n_strata = int(codes.max(initial=-1)) + 1
    if n_strata < 2:
        return None
    first = [np.asarray(column.values[np.argmax(codes == code)]).tolist() for code in range(n_strata)]
    return Strata(column.name, np.where(codes < 0, n_strata, codes), n_strata + 1, first)


def _of_labels(column: Column, n_bins: int, fewest: int) -> list[Strata]:
    """Return the strata of the classes or numbers of each of a task's columns."""
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


def _without_label(column: Column) -> np.ndarray:
    return column.missing if column.missing.ndim == 1 else np.asarray(column.missing.all(axis=1))


def block_folds(codes: np.ndarray, n_folds: int, rng: np.random.RandomState | None = None) -> np.ndarray:
    """Return the fold of each row, rows of one stratum in blocks, as scikit-learn's StratifiedKFold.

    Unlike there, a stratum may have fewer rows than there are folds.

    Parameters
    ----------
    codes : ndarray of int, shape (n_rows,)
        Stratum of each row.
    n_folds : int
        Number of folds.
    rng : RandomState, optional
        Shuffles the rows of each stratum.
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

    The stratum of which the fewest rows are left goes first; each of its rows goes to the part that
    wants that stratum most, among those to the one that wants all strata of the row most, which the paper
    does not ask, and then to the one with most room. Parts have exactly the given sizes.

    Parameters
    ----------
    codes : ndarray of int, shape (n_rows, n_labels)
        Strata of each row, numbered over all labels.
    sizes : ndarray of int, shape (n_parts,)
        Rows of each part; their sum is n_rows.
    shares : ndarray of float, shape (n_parts,)
        Share of each stratum that a part should have.
    rng : RandomState, optional
        Of the order of the rows, and of ties; by default the first is taken.

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
    wanted = np.outer(left, shares)
    room = sizes.astype(np.float64)
    parts = np.full(n_rows, -1, dtype=np.intp)
    while left.any():
        rarest = np.where(left > 0, left, n_rows + 1).argmin()
        for row in order[(parts[order] < 0) & (codes[order, label_of[rarest]] == rarest)]:
            best = np.flatnonzero(room > 0)
            for desire in (wanted[rarest], wanted[codes[row]].sum(axis=0), room):
                best = best[desire[best] >= desire[best].max() - TIE]
            part = best[0] if rng is None or len(best) == 1 else best[rng.randint(len(best))]
            parts[row] = part
            wanted[codes[row], part] -= 1
            room[part] -= 1
            left[codes[row]] -= 1
    return parts


def group_folds(
    codes: np.ndarray, groups: np.ndarray, n_folds: int, rng: np.random.RandomState | None = None
) -> np.ndarray:
    """Return the fold of each row, rows of one group in one fold, every stratum spread evenly.

    Let s be the share of a stratum's rows that a fold holds. The groups are placed one after the other,
    those of the largest shares first, each where it adds least to the sum of s² over folds and strata.
    As the shares of a stratum add up to 1, that sum is least where they are equal. The rows themselves
    count as one more stratum.

    Parameters
    ----------
    codes : ndarray of int, shape (n_rows, n_labels)
        Strata of each row, numbered over all labels.
    groups : ndarray of int, shape (n_rows,)
        Number of each row's group; each number below the largest occurs.
    n_folds : int
        Number of folds, at most the number of groups.
    rng : RandomState, optional
        Of the order of groups of the same shares, and of ties; by default the first is taken.
    """
    n_groups = groups.max() + 1
    # The rows themselves come last: also they are to be spread.
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
        # (s + q)² is s² + 2 s q + q²: of a group's shares q only s q differs between folds.
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


def warn_of_losses(
    train: np.ndarray, test: np.ndarray, strata: Sequence[Strata], columns: Mapping[str, Column]
) -> None:
    """Warn if the training rows lack a class that there is, or either part all labels of a task.

    Parameters
    ----------
    train, test : ndarray of int
        Rows of the two parts.
    strata : sequence of Strata
        Whose classes are looked after.
    columns : mapping of str to Column
        Labels of all tasks.
    """
    for one in strata:
        counts = np.bincount(one.codes[train], minlength=one.n_strata)
        lost = [label for label, count in zip(one.classes, counts, strict=False) if count == 0]
        if lost:
            warnings.warn(
                f"A training part has no row of the classes {lost} of task {one.task!r}: too few rows have "
                "them for this many parts.",
                stacklevel=2,
            )
    for name, column in columns.items():
        for part, rows in (("training", train), ("test", test)):
            if column.missing[rows].all() and not column.missing.all():
                warnings.warn(f"A {part} part has no label of task {name!r}.", stacklevel=2)
