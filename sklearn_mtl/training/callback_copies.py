"""Copies of callbacks: each shares what the callback was given, and has a state of its own."""

from __future__ import annotations

from copy import deepcopy
from inspect import signature
from typing import Any

from skorch.callbacks import Callback


def copied(value: Any, memo: dict[int, Any] | None = None) -> Any:
    """Return a callback, or a list or tuple with callbacks in it, with a copy in place of each callback.

    What a callback was constructed with is shared: a trial that it reports to, a writer, an open file, a
    list of the user's. What it has besides is its state, which is copied; what can't be copied, such as a
    lock, is shared too. Callbacks that know each other do so in the copy. The originals are not changed.

    Parameters
    ----------
    value : object
        Anything; what holds no callback is returned as it is.
    memo : dict of int to object, optional
        What is copied already, as in ``deepcopy``.
    """
    memo = {} if memo is None else memo
    if isinstance(value, Callback):
        return memo[id(value)] if id(value) in memo else _copy(value, memo)
    if type(value) in (list, tuple):
        parts = [copied(part, memo) for part in value]
        changed = any(new is not old for new, old in zip(parts, value, strict=True))
        return type(value)(parts) if changed else value
    return value


def _copy(callback: Callback, memo: dict[int, Any]) -> Callback:
    # Not by `copy`, which leaves out what a callback does not want to be pickled.
    found: Callback = object.__new__(type(callback))
    memo[id(callback)] = found
    state, given = dict(vars(callback)), given_to(callback)
    # What was given stays the same object wherever the state refers to it.
    memo |= {id(state[name]): state[name] for name in given if not isinstance(state[name], Callback)}
    for name, value in state.items():
        new = copied(value, memo)
        setattr(found, name, _deep_copy(value, memo) if new is value and name not in given else new)
    return found


def given_to(callback: Callback) -> set[str]:
    """Return the attributes that hold what a callback was constructed with.

    These are named as the parameters of its constructor are. Where one of these can't be found, they are what
    skorch takes for parameters: all attributes whose names do not end in an underscore.

    Parameters
    ----------
    callback : Callback
        A callback.
    """
    state, found = vars(callback), set()
    for name in list(signature(type(callback).__init__).parameters)[1:]:
        attribute = next((known for known in (name, f"_{name}", f"{name}_") if known in state), None)
        if attribute is None:
            return {known for known in state if not known.endswith("_")}
        found.add(attribute)
    return found


def _deep_copy(value: Any, memo: dict[int, Any]) -> Any:
    # Of a copy that fails halfway nothing may stay in the memo.
    attempt = dict(memo)
    try:
        found = deepcopy(value, attempt)
    except Exception:
        return value
    memo |= attempt
    return found
