"""Parameters of what preprocesses X: of one input, or of several by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sklearn.base import clone

from sklearn_mtl.features import KINDS_OF_INPUT
from sklearn_mtl.messages import shown


def preprocessing_with(parameter: str, current: Any, entries: Mapping[str, Any]) -> Any:
    """Return a preprocessing with some of its parameters set; what was given is not changed.

    Of a mapping, entries are the preprocessings of inputs, ``photo``, and their parameters,
    ``photo__channels``. ``"auto"`` becomes the kind of input that has the parameters, or a mapping.

    Parameters
    ----------
    parameter : str
        Name of the parameter, for messages.
    current : object
        The preprocessing.
    entries : mapping of str to object
        What is set, by what follows ``parameter__``.

    Raises
    ------
    ValueError
        If it has no such parameter, or it can't be told which kind of input is meant.

    Examples
    --------
    >>> preprocessing_with("preprocessing", {"table": None}, {"photo__channels": "first"})
    {'table': None, 'photo': ImagePreprocessing(channels='first')}
    >>> preprocessing_with("preprocessing", "auto", {"tokens": "characters"})
    TextPreprocessing(tokens='characters')
    """
    if isinstance(current, Mapping) or (_is_auto(current) and _are_of_inputs(entries)):
        return _mapping_with(parameter, current if isinstance(current, Mapping) else {}, entries)
    if _is_auto(current):
        return _kind_with(parameter, entries)
    if not hasattr(current, "set_params") or isinstance(current, type):
        raise ValueError(
            f"`{parameter}` must be an object with parameters, 'auto' or a mapping by input before "
            f"parameters of it, {sorted(entries)}, can be set. Found {shown(current)}."
        )
    return clone(current).set_params(**entries)


def _mapping_with(parameter: str, current: Mapping[str, Any], entries: Mapping[str, Any]) -> dict[str, Any]:
    # Whole entries first, so that those of one input can be set together.
    merged = {**current, **{name: value for name, value in entries.items() if "__" not in name}}
    nested: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, value in entries.items():
        name, _, rest = key.partition("__")
        if rest:
            nested[name][rest] = value
    for name, values in nested.items():
        merged[name] = preprocessing_with(f"{parameter}__{name}", merged.get(name, "auto"), values)
    return merged


def _kind_with(parameter: str, entries: Mapping[str, Any]) -> Any:
    """Return the preprocessing of the one kind of input that has all the parameters."""
    kinds = [kind for kind in KINDS_OF_INPUT if kind().get_params().keys() >= entries.keys()]
    if len(kinds) == 1:
        return kinds[0]().set_params(**entries)
    known = {kind.__name__: sorted(kind().get_params()) for kind in KINDS_OF_INPUT}
    raise ValueError(
        f"`{parameter}` must be an object before parameters of it, {sorted(entries)}, can be set that are "
        f"not all of one kind of input. They have {known}. Found 'auto'."
    )


def _are_of_inputs(entries: Mapping[str, Any]) -> bool:
    """Whether some of what is set can be nothing but an input's: its preprocessing, or a parameter of it."""
    return any("__" in name or hasattr(value, "fit") for name, value in entries.items())


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"
