"""The constructor's parameters, checked and resolved before any training."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_mtl.recipes import resolve
from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import KINDS, TaskKind, TaskSet
from sklearn_mtl.training import (
    TrainingSettings,
    check_callbacks,
    check_lr_schedule,
    resolve_autocast,
    resolve_device,
    resolve_optimizer,
    resolve_precision,
)

if TYPE_CHECKING:
    from sklearn_mtl.estimators.base import BaseMultiTask
    from sklearn_mtl.targets import Column

# Of what was found, letters that a message shows.
MOST_SHOWN = 100
SMALL_DATA = 1000


def training_settings(estimator: BaseMultiTask, n_rows: int) -> TrainingSettings:
    """Return what the loop is told.

    Parameters
    ----------
    estimator : BaseMultiTask
        Its parameters are checked.
    n_rows : int
        Training rows, by which ``"auto"`` goes.
    """
    check_numbers(estimator)
    check_lr_schedule(estimator.lr_schedule)
    return TrainingSettings(
        optimizer=resolve_optimizer(estimator.optimizer),
        lr=float(estimator.lr),
        weight_decay=float(estimator.weight_decay),
        batch_size=auto_batch_size(n_rows) if estimator.batch_size == "auto" else int(estimator.batch_size),
        max_epochs=int(estimator.max_epochs),
        lr_schedule=estimator.lr_schedule,
        gradient_clip=None if estimator.gradient_clip is None else float(estimator.gradient_clip),
        patience=_patience(estimator, n_rows) if estimator.early_stopping else None,
        ema_decay=None if estimator.ema_decay is None else float(estimator.ema_decay),
        calibrate=bool(estimator.calibrate),
        device=resolve_device(estimator.device),
        dtype=resolve_precision(estimator.precision),
        autocast=resolve_autocast(estimator.precision),
        compile=bool(estimator.compile),
        callbacks=list(estimator.callbacks or ()),
        verbose=int(estimator.verbose),
    )


def auto_batch_size(n_rows: int) -> int:
    """Return the power of two nearest a twentieth of the rows, from 32 to 128."""
    return int(np.clip(2 ** round(np.log2(max(n_rows, 1) / 20)), 32, 128))


def _patience(estimator: BaseMultiTask, n_rows: int) -> int:
    """Return the patience; ``"auto"`` is 12 below 1,000 rows, whose few held-out rows tell less, then 6."""
    if estimator.patience == "auto":
        return 12 if n_rows < SMALL_DATA else 6
    return int(estimator.patience)


def n_nets(estimator: BaseMultiTask, n_rows: int) -> int:
    """Return how many nets are trained: ``"auto"`` is 8 below 1,000 rows, 2 from there on."""
    if estimator.n_bags == "auto":
        return 8 if n_rows < SMALL_DATA else 2
    return int(estimator.n_bags)


Rule = tuple[str, Callable[[Any], bool]]
_POSITIVE: Rule = ("a positive number", lambda v: _is_real(v) and v > 0)
_AT_LEAST_ZERO: Rule = ("a non-negative number", lambda v: _is_real(v) and v >= 0)
_COUNT: Rule = ("a positive integer", lambda v: _is_integer(v) and v >= 1)
_FLAG: Rule = ("True or False", lambda v: isinstance(v, bool | np.bool_))
_RULES: dict[str, Rule] = {
    "lr": _POSITIVE,
    "weight_decay": _AT_LEAST_ZERO,
    "batch_size": ("'auto' or a positive integer", lambda v: _is_auto(v) or _COUNT[1](v)),
    "max_epochs": _COUNT,
    "gradient_clip": ("None or a positive number", lambda v: v is None or _POSITIVE[1](v)),
    "patience": ("'auto' or a positive integer", lambda v: _is_auto(v) or _COUNT[1](v)),
    "validation_fraction": (
        "a number between 0 and 1, or a splitter with split(X, y, groups); early_stopping=False "
        "holds out no rows",
        lambda v: is_splitter(v) or (_is_real(v) and 0 < v < 1),
    ),
    "n_bags": ("'auto' or a positive integer", lambda v: _is_auto(v) or _COUNT[1](v)),
    "ema_decay": ("None or a number in [0, 1)", lambda v: v is None or (_is_real(v) and 0 <= v < 1)),
    "early_stopping": _FLAG,
    "calibrate": _FLAG,
    "compile": _FLAG,
    "warm_start": _FLAG,
}


def check_numbers(estimator: BaseMultiTask) -> None:
    """Raise a ``ValueError`` for the first parameter that breaks its rule."""
    for name, (rule, holds) in _RULES.items():
        value = getattr(estimator, name)
        if not holds(value):
            raise ValueError(f"`{name}` must be {rule}. Found {textwrap.shorten(repr(value), MOST_SHOWN)}.")
    check_callbacks(estimator.callbacks, estimator.ema_decay)


def is_splitter(value: Any) -> bool:
    """Whether this is a splitter as scikit-learn has them."""
    return callable(getattr(value, "split", None)) and not isinstance(value, str | bytes | type)


def check_pair(X_val: Any, y_val: Any) -> None:
    """Raise a ``ValueError`` if one of the two is given without the other."""
    if (X_val is None) != (y_val is None):
        raise ValueError("`X_val` and `y_val` must be given together. Found one without the other.")


def task_kinds(
    tasks: Mapping[str, Any] | None,
    columns: Mapping[str, Column],
    infer: Callable[[dict[str, Column]], Mapping[str, TaskKind]],
    classes: Mapping[str, Any] | None = None,
) -> dict[str, TaskKind]:
    """Return the kind of each task: what ``tasks`` says, else what is inferred.

    A task of which classes are declared is a classification: nothing is inferred from its labels.

    Parameters
    ----------
    tasks : mapping of str to str or TaskKind, or None
        The parameter.
    columns : mapping of str to Column
        Labels by task.
    infer : callable
        From the labels of the tasks that ``tasks`` does not name to their kinds.
    classes : mapping of str to array-like or None, optional
        Classes declared up front.
    """
    asked = by_task("tasks", tasks, list(columns))
    declared = by_task("classes", classes, list(columns))
    said = {name: resolve(KINDS, kind, f" for task {name!r}") for name, kind in asked.items()}
    for name, of_task in declared.items():
        if of_task is not None and name not in said and columns[name].values.ndim == 1:
            said[name] = KINDS["classification"]()
    inferred = infer({name: column for name, column in columns.items() if name not in said})
    return {name: said[name] if name in said else inferred[name] for name in columns}


def by_task(parameter: str, mapping: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """Return a mapping by task, empty for None; a ``ValueError`` if it names a task there is not."""
    if mapping is None:
        return {}
    if not isinstance(mapping, Mapping):
        raise TypeError(f"`{parameter}` must be None or a mapping by task. Found {mapping!r}.")
    unknown = [name for name in mapping if name not in names]
    if unknown:
        raise ValueError(f"`{parameter}` names unknown tasks {unknown}; the tasks are {list(names)}.")
    return mapping


def task_weights(weights: Mapping[str, float] | None, names: Sequence[str]) -> tuple[float, ...]:
    """Return the weight of each task, 1.0 where none is given."""
    given = by_task("task_weights", weights, names)
    found = [given.get(name, 1.0) for name in names]
    for name, weight in zip(names, found, strict=True):
        if not _is_real(weight) or not np.isfinite(weight) or weight < 0:
            raise ValueError(
                f"`task_weights` must hold finite non-negative numbers. Found {weight!r} for task {name!r}."
            )
    if not any(found):
        raise ValueError("`task_weights` must leave a task of positive weight. Found 0 for every task.")
    return tuple(map(float, found))


def head_hidden_sizes(sizes: Any, names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Return the hidden sizes of each task's branch, given for all or by task."""
    given = (
        by_task("head_hidden_sizes", sizes, names)
        if isinstance(sizes, Mapping)
        else dict.fromkeys(names, sizes)
    )
    return tuple(_sizes(given.get(name, ())) for name in names)


