"""From objects to JSON, arrays and transformers."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from pandas.api.extensions import ExtensionDtype

from sklearn_mtl.export.classes import (
    DEEPEST,
    ENCODERS,
    EXTENSIBLE,
    KNOWN,
    MOST_BYTES_OF_TEXT,
    fitted_state,
    own_fields,
    qualified_name,
)
from sklearn_mtl.features import InputPreprocessing
from sklearn_mtl.targets import pack_dtype
from sklearn_mtl.tasks import Task
from sklearn_mtl.training import OPTIMIZERS, pack_module

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_NAME_OF = {known: name for name, known in KNOWN.items()}
_NAME_OF_OPTIMIZER = {optimizer: name for name, optimizer in OPTIMIZERS.items()}
_NUMBERS = ("b", "i", "u", "f")
# Longer than this is numpy's long double, which differs between machines.
_LONGEST = 8


class Encoder:
    """Turn objects into JSON, and set aside what JSON can't hold.

    None, bool, int, float, str and list stay what they are. Everything else becomes a JSON object with one
    key, a tag that `Decoder` knows.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Arrays of numbers, under the names by which the JSON refers to them.
    transformers : list
        Transformers of scikit-learn, for skops; the JSON refers to them by position.
    classes : dict of str to type
        Classes that are not the package's own, and are handed to `load`.
    modules : dict of str to nn.Module
        Modules that are handed to `load`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.trunks import MLP
    >>> encoder = Encoder()
    >>> encoder.encode({"lr": 0.1, "sizes": (8, 8)}, "x")
    {'map': {'lr': 0.1, 'sizes': {'tuple': [8, 8]}}}
    >>> encoder.encode(np.ones(3), "weights"), list(encoder.arrays)
    ({'array': 'weights'}, ['weights'])
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.transformers: list[Any] = []
        self.classes: dict[str, type] = {}
        self.modules: dict[str, Any] = {}
        self._depth = self._bytes_of_text = 0

    def encode(self, value: Any, where: str) -> Json:
        """Return the JSON for an object.

        Parameters
        ----------
        value : object
            The object.
        where : str
            Name of the object, for errors and arrays.

        Raises
        ------
        TypeError
            If a file can't hold it.
        """
        if value is None or type(value) in (bool, int, str):
            return value
        self._depth += 1
        try:
            # A list that holds itself, for one.
            if self._depth > DEEPEST // 2:
                raise _refusal(f"nested more than {DEEPEST // 2} deep", where)
            for of, encode in self._by_type():
                if isinstance(value, of):
                    return encode(value, where)
            return self._encode_other(value, where)
        finally:
            self._depth -= 1

    def _by_type(self) -> Iterable[tuple[type | tuple[type, ...], Callable[[Any, str], Json]]]:
        # np.float64 is a float, and np.str_ a str: numpy's come first.
        return (
            (np.generic, self._scalar),
            (np.ndarray, self._array),
            (float, lambda value, _: value if math.isfinite(value) else {"float": repr(value)}),
            (bytes, lambda value, _: {"bytes": base64.b64encode(value).decode()}),
            (list, self._items),
            (tuple, lambda value, where: {"tuple": self._items(value, where)}),
            (Mapping, self._mapping),
            (np.random.RandomState, self._random_state),
            (type, self._type),
            ((np.dtype, ExtensionDtype), self._dtype),
            (InputPreprocessing, self._fitted),
            ((*KNOWN.values(), *EXTENSIBLE), self._object),
            (tuple(ENCODERS.values()), self._encoder),
        )

    def _encode_other(self, value: Any, where: str) -> Json:
        """Encode what is recognised by its attributes: its package is optional or may not be imported."""
        package = type(value).__module__.partition(".")[0]
        if package == "polars" and hasattr(value, "is_numeric"):
            return self._dtype(value, where)
        if package == "torch" and type(value).__name__ == "device":
            return str(value)
        if isinstance(value, type):
            raise _refusal(value, where)
        if hasattr(value, "state_dict") and hasattr(value, "parameters"):
            return {"module": _key_for(value, type(value).__name__, self.modules)}
        if all(hasattr(value, method) for method in ("fit", "transform", "get_params")):
            return {"transformer": self._transformer(value)}
        raise _refusal(value, where)

    def own(self) -> dict[str, Json]:
        """Return what is to be handed to `load`: names of classes, and names and weights of modules."""
        modules: dict[str, Json] = {}
        for name, module in self.modules.items():
            try:
                weights = pack_module(module)
            # A module's state may hold more than tensors, and tensors that numpy does not have.
            except (TypeError, AttributeError) as error:
                raise TypeError(
                    f"The state of {name} must be tensors that numpy can hold, to be saved. Found: {error}"
                ) from error
            modules[name] = {
                "class": qualified_name(type(module)),
                "weights": self.encode(weights, f"module {name}"),
            }
        return {
            "classes": {name: qualified_name(of) for name, of in self.classes.items()},
            "modules": modules,
        }

    def _items(self, values: Iterable[Any], where: str) -> Json:
        return [self.encode(value, f"{where}[{position}]") for position, value in enumerate(values)]

    def _mapping(self, mapping: Mapping[Any, Any], where: str) -> Json:
        if all(type(key) is str for key in mapping):
            return {"map": {key: self.encode(value, f"{where}.{key}") for key, value in mapping.items()}}
        pairs = [
            [self.encode(key, f"{where}[{key!r}]"), self.encode(value, f"{where}[{key!r}]")]
            for key, value in mapping.items()
        ]
        return {"pairs": pairs}  # type: ignore[dict-item]

    def _state(self, state: Mapping[str, Any], where: str) -> Json:
        return {name: self.encode(value, f"{where}.{name}") for name, value in state.items()}

    def _scalar(self, value: np.generic, where: str) -> Json:
        if value.dtype.kind not in (*_NUMBERS, "U", "S") or _too_long(value.dtype):
            raise _refusal(value, where)
        return {"scalar": [value.dtype.str, self.encode(value.item(), where)]}

    def _array(self, array: np.ndarray, where: str) -> Json:
        if array.dtype.kind in ("M", "m"):
            return {"times": [array.dtype.str, self._array(array.view(np.int64), where)]}
        if array.dtype.kind in ("O", "U", "S"):
            self._bytes_of_text += 0 if array.dtype.kind == "O" else array.nbytes
            if self._bytes_of_text > MOST_BYTES_OF_TEXT:
                raise _refusal(f"arrays of {self._bytes_of_text} bytes of text", where)
            items = self._items(array.ravel().tolist(), where)
            return {"items": {"dtype": array.dtype.str, "shape": list(array.shape), "values": items}}
        if array.dtype.kind not in _NUMBERS or _too_long(array.dtype):
            raise _refusal(array, where)
        key = _unused(where, self.arrays)
        # safetensors wants the machine's byte order and C order.
        self.arrays[key] = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        return {"array": key}

    def _random_state(self, value: np.random.RandomState, where: str) -> Json:
        return {"random_state": self.encode(value.get_state(legacy=False), where)}

    def _type(self, value: type, where: str) -> Json:
        if issubclass(value, np.generic):
            return {"scalar_type": np.dtype(value).str}
        if value in _NAME_OF_OPTIMIZER:
            return {"optimizer": _NAME_OF_OPTIMIZER[value]}
        return self._encode_other(value, where)

    def _dtype(self, value: Any, where: str) -> Json:
        return {"dtype": self.encode(pack_dtype(value, f"`{where}`"), where)}

    def _object(self, value: Any, where: str) -> Json:
        fields = own_fields(value)
        if fields is None:
            raise _refusal(value, where)
        if isinstance(value, Task):
            where = f"task {value.name!r}"
        own = type(value) not in _NAME_OF
        name = _key_for(type(value), type(value).__name__, self.classes) if own else _NAME_OF[type(value)]
        encoded: Json = {key: self.encode(field, f"{where}.{key}") for key, field in fields.items()}
        return {"own" if own else "object": {"class": name, "fields": encoded}}

    def _fitted(self, recipe: InputPreprocessing, where: str) -> Json:
        state = fitted_state(recipe)
        plain = self._object(recipe, where)
        return {"fitted": [plain, self._state(state, where)]} if state else plain

    def _encoder(self, encoder: Any, where: str) -> Json:
        return {"encoder": [type(encoder).__name__, self._state(vars(encoder), where)]}

    def _transformer(self, transformer: Any) -> int:
        for position, known in enumerate(self.transformers):
            if known is transformer:
                return position
        self.transformers.append(transformer)
        return len(self.transformers) - 1


def _too_long(dtype: np.dtype) -> bool:
    return dtype.kind in _NUMBERS and dtype.itemsize > _LONGEST


def _key_for(value: Any, name: str, known: dict[str, Any]) -> str:
    """Return the name of an object, after giving it one if it has none yet."""
    for key, other in known.items():
        if other is value:
            return key
    key = _unused(name, known)
    known[key] = value
    return key


def _unused(name: str, known: Mapping[str, Any]) -> str:
    key, number = name, 1
    while key in known:
        number += 1
        key = f"{name}_{number}"
    return key


def _refusal(value: Any, where: str) -> TypeError:
    return TypeError(
        f"`{where}` must be what a file can hold: numbers, strings, arrays, lists and mappings of these, "
        "recipes such as MLP(), modules, transformers, and optimizers and schedules by their short name. "
        f"Found {value!r}; pickle may hold it."
    )
