"""From X and y to a trained bag: the stages of ``fit``, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state

from sklearn_mtl.estimators import checks
from sklearn_mtl.estimators.parameters import resolve_recipe
from sklearn_mtl.estimators.sample_weights import read_sample_weight
from sklearn_mtl.features import FeatureEncoder, read_features
from sklearn_mtl.targets import Column, Layout, read_targets
from sklearn_mtl.tasks import TaskSet
from sklearn_mtl.training import (
    Blueprint,
    MultiTaskNet,
    Table,
    TrainingSettings,
    fit_bag,
    held_out_rows,
    numpy_dtype,
)
from sklearn_mtl.trunks import resolve_trunk

if TYPE_CHECKING:
    from sklearn_mtl.estimators.base import BaseMultiTask


@dataclass(frozen=True, eq=False)
class Fitted:
    """What ``fit`` leaves behind.

    Parameters
    ----------
    encoder : FeatureEncoder
        From X to input blocks.
    tasks : TaskSet
        The tasks.
    layout : Layout
        The container that y came in.
    nets : list of MultiTaskNet
        The bag.
    """

    encoder: FeatureEncoder
    tasks: TaskSet
    layout: Layout
    nets: list[MultiTaskNet]

    @property
    def representation_width(self) -> int:
        """Columns that ``transform`` gives."""
        sharing = self.nets[0].evaluated.sharing
        return sharing.width * (len(self.tasks) if sharing.per_task else 1)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that have a label and a weight.

    Parameters
    ----------
    X : ndarray or DataFrame
        Their features.
    columns : dict of str to Column
        Their labels.
    weight : ndarray of float64, shape (n_rows, 1) or (n_rows, n_tasks)
        Their sample weights.
    """

    X: Any
    columns: dict[str, Column]
    weight: np.ndarray

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.weight)

    def of_task(self, position: int) -> np.ndarray:
        """Return the weight of each row for one task."""
        return self.weight[:, min(position, self.weight.shape[1] - 1)]


def fit_estimator(
    estimator: BaseMultiTask, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any
) -> Fitted:
    """Run the stages of ``fit``.

    Parameters
    ----------
    estimator : BaseMultiTask
        Its parameters are read; the number and names of its features are set.
    X, y, sample_weight, X_val, y_val
        As the user gave them.
    """
    if (X_val is None) != (y_val is None):
        raise ValueError("`X_val` and `y_val` must be given together. Found one without the other.")
    checks.check_numbers(estimator)
    X = read_features(estimator, X, reset=True, allow_nan=estimator.preprocessing is not None)
    targets = read_targets(y, n_rows=len(X))
    names = list(targets.columns)
    weight = read_sample_weight(sample_weight, names, len(X))
    rows = labelled_rows(Rows(X, targets.columns, weight))
    kinds = checks.task_kinds(estimator.tasks, rows.columns, estimator._infer_kind)
    estimator._check_kinds(kinds)
    weights = checks.task_weights(estimator.task_weights, names)
    hidden = checks.head_hidden_sizes(estimator.head_hidden_sizes, names)

    rng = check_random_state(estimator.random_state)
    n_nets = checks.n_nets(estimator, len(rows))
    held_out = _held_out(estimator, rows, kinds, n_nets, rng, split=X_val is None)
    settings = checks.training_settings(estimator, len(rows) - len(held_out[0]))

    # Rows that some net learns from; what only ever stops training takes no part in scales and levels.
    seen = np.setdiff1d(np.arange(len(rows)), _in_all(held_out))
    tasks = TaskSet(
        tuple(
            kinds[name].bind(rows.columns[name].take(seen), rows.of_task(i)[seen])
            for i, name in enumerate(names)
        )
    )
    encoder = FeatureEncoder(estimator.preprocessing, numpy_dtype(settings.dtype))
    encoder.fit(_take(rows.X, seen), None if sample_weight is None else rows.weight[seen].max(axis=1))
    blueprint = Blueprint(
        encoder.spec,
        tasks,
        resolve_trunk(estimator.trunk, encoder.spec),
        resolve_recipe("sharing", estimator.sharing),
        resolve_recipe("balancing", estimator.balancing),
        hidden,
        weights,
    )
    table = _table(rows, encoder, tasks, settings)
    stop_on = (
        held_out
        if X_val is None
        else _validation_table(estimator, X_val, y_val, encoder, blueprint, settings)
    )
    seeds = rng.randint(np.iinfo(np.int32).max, size=n_nets).tolist()
    return Fitted(encoder, tasks, targets.layout, fit_bag(blueprint, table, stop_on, settings, seeds))


