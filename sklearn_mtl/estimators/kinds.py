"""What kind each task is: the rule of an estimator, and labels that would make it another kind."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.estimators.rows import Rows
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, PositionColumn, infer_kinds
from sklearn_mtl.targets.kinds import MOST_CLASSES
from sklearn_mtl.tasks import KINDS, TaskKind

FIRST_ROWS = 1000


class KindRule(ABC):
    """How an estimator decides on the kinds of the tasks that ``tasks`` does not name."""

    # Whether labels decide, so that other labels might decide otherwise.
    from_labels: ClassVar[bool] = False

    @abstractmethod
    def infer(self, columns: Mapping[str, Column]) -> dict[str, TaskKind]:
        """Return the kind of each task.

        Parameters
        ----------
        columns : mapping of str to Column
            The labels of tasks that ``tasks`` does not name.
        """

    @abstractmethod
    def check(self, owner: str, kinds: Mapping[str, TaskKind]) -> None:
        """Raise a ``ValueError`` for a kind that the estimator does not take.

        Parameters
        ----------
        owner : str
            Class of the estimator, for the message.
        kinds : mapping of str to TaskKind
            The kinds of all tasks.
        """


@dataclass(frozen=True)
class KindsFromLabels(KindRule):
    """Any kind of task; kinds that ``tasks`` does not name are inferred from labels."""

    from_labels = True

    def infer(self, columns: Mapping[str, Column]) -> dict[str, TaskKind]:
        """Return the kinds that `infer_kinds` infers from the labels."""
        # The line that called ``fit`` is the one to change.
        return {name: KINDS[kind]() for name, kind in infer_kinds(columns).items()}

    def check(self, owner: str, kinds: Mapping[str, TaskKind]) -> None:
        """Take every kind."""


@dataclass(frozen=True)
class KindsOfType(KindRule):
    """Kinds of one type of scikit-learn's estimators only; nothing is inferred from labels.

    Parameters
    ----------
    estimator_type : {"classifier", "regressor"}
        The type.
    column : type of TaskKind
        What a task of one-dimensional labels is.
    block : type of TaskKind
        What a task of two-dimensional labels is.
    """

    estimator_type: str
    column: type[TaskKind]
    block: type[TaskKind]

    def infer(self, columns: Mapping[str, Column]) -> dict[str, TaskKind]:
        """Return the kind of one-dimensional or of two-dimensional labels; those of positions are refused."""
        for name, column in columns.items():
            if isinstance(column, PositionColumn):
                raise ValueError(
                    f"A task of a {self.estimator_type} must have labels for the whole row. Found one for "
                    f"each position of a row of task {shown(name)}; MultiTaskClassifierRegressor takes those."
                )
        return {
            name: self.block() if column.values.ndim == 2 else self.column()
            for name, column in columns.items()
        }

    def check(self, owner: str, kinds: Mapping[str, TaskKind]) -> None:
        """Raise a ``ValueError`` for a kind of another type."""
        for name, kind in kinds.items():
            if kind.estimator_type != self.estimator_type:
                ours = [of.__name__ for of in KINDS.values() if of.estimator_type == self.estimator_type]
                raise ValueError(
                    f"`tasks` of {owner} must hold {' or '.join(ours)}, or kinds of `estimator_type` "
                    f"{self.estimator_type!r}, only. "
                    f"Found {shown(kind)} for task {shown(name)}; MultiTaskClassifierRegressor takes "
                    "all kinds."
                )


@dataclass(frozen=True, eq=False)
class SeenLabels:
    """Labels of ``fit`` from which a kind was inferred that more labels could change.

    Parameters
    ----------
    values : ndarray of shape (n_values,) or (0, n_outputs)
        The distinct labels; none of a block, since other labels make it another kind by themselves.
    gap : bool
        Whether any label was missing.
    """

    values: np.ndarray
    gap: bool

    def with_new(self, column: Column) -> Column | None:
        """Return these labels with new ones among them; None where there are no new ones."""
        if column.values.shape[1:] != self.values.shape[1:] or column.values.dtype.kind not in "iuf":
            return None
        new = pd.unique(column.known) if self.values.ndim == 1 else column.values[~column.missing.any(axis=1)]
        gap = bool(column.missing.any())
        if self.values.ndim == 1 and np.isin(new, self.values).all() and gap <= self.gap:
            return None
        values = np.concatenate([self.values, new, self.values[:1]])
        missing = np.zeros(values.shape, dtype=bool)
        # The last row stands for a gap.
        missing[len(self.values) + len(new) :] = self.gap or gap
        return Column(column.name, values, missing, values.dtype)


def seen_labels(rows: Rows, *, names: Sequence[str]) -> dict[str, SeenLabels]:
    """Return the labels of the tasks whose kind was inferred, and might be another with more labels.

    Numbers of few distinct values, all of them whole, may become a regression by more values, or a
    classification by gaps; a block of 0 and 1 a regression by other numbers. The rest stays what it is.

    Parameters
    ----------
    rows : Rows
        The rows of ``fit``.
    names : sequence of str
        The tasks whose kind was inferred.
    """
    found = {name: _seen(rows.columns[name]) for name in names}
    return {name: seen for name, seen in found.items() if seen is not None}


def _seen(column: Column) -> SeenLabels | None:
    known = column.known
    is_sure = isinstance(column.dtype, pd.CategoricalDtype) or isinstance(column, PositionColumn)
    if is_sure or known.dtype.kind not in "iuf":
        return None
    if column.values.ndim == 2:
        is_binary = bool(((known == 0) | (known == 1)).all())
        return SeenLabels(column.values[:0], gap=False) if is_binary else None
    # The first rows mostly settle it.
    for some in (known[:FIRST_ROWS], known):
        values = _distinct(some)
        if len(values) > MOST_CLASSES or (values != np.rint(values)).any():
            return None
    return SeenLabels(np.sort(values), bool(column.missing.any()))


def _distinct(known: np.ndarray) -> np.ndarray:
    if known.dtype.kind in "iu" and len(known):
        low, reach = int(known.min()), int(known.max()) - int(known.min())
        if reach < MOST_CLASSES:
            # Counting takes a fraction of the time of hashing.
            places = np.flatnonzero(np.bincount((known - low).astype(np.intp)))
            # In the dtype of the labels: those beyond 2**63 are none of numpy's other integers.
            return places.astype(known.dtype) + known.dtype.type(low)
    return pd.unique(known)


def warn_of_other_kinds(
    seen: Mapping[str, SeenLabels], taken: Mapping[str, str], columns: Mapping[str, Column]
) -> None:
    """Warn if kinds that ``fit`` inferred are others with the labels that are scored.

    In a cross-validation the labels of ``fit`` and those that are scored are all labels. If a task is of
    another kind in one fold than in the others, its scores there are by another metric.

    Parameters
    ----------
    seen : mapping of str to SeenLabels
        The labels of ``fit``, as `seen_labels` returns them.
    taken : mapping of str to str
        The kind of each task, in a word.
    columns : mapping of str to Column
        The labels to be scored.
    """
    found: dict[str, str] = {}
    for name, of_task in seen.items():
        column = of_task.with_new(columns[name]) if name in columns else None
        kind = None if column is None else _kind_of(column)
        if kind not in (None, taken[name]):
            found[name] = kind
    if found:
        before = {name: taken[name] for name in list(found)[:10]}
        warn_caller(
            f"`fit` told the kinds of tasks from the labels it had: {before}. With those that are scored now "
            f"they would be {dict(list(found.items())[:10])}. In cross-validation other folds may have told "
            "so, and their scores are by other metrics; `tasks` says the kinds to every fit.",
        )


def _kind_of(column: Column) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return KindsFromLabels().infer({column.name: column})[column.name].kind
        except ValueError:
            return None
