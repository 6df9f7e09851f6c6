"""X, y and sample weights, read together: rows that some task can learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_mtl.estimators.pairing import warn_of_labels_in, warn_of_other_order
from sklearn_mtl.estimators.sample_weights import read_sample_weight
from sklearn_mtl.features import is_built_in, read_features, takes_texts
from sklearn_mtl.targets import Column, Targets, read_targets


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of X with their labels and weights.

    Parameters
    ----------
    X : ndarray, DataFrame or StreamedRows
        The features of these rows, and maybe of others.
    columns : dict of str to Column
        Their labels.
    weight : ndarray of float64, shape (n_rows, 1) or (n_rows, n_tasks)
        Their sample weights.
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

    def _known(self, place: int, column: Column) -> np.ndarray:
        """Return which rows have a label of positive weight of a task."""
        missing = column.missing if column.missing.ndim == 1 else column.missing.all(axis=1)
        return ~missing & (self.of_task(place) > 0)

    def labelled(self, name: str = "y") -> Rows:
        """Return the rows that have some label of positive weight; a ``ValueError`` if none has.

        Parameters
        ----------
        name : str, default="y"
            What the user calls the labels.
        """
        useful = np.zeros(len(self), dtype=bool)
        for position, column in enumerate(self.columns.values()):
            useful |= self._known(position, column)
        if not useful.any():
            raise ValueError(
                f"`{name}` must hold at least one label of positive weight. Found none in {len(self)} rows "
                f"of the tasks {list(self.columns)}."
            )
        return self.take(np.flatnonzero(useful))


@dataclass(frozen=True)
class Admitted:
    """What X may be, by what preprocesses it.

    Parameters
    ----------
    gaps : bool
        Whether a table may have missing values.
    streams : bool
        Whether rows may be read when they are needed.
    texts : bool
        Whether it is one column of texts.
    """

    gaps: bool
    streams: bool
    texts: bool

    @classmethod
    def by(cls, preprocessing: Any) -> Admitted:
        """Return what a preprocessing takes."""
        return cls(
            gaps=preprocessing is not None,
            streams=is_built_in(preprocessing),
            texts=takes_texts(preprocessing),
        )

    def read(self, estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
        """Return X as `read_features` does.

        Parameters
        ----------
        estimator : BaseEstimator
            The number and names of its features are recorded, or compared.
        X : object
            As the user gave it.
        reset : bool
            Whether to record.
        """
        return read_features(
            estimator, X, reset=reset, allow_nan=self.gaps, stream=self.streams, texts=self.texts
        )


def read_rows(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    admitted: Admitted,
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
        As the user gave them.
    admitted : Admitted
        What X may be.
    tasks : sequence of str, optional
        The tasks that y must have. Where they are given the features are compared, not recorded.
    left_out : sequence of str, optional
        Tasks that y may have too, and which are not read.
    name : str, default="y"
        What the user calls y.
    """
    warn_of_other_order(X, {name: y, "sample_weight": sample_weight}, "X_val" if name == "y_val" else "X")
    X = admitted.read(estimator, X, reset=tasks is None)
    targets = read_targets(y, n_rows=len(X))
    columns = targets.columns
    if tasks is None:
        warn_of_labels_in(X, columns)
    else:
        if set(columns) - set(left_out) != set(tasks):
            raise ValueError(f"`{name}` must have the tasks of `fit`, {list(tasks)}. Found {list(columns)}.")
        columns = {task: columns[task] for task in tasks}
    weight = read_sample_weight(sample_weight, list(columns), len(X))
    # Only ratios count; in single precision 1e39 would be infinite.
    weight = weight / weight[weight > 0].mean()
    return Rows(X, columns, weight, sample_weight is not None).labelled(name), targets


@dataclass(frozen=True, eq=False)
class Read:
    """The rows of a data set to fit, as any estimator of one class reads them.

    Parameters
    ----------
    rows : Rows
        Those that have a label.
    targets : Targets
        All of y: rows without any label tell that a column has gaps.
    reader : BaseEstimator
        Has the number and names of the features.
    """

    rows: Rows
    targets: Targets
    reader: BaseEstimator

    @classmethod
    def of(cls, X: Any, y: Any, sample_weight: Any, *, owner: str, admitted: Admitted) -> Read:
        """Read a data set in the name of an estimator's class.

        Parameters
        ----------
        X, y, sample_weight
            As the user gave them.
        owner : str
            The class, for messages.
        admitted : Admitted
            What X may be.
        """
        reader = type(owner, (BaseEstimator,), {})()
        return cls(*read_rows(reader, X, y, sample_weight, admitted=admitted), reader)

    def record_on(self, estimator: BaseEstimator) -> None:
        """Set the number and names of the features on an estimator, as if it had read them."""
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.reader, name):
                setattr(estimator, name, getattr(self.reader, name))
            elif hasattr(estimator, name):
                delattr(estimator, name)