def labelled_rows(rows: Rows) -> Rows:
    """Return the rows that have some label of positive weight."""
    useful = np.zeros(len(rows), dtype=bool)
    for position, column in enumerate(rows.columns.values()):
        known = ~column.missing if column.missing.ndim == 1 else ~column.missing.all(axis=1)
        useful |= known & (rows.of_task(position) > 0)
    if useful.all():
        return rows
    if not useful.any():
        raise ValueError(
            f"y must hold at least one label of positive weight. Found none in {len(rows)} rows of "
            f"the tasks {list(rows.columns)}."
        )
    keep = np.flatnonzero(useful)
    columns = {name: column.take(keep) for name, column in rows.columns.items()}
    return Rows(_take(rows.X, keep), columns, rows.weight[keep])


def _held_out(
    estimator: BaseMultiTask,
    rows: Rows,
    kinds: Mapping[str, Any],
    n_nets: int,
    rng: np.random.RandomState,
    *,
    split: bool,
) -> list[np.ndarray]:
    if not (estimator.early_stopping and split):
        return [np.empty(0, dtype=np.intp)] * n_nets
    return held_out_rows(len(rows), estimator.validation_fraction, n_nets, _strata(rows, kinds), rng)


def _strata(rows: Rows, kinds: Mapping[str, Any]) -> np.ndarray | None:
    """Class codes of the first classification task, rows without a label a class of their own."""
    for name, kind in kinds.items():
        column = rows.columns[name]
        if kind.name != "classification" or column.values.ndim != 1:
            continue
        known = ~column.missing
        codes = np.zeros(len(rows), dtype=np.intp)
        codes[known] = 1 + np.unique(column.values[known].astype(str), return_inverse=True)[1]
        return codes
    return None


def _in_all(held_out: list[np.ndarray]) -> np.ndarray:
    """Rows that every net holds out."""
    common = held_out[0]
    for rows in held_out[1:]:
        common = np.intersect1d(common, rows, assume_unique=True)
    return common


def _table(rows: Rows, encoder: FeatureEncoder, tasks: TaskSet, settings: TrainingSettings) -> Table:
    y, weight = tasks.encode(rows.columns, rows.weight)
    inputs = encoder.transform(rows.X)
    return Table.from_arrays(inputs, y, weight, device=settings.device, dtype=settings.dtype)


def _validation_table(
    estimator: BaseMultiTask,
    X_val: Any,
    y_val: Any,
    encoder: FeatureEncoder,
    blueprint: Blueprint,
    settings: TrainingSettings,
) -> Table:
    tasks = blueprint.tasks
    X_val = read_features(estimator, X_val, reset=False, allow_nan=estimator.preprocessing is not None)
    columns = read_targets(y_val, n_rows=len(X_val)).columns
    if set(columns) != set(tasks.names):
        raise ValueError(f"`y_val` must have the tasks of y, {tasks.names}. Found {list(columns)}.")
    rows = labelled_rows(Rows(X_val, columns, np.ones((len(X_val), 1))))
    table = _table(rows, encoder, tasks, settings)
    if not blueprint.watches(table.weight):
        raise ValueError("`y_val` must hold a label of some task of positive weight. Found none.")
    return table


def _take(X: Any, rows: np.ndarray) -> Any:
    if len(rows) == len(X):
        return X
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
