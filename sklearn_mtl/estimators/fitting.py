"""From X and y to a trained bag: the stages of ``fit``, in order."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from sklearn_mtl.estimators import checks
from sklearn_mtl.estimators.parameters import resolve_recipe
from sklearn_mtl.estimators.rows import Rows, read_rows
from sklearn_mtl.features import EncodedRows, FeatureEncoder
from sklearn_mtl.targets import Column, Layout
from sklearn_mtl.tasks import TaskSet
from sklearn_mtl.training import (
    Blueprint,
    MultiTaskNet,
    Table,
    TrainingSettings,
    continue_bag,
    fit_bag,
    held_out_rows,
    numpy_dtype,
    without_last,
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
    blueprint : Blueprint
        What the nets were built from.
    layout : Layout
        The container that y came in.
    nets : list of MultiTaskNet
        The bag.
    split_seed : int
        Of the held-out rows, which a warm start holds out again.
    """

    encoder: FeatureEncoder
    blueprint: Blueprint
    layout: Layout
    nets: list[MultiTaskNet]
    split_seed: int

    @property
    def tasks(self) -> TaskSet:
        """The tasks."""
        return self.blueprint.tasks

    @property
    def representation_width(self) -> int:
        """Columns that ``transform`` gives."""
        sharing = self.nets[0].evaluated.sharing
        return sharing.width * (len(self.tasks) if sharing.per_task else 1)

    def met(self, rows: Rows, task_weights: Mapping[str, float] | None) -> Fitted:
        """Return this with what more rows, and task weights set anew, change of the tasks.

        Parameters
        ----------
        rows : Rows
            Rows to train on with; a label of an unknown class is a ``ValueError``.
        task_weights : mapping of str to float, or None
            The parameter as it is now.
        """
        tasks = []
        for position, task in enumerate(self.tasks):
            task.check_known(rows.columns[task.name])
            tasks.append(task.widened_by(rows.columns[task.name], rows.of_task(position)))
        weights = checks.task_weights(task_weights, self.tasks.names)
        blueprint = replace(self.blueprint, tasks=TaskSet(tuple(tasks)), task_weights=weights)
        return replace(self, blueprint=blueprint)

    def table(self, rows: Rows, settings: TrainingSettings) -> Table:
        """Return rows as tensors on the device."""
        return _table(rows, self.encoder, self.tasks, settings)


def fit_anew(
    estimator: BaseMultiTask,
    data: tuple[Any, Any, Any],
    validation: tuple[Any, Any],
    classes: Mapping[str, Any] | None = None,
) -> Fitted:
    """Run all stages of ``fit``.

    Parameters
    ----------
    estimator : BaseMultiTask
        Its parameters are read; the number and names of its features are set.
    data : tuple
        X, y and sample_weight as the user gave them.
    validation : tuple
        X_val and y_val; both or neither None.
    classes : mapping of str to array-like, optional
        Classes declared up front, for ``partial_fit``, which holds no row out.
    """
    checks.check_numbers(estimator)
    rows, layout = read_rows(estimator, *data)
    kinds = checks.task_kinds(estimator.tasks, rows.columns, estimator._infer_kind)
    estimator._check_kinds(kinds)
    names = list(kinds)
    weights = checks.task_weights(estimator.task_weights, names)
    hidden = checks.head_hidden_sizes(estimator.head_hidden_sizes, names)
    declared = checks.by_task("classes", classes, names)

    rng = check_random_state(estimator.random_state)
    n_nets = checks.n_nets(estimator, len(rows))
    split = estimator.early_stopping and validation[0] is None and classes is None
    *seeds, split_seed = rng.randint(np.iinfo(np.int32).max, size=n_nets + 1).tolist()
    held_out = held_out_by(estimator, rows, kinds, n_nets, split_seed, split=split)
    settings = checks.training_settings(estimator, len(rows) - len(held_out[0]))

    # What every net holds out takes no part in scales and levels.
    seen = rows.take(np.setdiff1d(np.arange(len(rows)), _in_all(held_out)))
    tasks = TaskSet(
        tuple(
            kind.bind(seen.columns[name], seen.of_task(i), declared.get(name)).bounded_by(estimator.calibrate)
            for i, (name, kind) in enumerate(kinds.items())
        )
    )
    encoder = FeatureEncoder(estimator.preprocessing, numpy_dtype(settings.dtype))
    encoder.fit(seen.X, seen.weight.max(axis=1) if seen.weighted else None, seen.index)
    blueprint = Blueprint(
        encoder.spec,
        tasks,
        resolve_trunk(estimator.trunk, encoder.spec),
        resolve_recipe("sharing", estimator.sharing),
        resolve_recipe("balancing", estimator.balancing),
        hidden,
        weights,
    )
    begun = Fitted(encoder, blueprint, layout, [], split_seed)
    stop_on = validation_table(estimator, begun, validation, settings) or held_out
    epochs = None if classes is None else 1
    nets = fit_bag(blueprint, begun.table(rows, settings), stop_on, settings, seeds, epochs)
    return replace(begun, nets=nets)


