"""The user's skorch callbacks: which are refused, what they may monitor, and the copies that a net is given.

A callback monitors a key of an epoch's row of skorch's history; the keys are known before training.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from inspect import signature
from os import PathLike
from pathlib import PurePath
from typing import Any

from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    MlflowLogger,
    NeptuneLogger,
    PassthroughScoring,
    SacredLogger,
    TensorBoard,
    TrainEndCheckpoint,
    WandbLogger,
)
from skorch.callbacks import lr_scheduler as known_policies
from torch.optim.lr_scheduler import LRScheduler as Policy
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sklearn_mtl.messages import shown
from sklearn_mtl.training.callback_copies import copied

_SCORING = (
    "it scores one target as one tensor, and the history has the losses and the metric of every task: "
    "monitor='valid_r2_price'"
)
REFUSED: dict[type[Callback], str] = {
    EpochScoring: _SCORING,
    BatchScoring: _SCORING,
    InputShapeSetter: "the network is built to the width of X anyway",
}
_LOGGERS = (TensorBoard, WandbLogger, NeptuneLogger, SacredLogger, MlflowLogger)
# Libraries whose callbacks write nothing of their own into the history, but for what `_recorded` tells.
_KNOWN = ("skorch", "optuna_integration")
# Keys that an error names.
_MOST_NAMED = 10


class StopTraining(KeyboardInterrupt):
    """Raised by a callback to end a training that is done.

    skorch's own early stopping raises ``KeyboardInterrupt``, as Ctrl-C does; this one can be told apart.
    """


def check_callbacks(callbacks: Any, ema_decay: float | None) -> None:
    """Raise a ``ValueError`` unless they are callbacks of skorch that a net of several tasks can serve.

    Parameters
    ----------
    callbacks : object
        The estimator's parameter, not None.
    ema_decay : float or None
        The estimator's parameter: some callbacks do not go with averaged weights.
    """
    is_list = isinstance(callbacks, list | tuple)
    if not is_list or not all(map(_is_callback, map(_callback_of, enabled(callbacks)))):
        raise ValueError(
            "`callbacks` must be None or a list of skorch callbacks, each alone or as (name, callback). "
            f"Found {type(callbacks).__name__ if _is_callback(callbacks) else shown(callbacks)}."
        )
    for callback in map(_callback_of, enabled(callbacks)):
        reason = _why_refused(callback, averaged=ema_decay is not None)
        if reason is not None:
            name = callback.__name__ if isinstance(callback, type) else type(callback).__name__
            raise ValueError(
                f"`callbacks` must be such as nets of several tasks can serve. Found {name}: {reason}."
            )


def check_places(callbacks: Sequence[Any], n_nets: int) -> None:
    """Raise a ``ValueError`` for callbacks of several nets that would write to one place.

    Parameters
    ----------
    callbacks : sequence of Callback
        Checked by `check_callbacks`.
    n_nets : int
        Number of nets.
    """
    for callback in callbacks:
        if n_nets > 1 and _writes_to_one_place(callback):
            raise ValueError(
                "`callbacks` of several nets must not write to one place, as "
                f"{type(callback).__name__} does. Found {n_nets} nets; n_bags=1 trains one."
            )


def names_of_writers(callbacks: Sequence[Any] | None) -> list[str]:
    """Return the classes' names of the callbacks that write to the same place in every fit."""
    kinds = (Checkpoint, TrainEndCheckpoint, LoadInitState)
    return [
        type(callback).__name__
        for callback in instantiated(callbacks or ())
        if isinstance(callback, kinds) or _writes_to_one_place(callback)
    ]


def _writes_to_one_place(callback: Any) -> bool:
    """Whether what a callback was given takes the record of one training: a run, or a trial."""
    takes_one = isinstance(callback, _LOGGERS) or getattr(callback, "of_one_fit", False)
    return takes_one or any(map(_is_trial, vars(callback).values()))


def _is_trial(value: Any) -> bool:
    """Whether it is a trial of Optuna, which takes one number for each step."""
    optuna = sys.modules.get("optuna")
    return optuna is not None and isinstance(value, optuna.trial.BaseTrial)


def enabled(callbacks: Sequence[Any]) -> list[Any]:
    """Return the entries of `callbacks` without those that have a name, and None in place of a callback."""
    return [entry for entry in callbacks if not isinstance(entry, tuple) or _callback_of(entry) is not None]


