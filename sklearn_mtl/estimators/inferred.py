"""Kinds that were told from labels, and labels that would tell others."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sklearn_mtl.estimators.rows import Rows
from sklearn_mtl.targets import Column
from sklearn_mtl.targets.kinds import MOST_CLASSES

if TYPE_CHECKING:
    from sklearn_mtl.estimators.base import BaseMultiTask

FIRST_ROWS = 1000


@dataclass(frozen=True, eq=False)
class Seen:
    """What ``fit`` saw of a task whose kind more labels could change.

    Parameters
    ----------
    values : ndarray of shape (n_values,) or (0, n_outputs)
        The distinct labels; none of a block, where other labels tell another kind by themselves.
    gap : bool
        Whether any was missing.
    """

    values: np.ndarray
    gap: bool

    def changes(self, column: Column) -> Column | None:
        """Return these labels with new ones among them; None where there are none."""
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


def guessed(estimator: BaseMultiTask, names: Sequence[str]) -> list[str]:
    """Return the tasks whose kinds were told from their labels: none where an estimator has one kind.

    Parameters
    ----------
    estimator : BaseMultiTask
        Its ``tasks`` say the others.
    names : sequence of str
        All tasks.
    """
    return [name for name in names if estimator._guesses and name not in (estimator.tasks or {})]


def seen_labels(rows: Rows, *, names: Sequence[str]) -> dict[str, Seen]:
    """Return what was seen of the tasks whose kind was told from labels, and could be another by more.

    Numbers of few distinct values, all of them whole, may become a regression by more values, or a
    classification by gaps; a block of 0 and 1 a regression by other numbers. The rest stays what it is.

    Parameters
    ----------
    rows : Rows
        Those of ``fit``.
    names : sequence of str
        The tasks.
    """
    found = {name: _seen(rows.columns[name]) for name in names}
    return {name: seen for name, seen in found.items() if seen is not None}


def _seen(column: Column) -> Seen | None:
    known = column.known
    if known.dtype.kind not in "iuf" or isinstance(column.dtype, pd.CategoricalDtype):
        return None
    if column.values.ndim == 2:
        is_binary = bool(((known == 0) | (known == 1)).all())
        return Seen(column.values[:0], gap=False) if is_binary else None
    # The first rows mostly settle it.
    for some in (known[:FIRST_ROWS], known):
        values = _distinct(some)
        if len(values) > MOST_CLASSES or (values != np.rint(values)).any():
            return None
    return Seen(np.sort(values), bool(column.missing.any()))


def _distinct(known: np.ndarray) -> np.ndarray:
    if known.dtype.kind in "iu" and len(known):
        low, reach = int(known.min()), int(known.max()) - int(known.min())
        if reach < MOST_CLASSES:
            # Counting takes a fraction of the time of hashing.
            return (np.flatnonzero(np.bincount((known - low).astype(np.intp))) + low).astype(known.dtype)
    return pd.unique(known)


def warn_of_other_kinds(estimator: BaseMultiTask, columns: Mapping[str, Column]) -> None:
    """Warn if kinds that ``fit`` told from labels are others with the labels that are scored.

    In a cross-validation the labels of ``fit`` and those that are scored are all labels: a fold that
    took the kind for another one is told apart, and its scores are by another metric.

    Parameters
    ----------
    estimator : BaseMultiTask
        Fitted.
    columns : mapping of str to Column
        The labels to be scored.
    """
    seen = estimator._fitted.seen
    unlike = {
        name: changed
        for name in seen
        if name in columns and (changed := seen[name].changes(columns[name])) is not None
    }
    found: dict[str, Any] = {}
    for name, column in unlike.items():
        kind = _told(estimator, column)
        if kind not in (None, estimator.tasks_[name].kind):
            found[name] = kind
    if found:
        taken = {name: estimator.tasks_[name].kind for name in list(found)[:10]}
        warnings.warn(
            f"`fit` told the kinds of tasks from the labels it had: {taken}. With those that are scored now "
            f"they would be {dict(list(found.items())[:10])}. In cross-validation other folds may have told "
            "so, and their scores are by other metrics; `tasks` says the kinds to every fit.",
            stacklevel=5,
        )


def _told(estimator: BaseMultiTask, column: Column) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return estimator._infer_kinds({column.name: column})[column.name].kind
        except ValueError:
            return None
