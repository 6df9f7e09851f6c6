"""Callbacks by name, as parameters: ``callbacks__early__patience``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sklearn_mtl.training import copied


def named(callbacks: Any) -> list[tuple[str, Any]]:
    """Return the callbacks with their names, which are those that skorch gives them.

    Parameters
    ----------
    callbacks : object
        The parameter. A callback that has no name is called by its class; of several of one class the
        first is ``EarlyStopping_1``. What is no list has none.
    """
    if not isinstance(callbacks, list | tuple):
        return []
    entries = [entry if _has_name(entry) else (_class_name(entry), entry) for entry in callbacks]
    n_alike, seen = Counter(name for name, _ in entries), Counter[str]()
    found = []
    for (name, callback), entry in zip(entries, callbacks, strict=True):
        seen[name] += 1
        is_one_of_several = n_alike[name] > 1 and not _has_name(entry)
        found.append((f"{name}_{seen[name]}" if is_one_of_several else name, callback))
    return found


def check_names(callbacks: Any) -> None:
    """Raise a ``ValueError`` where two callbacks have one name."""
    twice = [name for name, n in Counter(name for name, _ in named(callbacks)).items() if n > 1]
    if twice:
        raise ValueError(f"`callbacks` must have names that differ. Found {twice[0]!r} more than once.")


def callback_parameters(callbacks: Any) -> dict[str, Any]:
    """Return the callbacks and their parameters, as ``get_params`` lists them.

    Parameters
    ----------
    callbacks : object
        The parameter.
    """
    found: dict[str, Any] = {}
    for name, callback in named(callbacks):
        found[f"callbacks__{name}"] = callback
        if hasattr(callback, "get_params") and not isinstance(callback, type):
            found |= {f"callbacks__{name}__{key}": v for key, v in _parameters(callback).items()}
    return found


def callbacks_with(parameter: str, current: Any, entries: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return callbacks of which some are replaced, or have other parameters; the given ones stay as they are.

    Parameters
    ----------
    parameter : str
        The constructor's parameter, for messages.
    current : object
        Its value.
    entries : mapping of str to object
        By ``early`` another callback, or None for none, and by ``early__patience`` a parameter of it.

    Raises
    ------
    ValueError
        If there is no such callback, or it has no such parameter.
    """
    if not isinstance(current, list | tuple):
        raise ValueError(
            f"`{parameter}` must be a list of callbacks before entries of it can be set. Found {current!r}."
        )
    found = dict(named(current))
    for key in entries:
        name = key.partition("__")[0]
        if name not in found:
            raise ValueError(
                f"`{parameter}__{name}` must name a callback; there are {list(found)}. Found {name!r}."
            )
    found |= {name: callback for name, callback in entries.items() if "__" not in name}
    # All at once, as callbacks may know each other.
    found = dict(copied(list(found.items())))
    for key, value in entries.items():
        name, _, rest = key.partition("__")
        if rest:
            found[name] = _set(f"{parameter}__{name}", found[name], {rest: value})
    return list(found.items())


def schedule_with(parameter: str, current: Any, entries: Mapping[str, Any]) -> Any:
    """Return a copy of a learning-rate schedule with other parameters.

    Parameters
    ----------
    parameter, current, entries
        As in `callbacks_with`; the names of the entries are those of the schedule's parameters.
    """
    return _set(parameter, copied(current), entries)


def _set(owner: str, callback: Any, parameters: Mapping[str, Any]) -> Any:
    """Return a callback with other parameters, a new one in place of a class."""
    callback = callback() if isinstance(callback, type) else callback
    if not hasattr(callback, "set_params"):
        raise ValueError(f"`{owner}` must be a callback before parameters of it are set. Found {callback!r}.")
    known = list(_parameters(callback))
    for name in parameters:
        if name not in known:
            raise ValueError(f"`{owner}` has no parameter {name!r}; there are {known}.")
    callback.set_params(**parameters)
    return callback


def _parameters(callback: Any) -> dict[str, Any]:
    return {name: value for name, value in callback.get_params().items() if not name.startswith("_")}


def _has_name(entry: Any) -> bool:
    return isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)


def _class_name(entry: Any) -> str:
    return entry.__name__ if isinstance(entry, type) else type(entry).__name__
