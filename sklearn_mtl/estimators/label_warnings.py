"""Warnings of labels that are no error, but hardly ever what is meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.data import Table
from sklearn_mtl.estimators.row_index import index_of, indexes
from sklearn_mtl.features import listed, named
from sklearn_mtl.messages import shown
from sklearn_mtl.sharing import Sharing
from sklearn_mtl.targets import Column
from sklearn_mtl.tasks import Task, TaskSet

# Columns are compared with labels in so many rows first. Fewer labels than this may be equal by chance.
ROWS_TO_COMPARE_FIRST = 64
FEWEST_LABELS = 32
# A class of few rows may by chance lie wholly outside the training rows of a fold: one of so many
# does so in one of 625 folds of five. What is left costs the score less than a tenth.
FEWEST_ROWS = 5
SHARE = 0.1
MOST_NAMED = 10


def warn_of_other_order(X: Any, others: Mapping[str, Any], name: str = "X") -> None:
    """Warn if what belongs to the rows of X has their index labels in another order.

    Parameters
    ----------
    X : object
        The features as the user gave them; only the index of a pandas object is looked at. The inputs of
        several belong to the rows of the first that has an index.
    others : mapping of str to object
        Labels and weights by the name of the parameter: pandas objects, or mappings to such.
    name : str, default="X"
        Name of the argument that X was passed as, for messages.

    Examples
    --------
    >>> X = pd.DataFrame({"area": [50, 80]}, index=["u", "v"])
    >>> warn_of_other_order(X, {"y": pd.Series([1.0, 2.0], index=["u", "v"])})
    """
    of_rows = [(name, X), *others.items()]
    found = [
        (parameter + "".join(f"[{shown(name)}]" for name in names), index)
        for parameter, given in of_rows
        for names, index in indexes(given)
    ]
    index_of_x = index_of(X)
    if index_of_x is None:
        return
    name = found[0][0]
    shuffled = [of for of, index in found[1:] if _has_other_order(index_of_x, index)]
    if shuffled:
        first = shuffled[0]
        warn_caller(
            f"The index of `{name}` and that of {named(shuffled)} hold the same labels in another order. "
            f"Rows are paired by position, not by label: `{first}.loc[{name}.index]` puts them in the order "
            f"of `{name}`, `{first}.reset_index(drop=True)` says that they are in it already.",
        )


def warn_of_labels_in(X: Any, columns: Mapping[str, Column]) -> None:
    """Warn of tasks whose labels are a column of X too: one of the task's name, or one of equal numbers.

    Parameters
    ----------
    X : object
        The features as `read_features` returns them. Columns without names are not looked at: they were
        chosen one by one.
    columns : mapping of str to Column
        The labels of each task.
    """
    if not isinstance(X, pd.DataFrame):
        return
    places = [place for place, dtype in enumerate(X.dtypes) if _is_numeric(dtype)]
    # By position: a list of the one name True would be taken for a mask.
    head = X.iloc[:ROWS_TO_COMPARE_FIRST, places].to_numpy(dtype=np.float64)
    numeric = [X.columns[place] for place in places]
    # In a MultiIndex, too, a name is the name of one column.
    names = set(X.columns)
    found = []
    for task, labels in columns.items():
        if labels.missing.ndim == 1:
            alike = [*([task] if task in names else []), *(numeric[i] for i in _alike(head, labels))]
            found += [(task, name) for name in dict.fromkeys(alike) if _is_equal(X[name], labels)]
    if found:
        copied = listed([f"those of task {shown(task)} in {shown(name)}" for task, name in found])
        warn_caller(
            f"Columns of `X` hold the labels of tasks: {copied}. With them nothing is predicted, only "
            "copied: drop them from `X`.",
        )


def warn_of_unknown_labels(scored: Iterable[tuple[Task, Column, np.ndarray]]) -> None:
    """Warn, once for all tasks, if many of the labels to be scored are none of the classes.

    Many are all of them, or a tenth. For the tenth, labels that fewer than five rows have do not count:
    in a cross-validation the fold may lack a rare class.

    Parameters
    ----------
    scored : iterable of (Task, Column, ndarray of shape (n_rows,))
        Tasks, their labels and the weights of the rows.
    """
    found = [words for each in scored if (words := _unknown(*each))]
    if found:
        more = f"; and {len(found) - MOST_NAMED} more tasks" if len(found) > MOST_NAMED else ""
        warn_caller(
            "Labels that are none of the classes of their task count as wrong, whatever is predicted; write "
            f"labels as in `fit`. Found {'; '.join(found[:MOST_NAMED])}{more}.",
        )


def warn_of_labels_for(table: Table, tasks: TaskSet, *, sharing: Sharing) -> None:
    """Warn of labels that a way of sharing is not for, if it says so.

    Parameters
    ----------
    table : Table
        All labelled rows.
    tasks : TaskSet
        The tasks.
    sharing : Sharing
        The recipe for how tasks share trunks.
    """
    words = sharing.label_warning(tasks.ordered, table.labels_of_sample(len(table)))
    if words:
        warn_caller(words)


def _has_other_order(index: pd.Index, other: pd.Index) -> bool:
    if index is other or len(index) != len(other) or index.equals(other):
        return False
    return bool(index.isin(other).all() and other.isin(index).all())


def _is_numeric(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def _alike(head: np.ndarray, labels: Column) -> np.ndarray:
    """Return which columns equal the first labels; none of few labels, which may be equal by chance."""
    if not _is_numeric(labels.values.dtype) or np.count_nonzero(~labels.missing) < FEWEST_LABELS:
        return np.empty(0, dtype=np.intp)
    known = ~labels.missing[: len(head)]
    return np.flatnonzero((head[known] == labels.values[: len(head)][known, None]).all(axis=0))


def _is_equal(column: pd.Series, labels: Column) -> bool:
    """Whether a column equals all labels where both are known, and they vary."""
    values = np.asarray(column)
    known = ~labels.missing & ~column.isna().to_numpy()
    here, there = values[known], labels.values[known]
    if not (_is_numeric(here.dtype) and _is_numeric(there.dtype)):
        # NumPy can't compare all dtypes.
        here, there = here.astype(object), there.astype(object)
    return bool(np.all(here == there)) and len(pd.unique(there)) > 1


def _unknown(task: Any, column: Column, weight: np.ndarray) -> str:
    """Return in words which labels of a task are unknown; nothing where they are few."""
    if not task.has_classes:
        return ""
    labels = column.take(weight > 0).known
    unknown = task.unknown(labels)
    if len(unknown) == 0:
        return ""
    counts = pd.Series(unknown).value_counts()
    n_telling = int(counts[counts >= FEWEST_ROWS].sum())
    if len(unknown) < len(labels) and n_telling < SHARE * len(labels):
        return ""
    return (
        f"{len(unknown)} of {len(labels)} labels of task {shown(task.name)}, such as "
        f"{shown(counts.index[:5].tolist())} "
        f"for the classes {shown(task.classes[:5].tolist())}"
    )
