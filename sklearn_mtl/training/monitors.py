"""What callbacks monitor: a key of an epoch's row of skorch's history, which is known before training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from skorch.callbacks import (
    Checkpoint,
    EpochTimer,
    LRScheduler,
    PassthroughScoring,
    WandbLogger,
)
from torch.optim.lr_scheduler import ReduceLROnPlateau

_MOST_NAMED = 10


def check_monitors(
    callbacks: Sequence[Any], columns: Mapping[str, Sequence[str]], *, validated: bool, verbose: bool
) -> None:
    """Raise a ``ValueError`` for a callback that monitors what no epoch comes to.

    A callback of another class than those of skorch may write down keys of its own: beside one, only the
    monitors of validation are checked.

    Parameters
    ----------
    callbacks : sequence of Callback
        In the order in which they see an epoch.
    columns : mapping of str to list of str
        Of `columns_by_task`.
    validated : bool
        Whether all nets hold rows out.
    verbose : bool
        Whether skorch's own log is shown, and the duration of an epoch taken for it.
    """
    all_of_skorch = all(type(callback).__module__.partition(".")[0] == "skorch" for callback in callbacks)
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
                f"{monitor!r}; there are 'train_loss' and 'train_loss_best'."
            )
        if all_of_skorch and monitor not in known:
            nearest = get_close_matches(monitor, sorted(known), n=1)
            raise ValueError(
                f"`callbacks` must monitor what is written down of an epoch before they see it. Found {name} "
                f"with monitor={monitor!r}{f'; the nearest is {nearest[0]!r}' if nearest else ''}. There are "
                f"{_shown(plain)}; losses and scores have a flag each, such as 'train_loss_best'."
            )


def is_plateau(schedule: LRScheduler) -> bool:
    """Whether the policy of a schedule goes by what it monitors."""
    policy = schedule.policy
    return policy == ReduceLROnPlateau.__name__ or (
        isinstance(policy, type) and issubclass(policy, ReduceLROnPlateau)
    )


def _monitored(callback: Any) -> Any:
    if isinstance(callback, LRScheduler) and not is_plateau(callback):
        return None
    if isinstance(callback, WandbLogger):
        return "valid_loss_best" if callback.save_model else None
    return getattr(callback, "monitor", None)


def _recorded(callback: Any) -> Iterable[str]:
    """Return what a callback of skorch writes down of an epoch."""
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
    """Return what every net writes down of an epoch, and the flags of which was the best."""
    parts = ["train", "valid"] if validated else ["train"]
    by_task = [key for key in columns if key.partition("_")[0] in parts]
    with_flags = [f"{part}_loss" for part in parts]
    with_flags += [name for key in by_task for name in columns[key]]
    without = [*columns["weight"], "epoch", *(f"{part}_batch_count" for part in parts)]
    return [*with_flags, *without], [f"{name}_best" for name in with_flags]


def _shown(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return f"{list(names[:_MOST_NAMED])}" + (f" and {more} more" if more > 0 else "")