def has_stopped_early(callbacks: Sequence[tuple[str, Any]]) -> bool:
    """Whether a user's skorch ``EarlyStopping`` has fired, which raises what Ctrl-C raises."""
    return any(
        hasattr(callback, "patience") and getattr(callback, "misses_", -1) >= callback.patience
        for _, callback in callbacks
    )


def copies_of(callbacks: Sequence[Any], prefix: str) -> list[Any]:
    """Return copies of the callbacks for one net.

    Parameters
    ----------
    callbacks : sequence
        The user's callbacks, which are not changed.
    prefix : str
        Put before the names of the files that checkpoints write.
    """
    copies: list[Any] = copied([_instantiated(entry) for entry in callbacks])
    for checkpoint in {id(found): found for found in _checkpoints(map(_callback_of, copies))}.values():
        for name, target in _files(checkpoint).items() if prefix else ():
            setattr(checkpoint, name, _prefixed(target, prefix))
    for state in map(_callback_of, copies):
        # One that is not among the callbacks is made ready by nobody else.
        if isinstance(state, LoadInitState) and isinstance(state.checkpoint, TrainEndCheckpoint):
            state.checkpoint.initialize()
    return copies


def _callback_of(entry: Any) -> Any:
    has_name = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)
    return entry[1] if has_name else entry


def _is_callback(entry: Any) -> bool:
    return issubclass(entry if isinstance(entry, type) else type(entry), Callback)


def _instantiated(entry: Any) -> Any:
    """Return an entry of `callbacks`, an instance in place of a class."""
    if isinstance(entry, tuple):
        return entry[0], _instantiated(entry[1])
    return entry() if isinstance(entry, type) else entry


def instantiated(callbacks: Sequence[Any]) -> list[Any]:
    """Return the callbacks without their names, an instance in place of each class."""
    return [_callback_of(_instantiated(entry)) for entry in enabled(callbacks)]


def _why_refused(callback: Any, *, averaged: bool) -> str | None:
    kind = callback if isinstance(callback, type) else type(callback)
    for refused, reason in REFUSED.items():
        if issubclass(kind, refused):
            return reason
    if isinstance(callback, EarlyStopping) and callback.load_best and averaged:
        return (
            "its load_best=True would put weights back that are not averaged. Those from the best epoch on "
            "are kept anyway; Checkpoint has load_best too, and ema_decay=None averages nothing"
        )
    if isinstance(callback, LRScheduler):
        return why_no_schedule(callback)
    return _why_no_files(callback)


def _why_no_files(callback: Any) -> str | None:
    """Return why a callback can't write or read its files; None where it can, or has none."""
    if isinstance(callback, LoadInitState) and not [*_checkpoints([callback])]:
        return "its checkpoint must be a Checkpoint or a TrainEndCheckpoint"
    for checkpoint in _checkpoints([callback]):
        if isinstance(callback, LoadInitState) and checkpoint.f_history is None:
            return "skorch finds the files of a checkpoint by its history, and f_history must not be None"
        for name, target in _files(checkpoint).items():
            if not isinstance(target, str | PathLike):
                return f"each net writes its own file anew, and {name} must be a path, not an open file"
        folder = checkpoint.dirname
        if not isinstance(folder, str | PathLike) or "\0" in str(os.fspath(folder)):
            return f"its dirname must be a path, not {shown(folder)}"
    return None


def why_no_schedule(schedule: LRScheduler) -> str | None:
    """Return why nets of several tasks can't move their learning rate so; None where they can."""
    policy = schedule.policy
    found = getattr(known_policies, policy, None) if isinstance(policy, str) else policy
    if not callable(found) or (isinstance(found, type) and not issubclass(found, Policy)):
        return f"its policy must be a schedule of torch or the name of one, not {shown(policy)}"
    try:
        signature(found).bind(None, **schedule.kwargs)
    except TypeError as error:
        return f"its policy {found.__name__} takes other arguments: {error}"
    if is_plateau(schedule) and schedule.step_every == "batch" and not callable(schedule.monitor):
        return "losses are read once an epoch, its policy needs one at each step; step_every='epoch' is fine"
    return None