def _sizes(sizes: Any) -> tuple[int, ...]:
    found = (sizes,) if _is_integer(sizes) else sizes
    if not isinstance(found, Sequence | np.ndarray) or not all(
        _is_integer(size) and size > 0 for size in found
    ):
        raise ValueError(
            f"`head_hidden_sizes` must be a sequence of positive integers, or such by task. Found {sizes!r}."
        )
    return tuple(map(int, found))


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and bool(np.isfinite(float(value)))


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_all_of(owner: str, kinds: Mapping[str, TaskKind], estimator_type: str) -> None:
    """Raise a ``ValueError`` for a task whose kind the estimator does not take."""
    for name, kind in kinds.items():
        if kind.estimator_type != estimator_type:
            ours = [of.__name__ for of in KINDS.values() if of.estimator_type == estimator_type]
            raise ValueError(
                f"`tasks` of {owner} must hold {' or '.join(ours)}, or kinds of `estimator_type` "
                f"{estimator_type!r}, only. "
                f"Found {kind!r} for task {name!r}; MultiTaskClassifierRegressor takes all kinds."
            )


def declared_classes(y: Any, classes: Any) -> Mapping[str, Any] | None:
    """Return the classes that ``partial_fit`` was told, by task.

    Parameters
    ----------
    y : object
        As the user gave it; arrays name their tasks y, or y0, y1, ….
    classes : object
        Likewise.
    """
    if classes is None or isinstance(classes, Mapping):
        return classes
    if np.ndim(y) == 2:
        return {f"y{i}": of_task for i, of_task in enumerate(classes)}
    return {"y": classes}


def check_same_classes(tasks: TaskSet, classes: Mapping[str, Any] | None) -> None:
    """Raise a ``ValueError`` if classes declared again are not those of the first call.

    Parameters
    ----------
    tasks : TaskSet
        Of the first call.
    classes : mapping of str to array-like, or None
        What a later call declares.
    """
    declared = by_task("classes", classes, tasks.names)
    every: list[Any] = [task for task in tasks if task.has_classes]
    of_tasks = {task.name: task.classes for task in every}
    for name, known in of_tasks.items():
        if name in declared and isinstance(known, np.ndarray):
            again = read_column(name, declared[name]).values.tolist()
            if set(again) != set(known.tolist()):
                raise ValueError(
                    f"`classes` of task {name!r} is not the same as on last call to partial_fit, was: "
                    f"{known.tolist()}. Found {again}."
                )
