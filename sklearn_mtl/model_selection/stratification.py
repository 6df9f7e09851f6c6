"""Strata of rows by the labels of tasks, and their distribution over the parts of a split."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.targets import Column
from sklearn_mtl.targets.kinds import MOST_CLASSES
from sklearn_mtl.tasks import TaskKind, resolve_kind

# Numbers of many distinct values, each of few rows, are quantities.
FEWEST_ROWS_OF_A_CLASS = 5
# Shares are floats: what differs by less is a tie.
TIE = 1e-9


@dataclass(frozen=True, eq=False)
class Strata:
    """Rows by the classes of one task, or of one label of a multilabel task.

    Parameters
    ----------
    task : str
        The task.
    classes : list
        Its classes in order of appearance.
    codes : ndarray of int, shape (n_rows,)
        Position of each row's class; ``len(classes)`` for rows without a label, a stratum of their own.
    """

    task: str
    classes: list[Any]
    codes: np.ndarray


def strata_of(columns: Mapping[str, Column], tasks: Sequence[str] | Mapping[str, Any]) -> list[Strata]:
    """Return the strata of the given tasks, one for each label of a multilabel task.

    Parameters
    ----------
    columns : mapping of str to Column
        Labels by task.
    tasks : sequence of str, or mapping of str to str or TaskKind
        Those to stratify by; of a mapping, the kinds say the strata.

    Raises
    ------
    ValueError
        If there is no such task, or its labels are one stratum, as those of a regression.
    """
    found = []
    for task in tasks:
        if task not in columns:
            raise ValueError(f"`task` must be among the tasks of y, {list(columns)}. Found {task!r}.")
        if isinstance(tasks, Mapping):
            found.append(_of_kind(columns[task], resolve_kind(task, tasks[task])))
            continue
        _refuse_regression(columns[task])
        values, missing = columns[task].values, columns[task].missing
        blocks = [(values, missing)] if values.ndim == 1 else zip(values.T, missing.T, strict=True)
        for of_label, gaps in blocks:
            codes, classes = pd.factorize(of_label[~gaps])
            every = np.full(len(gaps), len(classes), dtype=np.intp)
            every[~gaps] = codes
            found.append(Strata(task, list(classes), every))
    return found


def _of_kind(column: Column, kind: TaskKind) -> Strata:
    """Return the strata that a kind sees in the labels, each named by the first label of it."""
    codes = kind.strata(column)
    n_strata = int(codes.max(initial=-1)) + 1
    if n_strata < 2:
        raise ValueError(
            "`task` must map to kinds that see several strata in the labels, as a classification does. "
            f"Found {kind!r} for task {column.name!r}."
        )
    first = [np.asarray(column.values[np.argmax(codes == code)]).tolist() for code in range(n_strata)]
    return Strata(column.name, first, np.where(codes < 0, n_strata, codes))


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
    wanted = np.outer(left, shares)
    room = sizes.astype(np.float64)
    parts = np.full(n_rows, -1, dtype=np.intp)
    while left.any():
        rarest = np.where(left > 0, left, n_rows + 1).argmin()
        for row in order[(parts[order] < 0) & (codes[order] == rarest).any(axis=1)]:
            best = np.flatnonzero(room > 0)
            for desire in (wanted[rarest], wanted[codes[row]].sum(axis=0), room):
                best = best[desire[best] >= desire[best].max() - TIE]
            part = best[0] if rng is None or len(best) == 1 else best[rng.randint(len(best))]
            parts[row] = part
            wanted[codes[row], part] -= 1
            room[part] -= 1
            left[codes[row]] -= 1
    return parts


def numbered(strata: Sequence[Strata]) -> np.ndarray:
    """Return the codes of several labels side by side, numbered over all of them."""
    offsets = np.cumsum([0, *(len(one.classes) + 1 for one in strata[:-1])])
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
        counts = np.bincount(one.codes[train], minlength=len(one.classes) + 1)
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


def _refuse_regression(column: Column) -> None:
    known = column.values[~column.missing]
    if known.dtype.kind not in "iuf":
        return
    n_values = len(np.unique(known))
    fractions = known.dtype.kind == "f" and bool((known != np.round(known)).any())
    if fractions or (n_values > MOST_CLASSES and len(known) < FEWEST_ROWS_OF_A_CLASS * n_values):
        raise ValueError(
            f"`task` must name classification tasks. Found {column.name!r}, whose {n_values} distinct "
            "numbers look like a regression; to stratify by it, bin it: "
            f"bins = pandas.qcut(y[{column.name!r}], 5, labels=False), and "
            "cv=list(StratifiedKFold(5).split(X, bins))."
        )
