"""What ``fit`` is given, and what it reads from that: rows that some task can learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_mtl.estimators.label_warnings import warn_of_labels_in, warn_of_other_order
from sklearn_mtl.estimators.scikit_learn_private import check_sample_weight
from sklearn_mtl.features import AcceptedInput, SharedRows, unmasked
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, Targets, frame_columns, is_frame, read_targets
from sklearn_mtl.tasks import Responses


@dataclass(frozen=True, eq=False)
class FitData:
    """What ``fit`` is given, as the user gave it.

    Parameters
    ----------
    X, y, sample_weight, X_val, y_val, groups
        As in ``fit``; `X_val` and `y_val` both, or neither.
    """

    X: Any
    y: Any
    sample_weight: Any = None
    X_val: Any = None
    y_val: Any = None
    groups: Any = None

    def __post_init__(self) -> None:
        """Raise a ``ValueError`` if one of `X_val` and `y_val` is given without the other."""
        if (self.X_val is None) != (self.y_val is None):
            raise ValueError("`X_val` and `y_val` must be given together. Found one without the other.")

    @property
    def has_validation(self) -> bool:
        """Whether the user gave rows to stop training on."""
        return self.X_val is not None


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of X with their labels and weights.

    Parameters
    ----------
    X : ndarray, DataFrame or StreamedRows
        The features of these rows, and maybe of others.
    columns : dict of str to Column
        Labels of these rows, by task.
    weight : ndarray of float64, shape (n_rows, 1) or (n_rows, n_tasks)
        Sample weights of these rows.
    weighted : bool
        Whether the user gave any weights.
    index : ndarray of int, optional
        Where these rows are in X, which is not copied; all of X by default.
    """

    X: Any
    columns: dict[str, Column]
    weight: np.ndarray
    weighted: bool
    index: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.weight)

    def of_task(self, position: int) -> np.ndarray:
        """Return the weight of each row for one task."""
        return self.weight[:, min(position, self.weight.shape[1] - 1)]

    def take(self, rows: np.ndarray) -> Rows:
        """Return the given rows, in ascending order."""
        if len(rows) == len(self):
            return self
        columns = {name: column.take(rows) for name, column in self.columns.items()}
        index = rows if self.index is None else self.index[rows]
        return Rows(self.X, columns, self.weight[rows], self.weighted, index)

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Return where in X the given rows are."""
        return rows if self.index is None else self.index[rows]

    def without(self, *, names: Sequence[str]) -> Rows:
        """Return the rows without the labels and weights of some tasks."""
        if not names:
            return self
        kept = [place for place, name in enumerate(self.columns) if name not in names]
        columns = {name: column for name, column in self.columns.items() if name not in names}
        weight = self.weight if self.weight.shape[1] == 1 else self.weight[:, kept]
        return Rows(self.X, columns, weight, self.weighted, self.index)

    def unlabelled(self) -> list[str]:
        """Return the tasks that have no label of positive weight."""
        return [
            name
            for place, name in enumerate(self.columns)
            if not self._known(place, self.columns[name]).any()
        ]

    def labelled(self, name: str = "y") -> Rows:
        """Return the rows that have some label of positive weight; a ``ValueError`` if none has.

        Parameters
        ----------
        name : str, default="y"
            Name of the argument that the labels were passed as, for messages.
        """
        useful = np.zeros(len(self), dtype=bool)
        for position, column in enumerate(self.columns.values()):
            useful |= self._known(position, column)
        if not useful.any():
            raise ValueError(
                f"`{name}` must hold at least one label of positive weight. Found none in {len(self)} rows "
                f"of the tasks {shown(list(self.columns))}."
            )
        return self.take(np.flatnonzero(useful))

    def _known(self, place: int, column: Column) -> np.ndarray:
        """Return which rows have a label of positive weight of a task."""
        return column.has_label & (self.of_task(place) > 0)


def read_rows(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    accepted: AcceptedInput,
    tasks: Sequence[str] | None = None,
    left_out: Sequence[str] = (),
    name: str = "y",
) -> tuple[Rows, Targets]:
    """Read a data set: the rows that have a label, and all of y.

    Parameters
    ----------
    estimator : BaseEstimator
        The number and names of its features are recorded, or compared.
    X, y, sample_weight
        Features, labels and weights as the user gave them.
    accepted : AcceptedInput
        The kinds of input that are accepted as X.
    tasks : sequence of str, optional
        The tasks that y must have. Where they are given the features are compared, not recorded.
    left_out : sequence of str, optional
        Tasks that y may have too, and which are not read.
    name : str, default="y"
        Name of the argument that y was passed as, for messages.
    """
    warn_of_other_order(X, {name: y, "sample_weight": sample_weight}, "X_val" if name == "y_val" else "X")
    X = accepted.read(estimator, X, reset=tasks is None)
    targets = read_targets(y, n_rows=len(X))
    columns = targets.columns
    if tasks is None:
        warn_of_labels_in(X, columns)
    else:
        if set(columns) - set(left_out) != set(tasks):
            raise ValueError(
                f"`{name}` must have the tasks of `fit`, {shown(list(tasks))}. Found {shown(list(columns))}."
            )
        columns = {task: columns[task] for task in tasks}
    weight = read_sample_weight(sample_weight, list(columns), len(X))
    # Only ratios count; in single precision 1e39 would be infinite.
    weight = weight / weight[weight > 0].mean()
    return Rows(X, columns, weight, sample_weight is not None).labelled(name), targets


@dataclass(frozen=True, eq=False)
class ReadData:
    """X, y and sample weights of a new fit, read.

    Parameters
    ----------
    rows : Rows
        The rows that have a label.
    targets : Targets
        All of y: rows without any label tell that a column has gaps.
    reader : BaseEstimator
        Has the number and names of the features.
    """

    rows: Rows
    targets: Targets
    reader: BaseEstimator


def read_data(X: Any, y: Any, sample_weight: Any, *, owner: str, accepted: AcceptedInput) -> ReadData:
    """Read X, y and sample weights in the name of an estimator.

    Parameters
    ----------
    X, y, sample_weight
        Features, labels and weights as the user gave them.
    owner : str
        Class of the estimator, for messages.
    accepted : AcceptedInput
        The kinds of input that are accepted as X.
    """
    # scikit-learn's messages name the class of what reads. The estimator itself does not read, since the
    # fits of a search share what is read; so a class of its name does.
    reader = type(owner, (BaseEstimator,), {})()
    return ReadData(*read_rows(reader, X, y, sample_weight, accepted=accepted), reader)


def read_sample_weight(sample_weight: Any, names: Sequence[str], n_rows: int) -> np.ndarray:
    """Return the weights as an array.

    Parameters
    ----------
    sample_weight : None, array-like of shape (n_rows,), or mapping or DataFrame by task
        Tasks that a mapping omits count 1 everywhere.
    names : sequence of str
        The tasks.
    n_rows : int
        Rows of X.

    Returns
    -------
    ndarray of float64, shape (n_rows, 1) or (n_rows, n_tasks)

    Raises
    ------
    ValueError
        If weights are negative, missing, all 0, or not as many as there are rows.
    """
    if sample_weight is None:
        return np.ones((n_rows, 1))
    if isinstance(sample_weight, Mapping):
        found = _weights_of_tasks(sample_weight, names, n_rows)
    elif is_frame(sample_weight):
        found = _weights_of_tasks(frame_columns(sample_weight), names, n_rows)
    else:
        found = _weight(sample_weight, n_rows, "sample_weight")[:, None]
    # One array of zeros has got here with scikit-learn 1.8 only: later releases refuse it themselves.
    if not found.any():
        raise ValueError("`sample_weight` must hold some positive weight. Found 0 for every row and task.")
    return found


def by_task(parameter: str, mapping: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """Return a mapping by task, empty for None; a ``ValueError`` if it names a task there is not."""
    if mapping is None:
        return {}
    if not isinstance(mapping, Mapping):
        raise TypeError(f"`{parameter}` must be None or a mapping by task. Found {shown(mapping)}.")
    unknown = [name for name in mapping if name not in names]
    if unknown:
        raise ValueError(
            f"`{parameter}` names unknown tasks {shown(unknown)}; the tasks are {shown(list(names))}."
        )
    return mapping


def _weights_of_tasks(given: Mapping, names: Sequence[str], n_rows: int) -> np.ndarray:
    by_task("sample_weight", given, names)
    found = np.ones((n_rows, len(names)))
    for position, name in enumerate(names):
        if name in given:
            found[:, position] = _weight_of_task(given[name], n_rows, f"sample_weight[{shown(name)}]")
    return found


def _weight_of_task(weight: Any, n_rows: int, name: str) -> np.ndarray:
    """Return the weights of one task; all 0 is well, in a fold of a search for one."""
    is_zero = np.shape(weight) == (n_rows,) and not np.asarray(weight).any()
    return np.zeros(n_rows) if is_zero else _weight(weight, n_rows, name)


def _weight(weight: Any, n_rows: int, name: str) -> np.ndarray:
    values = np.asarray(weight, dtype=np.float64) if hasattr(weight, "to_numpy") else unmasked(weight)
    if hasattr(values, "__len__") and np.ndim(values) == 1 and len(values) != n_rows:
        raise ValueError(
            f"`{name}` must hold one weight for each row of X: {name}.shape == {np.shape(values)}, "
            f"expected ({n_rows},)! In a search, pass weights by task as a DataFrame or MultiTaskTarget, "
            "which scikit-learn can split."
        )
    rows = np.empty((n_rows, 0))
    try:
        found: np.ndarray = check_sample_weight(values, rows, dtype=np.float64, ensure_non_negative=True)
    except ValueError as error:
        message = str(error).replace("sample_weight", name)
        if "must be 1D" in message:
            message = f"`{name}`: {message} Weights by task come as a DataFrame or mapping by task."
        raise ValueError(message) from None
    return found


@dataclass(eq=False)
class AskedRows:
    """Rows that a search asks about: several estimators share their encoding, and each runs over them once.

    Parameters
    ----------
    rows : SharedRows
        The rows.
    answer : tuple of (list of MultiTaskNet, Responses), optional
        The nets of one estimator, and what they have responded.
    """

    rows: SharedRows
    answer: tuple[Any, Responses] | None = None
