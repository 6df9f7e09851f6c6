"""Of which events the callbacks of a net are told."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback

# The events within an epoch of which callbacks may be told.
PER_STEP = ("on_batch_begin", "on_grad_computed", "on_batch_end")


def is_told_of_steps(callback: Any) -> bool:
    """Whether a callback listens to events within an epoch."""
    return any(getattr(type(callback), name) is not getattr(Callback, name) for name in PER_STEP)


def is_of_the_user(callback: Any) -> bool:
    """Whether a callback is none of this package's."""
    ours = __package__.partition(".")[0]
    return type(callback).__module__.partition(".")[0] != ours
