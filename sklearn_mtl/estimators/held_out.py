"""The rows that each net holds out for early stopping: a share of them, or what a splitter says."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_mtl.data import RowSplit, held_out_groups, held_out_rows
from sklearn_mtl.estimators.checks import is_splitter
from sklearn_mtl.estimators.groups import read_groups
from sklearn_mtl.estimators.once import Once
from sklearn_mtl.estimators.pairing import warn_of_other_order
from sklearn_mtl.estimators.rows import Rows
from sklearn_mtl.targets import Column, MultiTaskTarget
from sklearn_mtl.tasks import TaskKind


def hold_out(
    rows: Rows,
    kinds: Mapping[str, TaskKind],
    how: Any,
    source: tuple[Any, Any, Any],
    draws: tuple[int, int],
    once: Once,
) -> list[RowSplit]:
    """Return the rows that each net learns from, and those it holds out.

    A share of the rows is stratified by the first task of several strata; of groups, whole ones are
    held out. Of a splitter's parts the last ones are taken, which learn from most where they grow.

    Parameters
    ----------
    rows : Rows
        Labelled rows.
    kinds : mapping of str to TaskKind
        Say the strata of each task's labels.
    how : float, splitter or None
        Which share; none of them for None.
    source : tuple
        X, y and groups as the user gave them, groups maybe None.
    draws : tuple of int
        Number of nets, and the seed of the share.
    once : callable
        As of `prepare`.
    """
    n_nets, seed = draws
    if how is None:
        return [once(_nothing, rows)] * n_nets
    X, y, groups = source
    # Kinds that differ in a parameter only mostly have the strata in common.
    strata = once(_strata, rows, of_kinds=[kind.strata for kind in kinds.values()])
    numbers = None if groups is None else once(_numbers, rows, X, groups)
    found: list[RowSplit] = (
        once(_by_splitter, rows, strata, numbers, X, y, groups, splitter=how, n_nets=n_nets)
        if is_splitter(how)
        else once(_share, rows, strata, numbers, fraction=how, n_nets=n_nets, seed=seed)
    )
    return found


def learnt_by_some(rows: Rows, splits: list[RowSplit]) -> Rows:
    """Return the rows that some net learns from: others take no part in scales and levels."""
    train = splits[0].train
    for split in splits[1:]:
        train = np.union1d(train, split.train)
    return rows.take(train)


def _nothing(rows: Rows) -> RowSplit:
    return RowSplit.from_validation(np.empty(0, dtype=np.intp), len(rows))


def _strata(rows: Rows, *, of_kinds: Sequence[Callable[[Column], np.ndarray]]) -> list[np.ndarray]:
    """Return the stratum of each row for each task, -1 without a label of positive weight."""
    return [
        np.where(rows.of_task(position) > 0, of_kind(column), -1)
        for position, (of_kind, column) in enumerate(zip(of_kinds, rows.columns.values(), strict=True))
    ]


def _numbers(rows: Rows, X: Any, groups: Any) -> np.ndarray:
    """Return the number of each row's group, of those that these rows have."""
    warn_of_other_order(X, {"groups": groups})
    numbers = read_groups(groups, len(rows.X))
    return np.unique(numbers if rows.index is None else numbers[rows.index], return_inverse=True)[1]


def _share(
    rows: Rows,
    strata: list[np.ndarray],
    groups: np.ndarray | None,
    *,
    fraction: float,
    n_nets: int,
    seed: int,
) -> list[RowSplit]:
    rng = np.random.RandomState(seed)
    if groups is None:
        of_several = next((codes + 1 for codes in strata if codes.max() > 0), None)
        drawn = held_out_rows(len(rows), fraction, n_nets, of_several, rng)
    else:
        if groups.max() == 0:
            warnings.warn(
                "`groups` should hold several groups, of which some can be held out. Found one: no row is "
                "held out, and training does not stop early.",
                stacklevel=2,
            )
        drawn = held_out_groups(groups, fraction, n_nets, rng)
    return [
        RowSplit.from_validation(validation, len(rows)).with_every_class_in_training(strata, groups)
        for validation in drawn
    ]


def _by_splitter(
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
    y = MultiTaskTarget(y) if isinstance(y, Mapping) and not isinstance(y, MultiTaskTarget) else y
    # It splits all rows as they were given; those without a label are not among ours.
    found = list(_among(rows, _splits(splitter, X, y, groups)))[-n_nets:]
    if not found or any(len(split.train) == 0 for split in found):
        raise ValueError(
            "`validation_fraction` as a splitter must give splits with labelled rows to learn from. "
            f"Found {len(found)} splits of {splitter!r}."
        )
    found = [split.with_every_class_in_training(strata, numbers) for split in found]
    return [found[net % len(found)] for net in range(n_nets)]


def _splits(splitter: Any, X: Any, y: Any, groups: Any) -> list[Any]:
    try:
        return list(splitter.split(X, y, groups))
    except (TypeError, ValueError) as error:
        found, why = f"`validation_fraction` can't split the rows. Found {splitter!r}", str(error)
        if groups is None and "groups" in why:
            why = "which needs groups; fit(X, y, groups=...) says them."
        elif isinstance(error, TypeError) and isinstance(y, MultiTaskTarget):
            why = "which is made for a single target; TaskStratifiedKFold of model_selection takes several."
        raise ValueError(f"{found}, {why}") from error


def _among(rows: Rows, splits: Any) -> Iterator[RowSplit]:
    places = np.full(len(rows.X), -1)
    places[slice(None) if rows.index is None else rows.index] = np.arange(len(rows))
    for parts in splits:
        train, validation = (np.unique(places[part]) for part in parts)
        yield RowSplit(train[train >= 0], validation[validation >= 0])
