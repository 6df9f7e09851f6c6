"""The stages of ``fit`` that precede training: each a function of rows and of what they are to become.

Data and what is made of it come first, parameters by keyword, so that fits to the same rows can share
what a stage makes; see `MadeOnce`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_mtl.data import InputRows, RowSplit, Table, rows_for_training, split_table
from sklearn_mtl.estimators.once import Once, each
from sklearn_mtl.estimators.rows import Admitted, Rows, read_rows
from sklearn_mtl.features import EncodedRows, FeatureEncoder
from sklearn_mtl.network import Blueprint
from sklearn_mtl.tasks import TaskSet
from sklearn_mtl.training import TrainingSettings

# Tasks that a warning names.
MOST_LISTED = 10


def unlabelled(rows: Rows, *, fold: str) -> list[str]:
    """Return the tasks without a label of positive weight, which a fold leaves out, and warn of them.

    Parameters
    ----------
    rows : Rows
        The fold's training rows.
    fold : str
        Which it is.
    """
    found = rows.unlabelled()
    if found:
        warnings.warn(
            f"The {len(rows)} training rows of {fold} have no label of the tasks {found[:10]}"
            f"{' and more' if len(found) > 10 else ''}, which are left out of its fit, and of its share in "
            "their mean score. A TaskStratifiedKFold as `cv` spreads the labels of every task.",
            stacklevel=2,
        )
    return found


def without(mapping: Any, names: Sequence[str]) -> Any:
    """Return a mapping by task without some of them; whatever else it is, as it is."""
    if not isinstance(mapping, Mapping) or not names:
        return mapping
    return {task: value for task, value in mapping.items() if task not in names}


def bind(rows: Rows, *, kinds: Mapping[str, Any], classes: Mapping[str, Any], calibrate: bool) -> TaskSet:
    """Return the tasks, with the classes and scales of their labels.

    Parameters
    ----------
    rows : Rows
        To learn from.
    kinds : mapping of str to TaskKind
        What each task is.
    classes : mapping of str to array-like
        Classes declared up front.
    calibrate : bool
        Whether what the tasks predict is calibrated.
    """
    tasks = TaskSet(
        tuple(
            kind.bind(rows.columns[name], rows.of_task(i), classes.get(name)).calibrated_by(calibrate)
            for i, (name, kind) in enumerate(kinds.items())
        )
    )
    single = [f"{task.name!r} has one class only, {task.only_class}" for task in tasks if task.only_class]
    if single:
        warnings.warn(f"Task {_listed(single)}: there is nothing to learn.", stacklevel=6)
    return tasks


def fit_encoder(rows: Rows, *, preprocessing: Any, dtype: type[np.floating]) -> FeatureEncoder:
    """Return the encoder of X, fitted to rows."""
    encoder = FeatureEncoder(preprocessing, dtype)
    return encoder.fit(rows.X, rows.weight.max(axis=1) if rows.weighted else None, rows.index)


def tensors(
    rows: Rows, encoder: FeatureEncoder, tasks: TaskSet, settings: TrainingSettings, once: Once = each
) -> Table:
    """Return rows as tensors on the device.

    Parameters
    ----------
    rows : Rows
        Labelled rows.
    encoder : FeatureEncoder
        Of their features.
    tasks : TaskSet
        Of their labels.
    settings : TrainingSettings
        The device and the precision.
    once : callable, optional
        As of `prepare`.
    """
    place = {"device": settings.device, "dtype": settings.dtype}
    blocks = once(_encoded, rows, encoder, **place)
    table: Table = once(_table, rows, blocks, tasks, **place)
    return table


def validation_rows(
    reader: BaseEstimator,
    validation: tuple[Any, Any],
    known: tuple[FeatureEncoder, Blueprint, TrainingSettings],
    left_out: Sequence[str],
    once: Once = each,
) -> Table | None:
    """Return the user's own validation rows as tensors; None where there are none.

    Parameters
    ----------
    reader : BaseEstimator
        Has the number and names of the features, with which they are compared.
    validation : tuple
        X_val and y_val.
    known : tuple
        The encoder, the blueprint, and what the loop is told.
    left_out : sequence of str
        Tasks of y_val that are not fitted.
    once : callable, optional
        As of `prepare`.
    """
    if validation[0] is None:
        return None
    encoder, blueprint, settings = known
    admitted = Admitted.by(encoder.preprocessing)
    rows = once(_validation, reader, *validation, blueprint.tasks, admitted=admitted, left_out=left_out)
    table = tensors(rows, encoder, blueprint.tasks, settings, once)
    if not blueprint.can_validate_on(table.weight):
        raise ValueError("`y_val` must hold a label of some task of positive weight. Found none.")
    return table


def learnt_and_held(
    blueprint: Blueprint,
    table: Table,
    stop_on: list[RowSplit] | Table,
    n_nets: int,
    once: Once = each,
) -> list[tuple[Table, Table | None]]:
    """Return the rows that each net learns from, and those that tell it when to stop.

    Parameters
    ----------
    blueprint : Blueprint
        Rows without a label of a task of positive weight can't tell when to stop: a net with only such
        holds out none.
    table : Table
        All rows.
    stop_on : list of RowSplit, or Table
        Rows of ``table`` that each net learns from and holds out, or other rows that all use.
    n_nets : int
        Number of nets.
    once : callable, optional
        As of `prepare`.
    """
    if isinstance(stop_on, Table):
        return [(table, stop_on)] * n_nets
    return [
        once(split_table, table, of_net)
        if blueprint.can_validate_on(table.weight[of_net.validation])
        else (table, None)
        for of_net in stop_on
    ]


def _encoded(rows: Rows, encoder: FeatureEncoder, *, device: Any, dtype: Any) -> InputRows:
    return rows_for_training(EncodedRows(encoder, rows.X, rows.index), device, dtype)


def _table(rows: Rows, blocks: InputRows, tasks: TaskSet, *, device: Any, dtype: Any) -> Table:
    y, weight = tasks.encode(rows.columns, rows.weight)
    return Table.from_rows(blocks, y, weight, device=device, dtype=dtype)


def _validation(
    reader: BaseEstimator, X: Any, y: Any, tasks: TaskSet, *, admitted: Admitted, left_out: Sequence[str]
) -> Rows:
    rows, _ = read_rows(reader, X, y, admitted=admitted, tasks=tasks.names, left_out=left_out, name="y_val")
    unknown = {task.name: task.unknown_labels(rows.columns[task.name])[:5] for task in tasks}
    found = [f"{labels} of task {name!r}" for name, labels in unknown.items() if labels]
    if found:
        warnings.warn(
            f"`y_val` has labels that y has not, {_listed(found)}: they are left out.",
            stacklevel=7,
        )
    return rows


def _listed(parts: Sequence[str]) -> str:
    """Return parts of a sentence as one, the first ten of many."""
    more = [f"{len(parts) - MOST_LISTED} more"] if len(parts) > MOST_LISTED else []
    return ", ".join([*parts[:MOST_LISTED], *more])
