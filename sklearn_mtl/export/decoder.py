"""From JSON, arrays and transformers to objects.

No name in a file is ever imported, and nothing is called but the classes in `KNOWN` and those of the caller.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from sklearn_mtl.export.classes import EXTENSIBLE, KNOWN
from sklearn_mtl.targets import unpack_dtype
from sklearn_mtl.training import OPTIMIZERS, unpack_module


class Decoder:
    """Turn the JSON that `Encoder` makes into objects again.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Arrays of numbers.
    transformers : sequence
        Transformers of scikit-learn.
    own : mapping
        What `Encoder.own` returned: the classes and modules that are not the package's own.
    given : mapping of str to type or nn.Module
        Those classes and modules, from the caller.

    Raises
    ------
    ValueError
        If one of them is missing, or is of another kind.

    Examples
    --------
    >>> decoder = Decoder({}, [], {"classes": {}, "modules": {}}, {})
    >>> decoder.decode({"object": {"class": "MLP", "fields": {"hidden_sizes": {"tuple": [8]}}}})
    MLP(hidden_sizes=(8,))
    >>> decoder.decode({"object": {"class": "os.system", "fields": {"command": "true"}}})
    Traceback (most recent call last):
    ValueError: The file names a class that sklearn_mtl does not have: 'os.system'.
    """

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        transformers: Sequence[Any],
        own: Mapping[str, Mapping[str, Any]],
        given: Mapping[str, Any],
    ) -> None:
        self._arrays = arrays
        self._transformers = transformers
        self._classes = _given_classes(own["classes"], given, own["modules"])
        self._modules = {
            name: _given_module(name, given[name], self.decode(module["weights"]))
            for name, module in own["modules"].items()
        }

    def decode(self, node: Any) -> Any:
        """Return the object.

        Parameters
        ----------
        node : object
            JSON as `json.loads` returns it.

        Raises
        ------
        ValueError
            If it is not what `Encoder` makes.
        """
        if isinstance(node, list):
            return [self.decode(item) for item in node]
        if not isinstance(node, dict):
            return node
        tag, content = next(iter(node.items())) if len(node) == 1 else ("", None)
        read = getattr(type(self), f"_read_{tag}", None)
        if read is None:
            raise ValueError(f"The file holds an object that sklearn_mtl does not know: {sorted(node)}.")
        return read(self, content)

    def _read_float(self, text: Any) -> float:
        return float(text)

    def _read_bytes(self, text: Any) -> bytes:
        return base64.b64decode(text)

    def _read_tuple(self, items: Any) -> tuple[Any, ...]:
        return tuple(self.decode(item) for item in items)

    def _read_map(self, items: Any) -> dict[str, Any]:
        return {key: self.decode(item) for key, item in items.items()}

    def _read_pairs(self, pairs: Any) -> dict[Any, Any]:
        return {self.decode(key): self.decode(item) for key, item in pairs}

    def _read_scalar(self, content: Any) -> Any:
        dtype, value = content
        return np.dtype(dtype).type(self.decode(value))

    def _read_scalar_type(self, dtype: Any) -> type:
        return np.dtype(dtype).type

    def _read_array(self, key: Any) -> np.ndarray:
        if key not in self._arrays:
            raise ValueError(f"The file lacks the array {key!r}.")
        # A copy: the bytes of a file are not to be written to.
        return self._arrays[key].copy()

    def _read_times(self, content: Any) -> np.ndarray:
        dtype, values = content
        return self.decode(values).view(np.dtype(dtype))

    def _read_items(self, content: Any) -> np.ndarray:
        values = [self.decode(item) for item in content["values"]]
        array = np.empty(len(values), dtype=object)
        for position, value in enumerate(values):
            array[position] = value
        return array.astype(np.dtype(content["dtype"])).reshape(content["shape"])

    def _read_random_state(self, state: Any) -> np.random.RandomState:
        found = np.random.RandomState()
        found.set_state(self.decode(state))
        return found

    def _read_optimizer(self, name: Any) -> type:
        return OPTIMIZERS[name]

    def _read_dtype(self, packed: Any) -> Any:
        return unpack_dtype(self.decode(packed))

    def _read_object(self, content: Any) -> Any:
        if content["class"] not in KNOWN:
            raise ValueError(f"The file names a class that sklearn_mtl does not have: {content['class']!r}.")
        return KNOWN[content["class"]](**self._read_map(content["fields"]))

    def _read_own(self, content: Any) -> Any:
        return self._classes[content["class"]](**self._read_map(content["fields"]))

    def _read_module(self, name: Any) -> Any:
        return self._modules[name]

    def _read_transformer(self, position: Any) -> Any:
        return self._transformers[position]


def _given_classes(
    classes: Mapping[str, str], given: Mapping[str, Any], modules: Mapping[str, Mapping[str, Any]]
) -> dict[str, type]:
    needed = {**classes, **{name: module["class"] for name, module in modules.items()}}
    missing = {name: needed[name] for name in needed if name not in given}
    if missing:
        wanted = ", ".join(f"{name!r} ({qualified})" for name, qualified in missing.items())
        raise ValueError(
            "`modules` must hold the classes and modules of the file that are not sklearn_mtl's own; "
            f"it lacks {wanted}. Found {sorted(given)}."
        )
    for name in classes:
        if not isinstance(given[name], type) or not issubclass(given[name], EXTENSIBLE):
            bases = ", ".join(base.__name__ for base in EXTENSIBLE)
            raise ValueError(
                f"`modules[{name!r}]` must be a class derived from one of {bases}. Found {given[name]!r}."
            )
    return {name: given[name] for name in classes}


def _given_module(name: str, given: Any, weights: Mapping[str, np.ndarray]) -> Any:
    try:
        module = given() if isinstance(given, type) else deepcopy(given)
    except TypeError as error:
        raise ValueError(
            f"`modules[{name!r}]` must be a module, or a class that is made without arguments. "
            f"Found {given!r}: {error}"
        ) from error
    if not hasattr(module, "load_state_dict"):
        raise ValueError(f"`modules[{name!r}]` must be an nn.Module or a class of one. Found {given!r}.")
    try:
        return unpack_module(module, weights)
    except RuntimeError as error:
        raise ValueError(
            f"`modules[{name!r}]` must have the weights that were saved. Found others: {error}"
        ) from error
