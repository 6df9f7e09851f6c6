"""Pseudo-labels: confident predictions that stand for labels which are missing, by the kind of task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_mtl.estimators.rows import Rows
from sklearn_mtl.targets import Column

# Classes of a soft label that are less probable are left out of it: each is one more row to train on.
SMALLEST_SHARE = 0.02


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """Pseudo-labels of one task; a soft label is several of them for one row, whose shares have a sum of 1.

    Parameters
    ----------
    rows : ndarray of int, shape (n_labels,)
        Where in X the row of each label is, sorted.
    values : ndarray of shape (n_labels,) or (n_labels, n_outputs)
        The labels, as a `Column` holds them.
    missing : ndarray of bool, the shape of ``values``
        Outputs without a label.
    share : ndarray of float64, shape (n_labels,)
        What a label weighs, of the weight of its row.
    """

    rows: np.ndarray
    values: np.ndarray
    missing: np.ndarray
    share: np.ndarray

    def joined(self, other: PseudoLabels) -> PseudoLabels:
        """Return these and others, which are of other cells."""
        rows = np.concatenate([self.rows, other.rows])
        order = np.argsort(rows, kind="stable")
        parts = [(self.values, other.values), (self.missing, other.missing), (self.share, other.share)]
        return PseudoLabels(rows[order], *(np.concatenate(pair)[order] for pair in parts))

    @property
    def occurrence(self) -> np.ndarray:
        """Which label of its row each is, counted from 0."""
        _, first, counts = np.unique(self.rows, return_index=True, return_counts=True)
        found: np.ndarray = np.arange(len(self.rows)) - np.repeat(first, counts)
        return found


class Labeller(ABC):
    """Makes pseudo-labels of the averaged responses of one task."""

    @abstractmethod
    def uncertainty(self, task: Any, response: np.ndarray, spread: np.ndarray | None) -> np.ndarray:
        """Return how uncertain each cell is, in the terms of the threshold: less is surer.

        Parameters
        ----------
        task : Task
            The task.
        response : ndarray of float64, shape (n_rows, n_columns, loss.width)
            The averaged responses.
        spread : ndarray of float64, shape (n_rows, n_columns), or None
            The standard deviation of the members' predictions, where `needs_spread`.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_columns)
        """

    @abstractmethod
    def labels(self, task: Any, response: np.ndarray, cells: np.ndarray, column: Column) -> PseudoLabels:
        """Return labels for some cells.

        Parameters
        ----------
        task, response
            As in `uncertainty`.
        cells : ndarray of bool, shape (n_rows, n_columns)
            The cells.
        column : Column
            The labels that there are.
        """

    # Whether certainty is how little the members disagree, and not a probability.
    needs_spread = False


class ClassLabeller(Labeller):
    """Soft labels of a class: one label for each class that is not improbable."""

    def uncertainty(self, task: Any, response: np.ndarray, spread: np.ndarray | None) -> np.ndarray:
        """Return 1 less the probability of the most probable class."""
        found: np.ndarray = 1 - task.predict_proba(response).max(axis=1, keepdims=True)
        return found

    def labels(self, task: Any, response: np.ndarray, cells: np.ndarray, column: Column) -> PseudoLabels:
        """Return the classes with their probabilities as shares."""
        rows = np.flatnonzero(cells[:, 0])
        shares = task.predict_proba(response[rows])
        shares = np.where(shares < SMALLEST_SHARE, 0.0, shares)
        shares /= shares.sum(axis=1, keepdims=True)
        of_row, place = np.nonzero(shares)
        values = _empty_like(column, len(of_row))
        values[:] = task.classes[place]
        missing = np.zeros(len(of_row), dtype=bool)
        return PseudoLabels(rows[of_row], values, missing, shares[of_row, place])


class MultilabelLabeller(Labeller):
    """Hard labels of labels that don't exclude each other: a row has one weight for all of them."""

    def uncertainty(self, task: Any, response: np.ndarray, spread: np.ndarray | None) -> np.ndarray:
        """Return 1 less the probability that a label is what it is predicted to be."""
        probability = task.predict_proba(response)
        found: np.ndarray = np.minimum(probability, 1 - probability)
        return found

    def labels(self, task: Any, response: np.ndarray, cells: np.ndarray, column: Column) -> PseudoLabels:
        """Return whether each label is the more probable one of both."""
        rows = np.flatnonzero(cells.any(axis=1))
        values = _empty_like(column, len(rows))
        values[:] = (task.predict_proba(response[rows]) > 0.5).reshape(values.shape)
        return PseudoLabels(rows, values, ~cells[rows].reshape(values.shape), np.ones(len(rows)))


