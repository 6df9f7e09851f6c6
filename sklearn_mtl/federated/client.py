"""An estimator with the rows of one client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from sklearn_mtl.estimators.label_warnings import warn_of_other_order
from sklearn_mtl.federated.agreement import initial_estimator
from sklearn_mtl.federated.averaging import Update
from sklearn_mtl.federated.summary import FEWEST, Summary, summary
from sklearn_mtl.federated.weights import get_weights, set_weights, shared_names
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, read_targets

KINDS = ("regression", "classification")


class FederatedClient:
    """An estimator with the rows of one client, of which none is ever handed out.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor
        The same with every client, of which it is a clone that is trained. ``tasks`` must name the kind of
        every task of every client, and ``random_state`` must be an integer.
    X : DataFrame of pandas, or array of numbers of shape (n_rows, n_features)
        The features of the client's rows, which are the same columns with every client.
    y : mapping or DataFrame
        The labels of the tasks that the client has.
    share : {"all", "trunk"}, default="all"
        What is averaged: trunk and heads, or the trunk alone.
    fewest : int, default=5
        Levels of columns of text that fewer rows have are not told, nor a regression of fewer labels.

    Attributes
    ----------
    estimator_ : MultiTaskClassifierRegressor
        After `start`: the client's estimator, with the weights of the last `train` or `receive`.

    Raises
    ------
    ValueError
        If a task has no kind, or is of another kind than a regression or a classification.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, *, share: str = "all", fewest: int = FEWEST) -> None:
        self.estimator, self.share, self.fewest = estimator, share, fewest
        self._kinds = _kinds(estimator)
        self._X, self._y = X, y
        warn_of_other_order(X, {"y": y})

    def summary(self) -> Summary:
        """Return what the client tells of its rows; see `sklearn_mtl.federated.summary`."""
        return summary(self._X, self._y, self._kinds, fewest=self.fewest)

    def start(self, agreement: Summary) -> Self:
        """Begin with the estimator that all clients begin with.

        Parameters
        ----------
        agreement : dict
            What `agree` has made of the summaries of all clients.
        """
        self.estimator_ = initial_estimator(self.estimator, agreement)
        shared_names(self.estimator_, share=self.share)
        columns = read_targets(self._y).columns
        self._labels = {name: columns.get(name) for name in self.estimator_.tasks_}
        return self

    def train(self, weights: Sequence[np.ndarray] | None = None, *, epochs: int = 1) -> Update:
        """Train on from the common weights, and return those that come of it.

        Parameters
        ----------
        weights : sequence of ndarray, optional
            The weights of the last round; in the first round, by default, those of `start`.
        epochs : int, default=1
            Passes over the client's rows.
        """
        if weights is not None:
            self.receive(weights)
        names, y = list(self.estimator_.tasks_), self._all_labels()
        for _ in range(epochs):
            self.estimator_.partial_fit(self._X, y)
        labelled = np.array([self._has_label(name) for name in names])
        n_labels = labelled.sum(1).tolist()
        shared = get_weights(self.estimator_, share=self.share)
        return Update(shared, int(labelled.any(0).sum()), n_labels)

    def receive(self, weights: Sequence[np.ndarray]) -> None:
        """Take over common weights, such as those of the last round; what is not shared stays as it is."""
        set_weights(self.estimator_, weights, share=self.share)

    @property
    def _n_rows(self) -> int:
        return len(next(column for column in self._labels.values() if column is not None))

    def _has_label(self, name: str) -> np.ndarray:
        column = self._labels[name]
        return np.zeros(self._n_rows, dtype=bool) if column is None else column.has_label

    def _all_labels(self) -> dict[str, Any]:
        """Return the labels of all tasks, none of those that the client lacks."""
        return {
            name: self._nothing(name) if column is None else _as_given(column)
            for name, column in self._labels.items()
        }

    def _nothing(self, name: str) -> np.ndarray:
        is_number = self._kinds[name] == "regression"
        return np.full(self._n_rows, np.nan if is_number else None, dtype=float if is_number else object)


def _as_given(column: Column) -> np.ndarray:
    values = column.values
    if not column.missing.any() or values.dtype.kind == "f":
        return values
    found = values.astype(object)
    found[column.missing] = None
    return found


def _kinds(estimator: Any) -> dict[str, str]:
    given = estimator.tasks
    rule = (
        "`tasks` of a federated estimator must be a mapping that names every task of every client as "
        "'regression' or 'classification', or by an object of such a kind."
    )
    if not isinstance(given, Mapping) or not given:
        raise ValueError(f"{rule} Found {shown(given)}.")
    kinds = {
        name: kind if isinstance(kind, str) else getattr(kind, "kind", "") for name, kind in given.items()
    }
    others = {name: given[name] for name, kind in kinds.items() if kind not in KINDS}
    if others:
        raise ValueError(f"{rule} Found {shown(others)}.")
    return kinds