def fit_on(
    estimator: BaseMultiTask, fitted: Fitted, data: tuple[Any, Any, Any], validation: tuple[Any, Any]
) -> Fitted:
    """Train on from where the last ``fit`` ended, up to ``max_epochs`` in all.

    Parameters
    ----------
    estimator : BaseMultiTask
        Its parameters are read anew, but for those that make tasks, features and network.
    fitted : Fitted
        What the last ``fit`` left; not changed.
    data, validation : tuple
        As of `fit_anew`.
    """
    checks.check_numbers(estimator)
    rows, _ = read_rows(estimator, *data, tasks=fitted.tasks.names)
    fitted = fitted.met(rows, estimator.task_weights)
    split = estimator.early_stopping and validation[0] is None
    kinds = {task.name: task for task in fitted.tasks}
    held_out = held_out_by(estimator, rows, kinds, len(fitted.nets), fitted.split_seed, split=split)
    settings = checks.training_settings(estimator, len(rows) - len(held_out[0]))
    done = max(len(net.history) for net in fitted.nets)
    if done >= settings.max_epochs:
        warnings.warn(
            f"`max_epochs` must be raised for a warm start to train on. Found {settings.max_epochs}, and "
            f"{done} epochs done; the estimator is left as it is.",
            stacklevel=3,
        )
        return fitted
    stop_on = validation_table(estimator, fitted, validation, settings) or held_out
    table = fitted.table(rows, settings)
    epochs = settings.max_epochs - done
    nets = continue_bag(fitted.nets, fitted.blueprint, table, stop_on, settings, epochs)
    return replace(fitted, nets=nets)


def fit_batch(
    estimator: BaseMultiTask, fitted: Fitted | None, data: tuple[Any, Any, Any], classes: Any
) -> Fitted:
    """Train for one epoch on the given rows, holding none out; tasks and scales stay as they were.

    Parameters
    ----------
    estimator : BaseMultiTask
        Its parameters are read.
    fitted : Fitted or None
        What an earlier call left; not changed.
    data : tuple
        As of `fit_anew`.
    classes : mapping of str to array-like, or None
        Classes of each classification task; only the first call needs them.
    """
    if fitted is None:
        return fit_anew(estimator, data, (None, None), classes or {})
    checks.check_numbers(estimator)
    rows, _ = read_rows(estimator, *data, tasks=fitted.tasks.names)
    fitted = fitted.met(rows, estimator.task_weights)
    checks.check_same_classes(fitted.tasks, classes)
    settings = checks.training_settings(estimator, len(rows))
    none = [np.empty(0, dtype=np.intp)] * len(fitted.nets)
    table = fitted.table(rows, settings)
    return replace(fitted, nets=continue_bag(fitted.nets, fitted.blueprint, table, none, settings, epochs=1))


def held_out_by(
    estimator: BaseMultiTask,
    rows: Rows,
    kinds: Mapping[str, Any],
    n_nets: int,
    seed: int,
    *,
    split: bool,
) -> list[np.ndarray]:
    """Return the rows that each net holds out, none where ``split`` is False.

    Parameters
    ----------
    estimator : BaseMultiTask
        Says which share.
    rows : Rows
        Labelled rows.
    kinds : mapping of str to TaskKind or Task
        The first classification among them stratifies.
    n_nets : int
        Number of nets.
    seed : int
        Which rows.
    split : bool
        Whether any are held out.
    """
    if not split:
        return [np.empty(0, dtype=np.intp)] * n_nets
    codes = [
        np.where(rows.of_task(position) > 0, _codes(column, kinds[name].kind), -1)
        for position, (name, column) in enumerate(rows.columns.items())
    ]
    classified = [of_task for of_task, kind in zip(codes, kinds.values(), strict=True) if _has_classes(kind)]
    strata = classified[0] + 1 if classified else None
    drawn = held_out_rows(
        len(rows), estimator.validation_fraction, n_nets, strata, np.random.RandomState(seed)
    )
    return [without_last(held, codes) for held in drawn]


def validation_table(
    estimator: BaseMultiTask, fitted: Fitted, validation: tuple[Any, Any], settings: TrainingSettings
) -> Table | None:
    """Return the user's own validation rows as tensors; None where there are none.

    Parameters
    ----------
    estimator : BaseMultiTask
        Compared with the features.
    fitted : Fitted
        Its encoder and tasks.
    validation : tuple
        X_val and y_val.
    settings : TrainingSettings
        The device.
    """
    if validation[0] is None:
        return None
    rows, _ = read_rows(estimator, *validation, tasks=fitted.tasks.names, name="y_val")
    for task in fitted.tasks:
        unknown = task.unknown_labels(rows.columns[task.name])
        if unknown:
            warnings.warn(
                f"`y_val` has labels of task {task.name!r} that y has not, {unknown[:5]}: they are left out.",
                stacklevel=4,
            )
    table = fitted.table(rows, settings)
    if not fitted.blueprint.watches(table.weight):
        raise ValueError("`y_val` must hold a label of some task of positive weight. Found none.")
    return table


def _has_classes(kind: Any) -> bool:
    return bool(kind.kind == "classification")


def _codes(column: Column, kind: str) -> np.ndarray:
    """Code of each row's class, -1 for none; where there are no classes, 0 for any label."""
    if column.missing.ndim == 2:
        return np.where(column.missing.all(axis=1), -1, 0)
    codes = np.where(column.missing, -1, 0)
    if kind == "classification":
        known = ~column.missing
        codes[known] = pd.factorize(column.values[known])[0]
    return codes


def _in_all(held_out: list[np.ndarray]) -> np.ndarray:
    """Rows that every net holds out."""
    common = held_out[0]
    for rows in held_out[1:]:
        common = np.intersect1d(common, rows, assume_unique=True)
    return common


def _table(rows: Rows, encoder: FeatureEncoder, tasks: TaskSet, settings: TrainingSettings) -> Table:
    y, weight = tasks.encode(rows.columns, rows.weight)
    reader = EncodedRows(encoder, rows.X, rows.index)
    return Table.from_reader(reader, y, weight, device=settings.device, dtype=settings.dtype)