class NumberLabeller(Labeller):
    """Labels of a regression: the mean prediction of the members."""

    needs_spread = True

    def uncertainty(self, task: Any, response: np.ndarray, spread: np.ndarray | None) -> np.ndarray:
        """Return the standard deviation of the members' predictions, in those of the labels."""
        assert spread is not None
        return spread

    def labels(self, task: Any, response: np.ndarray, cells: np.ndarray, column: Column) -> PseudoLabels:
        """Return the predictions."""
        rows = np.flatnonzero(cells.any(axis=1))
        values = np.asarray(task.predict(response[rows]), dtype=np.float64)
        return PseudoLabels(rows, values, ~cells[rows].reshape(values.shape), np.ones(len(rows)))


# By the kind of the task; others are left as they are.
LABELLERS: dict[str, Labeller] = {
    "regression": NumberLabeller(),
    "classification": ClassLabeller(),
    "ordinal": ClassLabeller(),
    "multilabel": MultilabelLabeller(),
}


def with_pseudo_labels(
    rows: Rows, labels: Mapping[str, PseudoLabels], weight: np.ndarray, names: Sequence[str]
) -> Rows:
    """Return rows, and after them rows of pseudo-labels, in which whatever else is labelled is missing.

    A row of X is there once for the labels that it has, and once for each class of its soft labels.

    Parameters
    ----------
    rows : Rows
        The labelled rows.
    labels : mapping of str to PseudoLabels
        Pseudo-labels by task.
    weight : ndarray of float64, shape (n_rows_of_X, n_tasks)
        The weight of each cell of X.
    names : sequence of str
        The tasks, in the order of ``weight``.
    """
    labels = {name: of_task for name, of_task in labels.items() if len(of_task.rows)}
    if not labels:
        return rows
    most = 1 + max(int(of_task.occurrence.max()) for of_task in labels.values())
    keys = {name: of_task.rows * most + of_task.occurrence for name, of_task in labels.items()}
    every = np.unique(np.concatenate(list(keys.values())))
    more, index = np.zeros((len(every), len(names))), every // most
    columns = {}
    for name, column in rows.columns.items():
        if name in labels:
            places = np.searchsorted(every, keys[name])
            more[places, names.index(name)] = (
                labels[name].share * weight[labels[name].rows, names.index(name)]
            )
        else:
            places = np.empty(0, dtype=np.intp)
        columns[name] = _extended(column, len(every), places, labels.get(name))
    before = np.broadcast_to(rows.weight, (len(rows), len(names)))
    kept = np.arange(len(rows)) if rows.index is None else rows.index
    return Rows(rows.X, columns, np.concatenate([before, more]), rows.weighted, np.concatenate([kept, index]))


def _extended(column: Column, n_rows: int, places: np.ndarray, labels: PseudoLabels | None) -> Column:
    """Return a column with more rows, of which some have pseudo-labels and the others none."""
    found = column.take(np.concatenate([np.arange(len(column)), np.zeros(n_rows, dtype=np.intp)]))
    of_floats = labels is not None and labels.values.dtype.kind == "f" and column.values.dtype.kind != "f"
    values, missing = _as_floats(found) if of_floats else found.values, found.missing.copy()
    missing[len(column) :] = True
    if labels is not None:
        values = values.copy()
        values[len(column) + places] = labels.values
        missing[len(column) + places] = labels.missing
    return replace(found, values=values, missing=missing)


def _as_floats(column: Column) -> np.ndarray:
    values = np.full(column.values.shape, np.nan)
    values[~column.missing] = column.values[~column.missing].astype(np.float64)
    return values


def _empty_like(column: Column, n_rows: int) -> np.ndarray:
    return np.empty((n_rows, *column.values.shape[1:]), dtype=column.values.dtype)
