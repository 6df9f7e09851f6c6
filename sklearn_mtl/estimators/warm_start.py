"""Training on: what the first fit made stays, and a warning says so where a parameter was set anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Number
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.data import RowSplit, Table
from sklearn_mtl.estimators.fit_parameters import FitParameters
from sklearn_mtl.estimators.fitted import Fitted
from sklearn_mtl.estimators.fitting import Observed, PlannedFit, held_out_by_net
from sklearn_mtl.estimators.models_beside import models_beside
from sklearn_mtl.estimators.rows import FitData, Rows, by_task, read_rows
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.features import named
from sklearn_mtl.messages import shown
from sklearn_mtl.network import in_default_modes
from sklearn_mtl.recipes import fingerprint
from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import TaskSet
from sklearn_mtl.training import TrainingSettings, plan_further


@in_default_modes
def fit_further(
    parameters: FitParameters,
    fitted: Fitted,
    data: FitData,
    reader: BaseEstimator,
    observed: Observed | None = None,
) -> Fitted:
    """Train on from where the last ``fit`` ended, up to ``max_epochs`` in all.

    Parameters
    ----------
    parameters : FitParameters
        As they are now; those that make tasks, features and network are not taken.
    fitted : Fitted
        What the last ``fit`` left; not changed.
    data : FitData
        Rows and labels that ``fit`` was given.
    reader : BaseEstimator
        Has the number and names of the features.
    observed : callable, optional
        As in `PlannedFit.train`.
    """
    rows = _read(fitted, data, reader)
    fitted = _updated(parameters, fitted, rows)
    held_out = None if data.has_validation else parameters.validation_fraction
    draws = {"n_nets": fitted.n_splits, "seed": fitted.split_seed}
    stages = Stages()
    splits = stages.split(rows, fitted.kinds, data, validation_fraction=held_out, **draws)
    splits = splits[: len(fitted.nets)]
    settings = parameters.training_settings(len(splits[0].train))
    done = max(len(net.history) for net in fitted.nets)
    if done >= settings.max_epochs:
        warn_caller(
            f"`max_epochs` must be raised for a warm start to train on. Found {settings.max_epochs}, and "
            f"{done} epochs done; the estimator is left as it is.",
        )
        return fitted
    validation = stages.validation_table(
        reader, data, fitted.encoder, fitted.blueprint, settings, left_out=fitted.left_out
    )
    epochs = settings.max_epochs - done
    planned = _planned(fitted, rows, splits, validation, settings, epochs, parameters)
    return replace(planned, beside=models_beside(parameters, planned.plans[0])).train(observed)


@in_default_modes
def fit_batch(
    parameters: FitParameters,
    fitted: Fitted,
    data: FitData,
    classes: Mapping[str, Any] | None,
    reader: BaseEstimator,
) -> Fitted:
    """Train for one epoch on the given rows, holding none out; tasks and scales stay as they were.

    Parameters
    ----------
    parameters, fitted, data, reader
        As in `fit_further`; ``fitted`` is what an earlier call left.
    classes : mapping of str to array-like, or None
        Classes of the classification tasks, which must be those of the first call.
    """
    rows = _read(fitted, data, reader)
    fitted = _updated(parameters, fitted, rows)
    _check_same_classes(fitted.tasks, classes)
    settings = parameters.training_settings(len(rows))
    nothing = RowSplit.from_validation(np.empty(0, dtype=np.intp), len(rows))
    # Without held-out rows, no share of a linear part could be chosen.
    splits = [nothing] * len(fitted.nets)
    return _planned(fitted, rows, splits, None, settings, 1, parameters).train()


def declared_classes(y: Any, classes: Any) -> Mapping[str, Any] | None:
    """Return the classes that ``partial_fit`` was told, by task.

    Parameters
    ----------
    y : object
        As the user gave it; arrays name their tasks y, or y0, y1, ….
    classes : object
        As the user gave them.
    """
    if classes is None or isinstance(classes, Mapping):
        return classes
    if np.ndim(y) == 2:
        return {f"y{i}": of_task for i, of_task in enumerate(classes)}
    return {"y": classes}


def _read(fitted: Fitted, data: FitData, reader: BaseEstimator) -> Rows:
    accepted = fitted.encoder.accepted
    given = (data.X, data.y, data.sample_weight)
    rows, _ = read_rows(reader, *given, accepted=accepted, tasks=fitted.tasks.names)
    return rows


def _updated(parameters: FitParameters, fitted: Fitted, rows: Rows) -> Fitted:
    """Return what is trained on, with what the rows and the parameters change of it; warn of the rest."""
    parameters = parameters.without(fitted.left_out, fitted.all_tasks)
    fitted = fitted.updated_with(rows, parameters.weights_of(fitted.tasks.names))
    _warn_of_what_stays(parameters, fitted)
    return fitted


def _planned(
    fitted: Fitted,
    rows: Rows,
    splits: list[RowSplit],
    validation: Table | None,
    settings: TrainingSettings,
    epochs: int,
    parameters: FitParameters,
) -> PlannedFit:
    stages = Stages()
    table = stages.encode(rows, fitted.encoder, fitted.tasks, settings)
    draws = parameters.draws.without(fitted.left_out)
    parts = stages.train_and_validation(fitted.blueprint, table, splits, validation, draws=draws)
    plans = plan_further(fitted.nets, fitted.blueprint, parts, settings, epochs)
    held_out = held_out_by_net(rows, splits, parts, validation)
    return PlannedFit(replace(fitted, held_out=held_out), tuple(plans))


def _warn_of_what_stays(parameters: FitParameters, fitted: Fitted) -> None:
    """Warn of what training on does not change: parameters set anew, and networks that Ctrl-C left out."""
    ignored = [name for name, now, kept in _made_once(parameters, fitted) if not _is_same(now, kept)]
    if ignored:
        warn_caller(
            f"The parameters {named(ignored)} differ from those of the first fit, by which tasks, features "
            "and networks were made: training on ignores them. A `fit` with warm_start=False takes them.",
        )
    if len(fitted.nets) < fitted.n_splits:
        warn_caller(
            f"{len(fitted.nets)} of {fitted.n_splits} networks had an epoch behind them when Ctrl-C ended "
            "the first fit: only these are trained on. A `fit` with warm_start=False trains all.",
        )


def _made_once(parameters: FitParameters, fitted: Fitted) -> Iterator[tuple[str, Any, Any]]:
    """Yield by parameter what it stands for now, and what the first fit took it for."""
    blueprint, names = fitted.blueprint, fitted.tasks.names
    kinds = parameters.asked_kinds(names)
    n_nets = fitted.n_splits if parameters.n_bags == "auto" else parameters.n_bags
    yield "tasks", kinds, {name: fitted.kinds[name] for name in kinds}
    yield "trunk", parameters.trunk.suited_to(fitted.encoder.spec), blueprint.trunk
    yield "sharing", parameters.sharing, blueprint.sharing
    yield "balancing", parameters.balancing, blueprint.balancing
    yield "head_hidden_sizes", parameters.hidden_sizes_of(names), blueprint.head_hidden_sizes
    if parameters.trunk.fitted is None:  # A fitted trunk brings its own.
        yield "preprocessing", parameters.preprocessing, fitted.encoder.preprocessing
    yield "n_bags", n_nets, fitted.n_splits


def _is_same(now: Any, kept: Any) -> bool:
    """Whether two values of a parameter mean the same, also where they can't be pickled."""
    if now is kept:
        return True
    if isinstance(now, Number | str) and isinstance(kept, Number | str):
        return bool(now == kept)
    if isinstance(now, BaseEstimator):
        return type(now) is type(kept) and _is_same(now.get_params(deep=False), kept.get_params(deep=False))
    if isinstance(now, Mapping) and isinstance(kept, Mapping):
        return now.keys() == kept.keys() and all(_is_same(now[key], kept[key]) for key in now)
    if _is_row(now) and _is_row(kept):
        return len(now) == len(kept) and all(map(_is_same, now, kept))
    return bool(fingerprint(now) == fingerprint(kept))


def _is_row(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _check_same_classes(tasks: TaskSet, classes: Mapping[str, Any] | None) -> None:
    """Raise a ``ValueError`` if classes declared again are not those of the first call."""
    declared = by_task("classes", classes, tasks.names)
    every: list[Any] = [task for task in tasks if task.has_classes]
    of_tasks = {task.name: task.classes for task in every}
    for name, known in of_tasks.items():
        if name in declared and isinstance(known, np.ndarray):
            again = read_column(name, declared[name]).values.tolist()
            if set(again) != set(known.tolist()):
                raise ValueError(
                    f"`classes` of task {shown(name)} is not the same as on last call to partial_fit, was: "
                    f"{shown(known.tolist())}. Found {shown(again)}."
                )
