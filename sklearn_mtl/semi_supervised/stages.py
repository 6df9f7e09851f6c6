"""The stages of a fit that learns pseudo-labels beside labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sklearn_mtl.data import RowSplit
from sklearn_mtl.estimators.held_out import read_groups
from sklearn_mtl.estimators.rows import FitData, ReadData, Rows
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.features import AcceptedInput, Encoder
from sklearn_mtl.semi_supervised.pseudo_labels import PseudoLabels, with_pseudo_labels
from sklearn_mtl.tasks import TaskKind, TaskSet


class PseudoLabelStages(Stages):
    """The stages of a fit to labels and pseudo-labels; only rows of labels are held out.

    Where a net holds out a row, or its group, it learns none of its pseudo-labels either. Statistics of
    the features count a row once, however many pseudo-labels it has.

    Parameters
    ----------
    data : ReadData
        X, labels and weights, read.
    hidden : mapping of str to ndarray of int
        Rows of X whose label of a task is not learned, by task.
    labels : mapping of str to PseudoLabels
        Pseudo-labels by task.
    weight : ndarray of float64, shape (n_rows_of_X, n_tasks)
        The weight of each cell of X.
    """

    def __init__(
        self,
        data: ReadData,
        hidden: Mapping[str, np.ndarray],
        labels: Mapping[str, PseudoLabels],
        weight: np.ndarray,
    ) -> None:
        names = list(data.targets.columns)
        rows = data.rows if not hidden else _without_labels(data.rows, hidden).labelled()
        self._n_labelled = len(rows)
        self._labelled = rows.places(np.arange(len(rows)))
        self._weight = weight.max(axis=1, keepdims=True)
        self._read = replace(data, rows=with_pseudo_labels(rows, labels, weight, names))

    def read(self, X: Any, y: Any, sample_weight: Any, *, owner: str, accepted: AcceptedInput) -> ReadData:
        """Return what was read, once for all fits."""
        return self._read

    def split(
        self,
        rows: Rows,
        kinds: Mapping[str, TaskKind],
        data: FitData,
        *,
        validation_fraction: Any,
        n_nets: int,
        seed: int,
    ) -> list[RowSplit]:
        """Return splits of the labelled rows, with rows of pseudo-labels in the parts to learn from."""
        labelled = rows.take(np.arange(self._n_labelled))
        splits = super().split(
            labelled,
            kinds,
            data,
            validation_fraction=validation_fraction,
            n_nets=n_nets,
            seed=seed,
        )
        if len(labelled) == len(rows):
            return splits
        groups = np.arange(len(rows.X)) if data.groups is None else read_groups(data.groups, len(rows.X))
        group = groups if rows.index is None else groups[rows.index]
        more = np.arange(self._n_labelled, len(rows))
        return [
            RowSplit(
                np.concatenate([split.train, more[~np.isin(group[more], group[split.validation])]]),
                split.validation,
            )
            for split in splits
        ]

    def _fit_encoder(
        self, rows: Rows, tasks: TaskSet | None, *, preprocessing: Any, dtype: type[np.floating]
    ) -> Encoder:
        """Return the encoder, to which a row counts once; one that takes labels is given no others."""
        _, first = np.unique(rows.places(np.arange(len(rows))), return_index=True)
        if tasks is not None:
            first = first[np.isin(rows.places(first), self._labelled)]
        once, places = rows.take(first), rows.places(first)
        if rows.weighted and len(first) < len(rows):
            is_labelled = np.isin(places, self._labelled)[:, None]
            once = replace(once, weight=np.where(is_labelled, once.weight, self._weight[places]))
        return super()._fit_encoder(once, tasks, preprocessing=preprocessing, dtype=dtype)


def _without_labels(rows: Rows, hidden: Mapping[str, np.ndarray]) -> Rows:
    columns = dict(rows.columns)
    for name, places in hidden.items():
        missing = columns[name].missing.copy()
        missing[places if rows.index is None else np.searchsorted(rows.index, places)] = True
        columns[name] = replace(columns[name], missing=missing)
    return replace(rows, columns=columns)