def _checkpoints(callbacks: Any) -> Iterator[Any]:
    for callback in callbacks:
        if isinstance(callback, Checkpoint | TrainEndCheckpoint):
            yield callback
        elif isinstance(callback, LoadInitState):
            yield from _checkpoints([callback.checkpoint])


def _files(checkpoint: Any) -> dict[str, Any]:
    """Return what a checkpoint writes to, by the name of its parameter."""
    return {
        name: target
        for name, target in vars(checkpoint).items()
        if name.startswith("f_") and target is not None
    }


def _prefixed(target: Any, prefix: str) -> Any:
    """Return a path with another name of the file, in the same folder and of the same type."""
    path = PurePath(target)
    return type(target)(path.with_name(prefix + path.name))


def check_monitors(
    callbacks: Sequence[Any], columns: Mapping[str, Sequence[str]], *, validated: bool, verbose: bool
) -> None:
    """Raise a ``ValueError`` for a callback that monitors a key that no epoch has.

    A callback that is neither skorch's nor Optuna's may record keys of its own. Where there is one, only the
    monitors of validation are checked.

    Parameters
    ----------
    callbacks : sequence of Callback
        The callbacks, in the order in which they see an epoch.
    columns : mapping of str to list of str
        The result of `history_keys`.
    validated : bool
        Whether all nets hold rows out.
    verbose : bool
        Whether skorch prints its log, for which it records the duration of an epoch.
    """
    all_known = all(type(callback).__module__.partition(".")[0] in _KNOWN for callback in callbacks)
    plain, flags = _own_keys(columns, validated=validated)
    known = {*plain, *flags, *(["dur"] if verbose else [])}
    for callback in callbacks:
        name, monitor = type(callback).__name__, _monitored(callback)
        known.update(_recorded(callback))
        if not isinstance(monitor, str):
            continue
        if not validated and monitor.startswith("valid_"):
            raise ValueError(
                f"`callbacks` must not monitor validation where rows are not held out. Found {name} with "
                f"{shown(monitor)}; there are 'train_loss' and 'train_loss_best'."
            )
        if all_known and monitor not in known:
            nearest = get_close_matches(monitor, sorted(known), n=1)
            hint = f"; the nearest is {nearest[0]!r}" if nearest else ""
            raise ValueError(
                "`callbacks` must monitor what is written down of an epoch before they see it. Found "
                f"{name} with monitor={shown(monitor)}{hint}. There are {_listed(plain)}; "
                "losses and scores have a flag each, such as 'train_loss_best'."
            )


def is_plateau(schedule: LRScheduler) -> bool:
    """Whether a schedule lowers the rate when what it monitors no longer falls."""
    policy = schedule.policy
    return policy == ReduceLROnPlateau.__name__ or (
        isinstance(policy, type) and issubclass(policy, ReduceLROnPlateau)
    )


def _monitored(callback: Any) -> Any:
    if isinstance(callback, LRScheduler) and not is_plateau(callback):
        return None
    if isinstance(callback, WandbLogger):
        return "valid_loss_best" if callback.save_model else None
    # Optuna's has it under a private name.
    return getattr(callback, "monitor", vars(callback).get("_monitor"))


def _recorded(callback: Any) -> Iterable[str]:
    """Return the keys that a callback of skorch records of an epoch."""
    if isinstance(callback, EpochTimer):
        return ["dur"]
    if isinstance(callback, PassthroughScoring):
        return [callback.name, f"{callback.name}_best"]
    if isinstance(callback, Checkpoint) or (
        isinstance(callback, LRScheduler) and callback.step_every == "epoch"
    ):
        return [callback.event_name] if callback.event_name is not None else []
    return []


def _own_keys(columns: Mapping[str, Sequence[str]], *, validated: bool) -> tuple[list[str], list[str]]:
    """Return the keys that every net records of an epoch, and the flags of which was the best."""
    parts = ["train", "valid"] if validated else ["train"]
    by_task = [key for key in columns if key.partition("_")[0] in parts]
    with_flags = [f"{part}_loss" for part in parts]
    with_flags += [name for key in by_task for name in columns[key]]
    without = [*columns["weight"], "epoch", *(f"{part}_batch_count" for part in parts)]
    return [*with_flags, *without], [f"{name}_best" for name in with_flags]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return f"{list(names[:_MOST_NAMED])}" + (f" and {more} more" if more > 0 else "")
