"""From JSON, arrays and transformers to objects.

No name in a file is ever imported, and nothing is called but the classes in `KNOWN` and those of the caller.
What a file says of sizes is compared with what it holds before anything is made of that size.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import is_dataclass
from itertools import islice
from typing import Any

import numpy as np

from sklearn_mtl.export.archive import shortened
from sklearn_mtl.export.classes import DEEPEST, ENCODERS, EXTENSIBLE, KNOWN, MOST_BYTES_OF_TEXT
from sklearn_mtl.export.contents import check_contents
from sklearn_mtl.export.fields import check_fields
from sklearn_mtl.features import Encoder
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import unpack_dtype
from sklearn_mtl.tasks import TaskSet
from sklearn_mtl.training import OPTIMIZERS, unpack_module

# What JSON has for a scalar of numpy, by the kind of its dtype; a number would be a length of text or bytes.
_PLAIN = {"U": (str,), "S": (bytes,), **dict.fromkeys("biuf", (bool, int, float))}


class WrongModules(ValueError):
    """The error for what the caller of `load` has handed over, or left out."""


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
        # Each is decoded once: to refer to a long one costs a file a few bytes.
        self._arrays = dict(arrays)
        self._n_numbers = sum(array.size for array in arrays.values())
        self._bytes_of_text = self._depth = 0
        self._transformers = transformers
        self._classes = _given_classes(own["classes"], given, own["modules"])
        self._given = given
        self._own_modules = own["modules"]
        self._modules: dict[str, Any] = {}

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
        if not isinstance(node, list | dict):
            return node
        if self._depth == DEEPEST:
            raise ValueError(f"The file holds objects that are nested more than {DEEPEST} deep.")
        self._depth += 1
        try:
            if isinstance(node, list):
                return [self.decode(item) for item in node]
            tag, content = next(iter(node.items())) if len(node) == 1 else ("", None)
            read = getattr(type(self), f"_read_{tag}", None)
            if read is None:
                raise ValueError(f"The file holds an object that sklearn_mtl does not know: {sorted(node)}.")
            return read(self, content)
        finally:
            self._depth -= 1

    @property
    def has_own(self) -> bool:
        """Whether the file needs classes or modules of the caller."""
        return bool(self._classes or self._own_modules)

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
        dtype, value = _numpy_dtype(content[0]), self.decode(content[1])
        if type(value) not in _PLAIN.get(dtype.kind, ()):
            raise ValueError(f"The file holds {shown(value)} for a scalar of numpy of type {dtype}.")
        return dtype.type(value)

    def _read_scalar_type(self, dtype: Any) -> type:
        return _numpy_dtype(dtype).type

    def _read_array(self, key: Any) -> np.ndarray:
        if key not in self._arrays:
            raise ValueError(f"The file lacks the array {key!r}.")
        # A copy: the bytes of a file are not to be written to.
        return self._arrays.pop(key).copy()

    def _read_times(self, content: Any) -> np.ndarray:
        dtype, values = content
        return self.decode(values).view(_numpy_dtype(dtype))

    def _read_items(self, content: Any) -> np.ndarray:
        values, dtype = [self.decode(item) for item in content["values"]], _numpy_dtype(content["dtype"])
        self._bytes_of_text += len(values) * dtype.itemsize if dtype.kind in ("U", "S") else 0
        if self._bytes_of_text > MOST_BYTES_OF_TEXT:
            raise ValueError(f"The file holds arrays of text of more than {MOST_BYTES_OF_TEXT} bytes.")
        array = np.empty(len(values), dtype=object)
        for position, value in enumerate(values):
            array[position] = value
        return array.astype(dtype).reshape(content["shape"])

    def _read_random_state(self, content: Any) -> np.random.RandomState:
        found = np.random.RandomState()
        found.set_state(self.decode(content))
        check_contents(found)
        return found

    def _read_optimizer(self, name: Any) -> type:
        return OPTIMIZERS[name]

    def _read_dtype(self, packed: Any) -> Any:
        return unpack_dtype(self.decode(packed))

    def _read_object(self, content: Any) -> Any:
        if content["class"] not in KNOWN:
            raise ValueError(f"The file names a class that sklearn_mtl does not have: {content['class']!r}.")
        known, fields = KNOWN[content["class"]], self._read_map(content["fields"])
        if known is TaskSet:
            self._check_columns(fields["tasks"])
        found = known(**fields)
        if is_dataclass(found):
            check_fields(found)
        return found

    def _check_columns(self, tasks: Any) -> None:
        """Raise a ``ValueError`` if tasks claim more columns than there are numbers: each has a head."""
        counts = [task.n_columns for task in tasks]
        if not all(type(count) is int and count > 0 for count in counts) or sum(counts) > self._n_numbers:
            raise ValueError("The file holds tasks of more columns than it has numbers.")

    def _read_own(self, content: Any) -> Any:
        return self._classes[content["class"]](**self._read_map(content["fields"]))

    def _read_fitted(self, content: Any) -> Any:
        recipe, state = self.decode(content[0]), self._read_map(content[1])
        check_attributes(type(recipe), state)
        vars(recipe).update(state)
        return recipe

    def _read_encoder(self, content: Any) -> Encoder:
        return encoder_of(ENCODERS[content[0]], self._read_map(content[1]))

    def _read_module(self, name: Any) -> Any:
        if name not in self._modules:
            weights = self.decode(self._own_modules[name]["weights"])
            self._modules[name] = _given_module(name, self._given[name], weights)
        return self._modules[name]

    def _read_transformer(self, position: Any) -> Any:
        return self._transformers[position]


def encoder_of(kind: type[Encoder], state: Mapping[str, Any]) -> Encoder:
    """Return an encoder of X with the state that a file has for it.

    Parameters
    ----------
    kind : type
        The class of the encoder.
    state : mapping of str to object
        Its attributes.
    """
    check_attributes(kind, state)
    encoder = kind.__new__(kind)
    vars(encoder).update(state)
    return encoder


def check_attributes(of: type, attributes: Mapping[str, Any]) -> None:
    """Raise a ``ValueError`` if attributes would hide methods.

    Parameters
    ----------
    of : type
        The class of the object that has the attributes.
    attributes : mapping of str to object
        What a file says of them.
    """
    hidden = [name for name in attributes if callable(getattr(of, name, None))]
    if hidden:
        raise ValueError(f"it has values in the place of the methods {hidden}")


def _given_classes(
    classes: Mapping[str, str], given: Mapping[str, Any], modules: Mapping[str, Mapping[str, Any]]
) -> dict[str, type]:
    needed = {**classes, **{name: module["class"] for name, module in modules.items()}}
    missing = {name: needed[name] for name in needed if name not in given}
    if missing:
        wanted = ", ".join(f"{shown(name)} ({shortened(of)})" for name, of in islice(missing.items(), 10))
        raise WrongModules(
            "`modules` must hold the classes and modules of the file that are not sklearn_mtl's own; "
            f"it lacks {wanted}. Found {shown(list(given))}."
        )
    for name in classes:
        if not isinstance(given[name], type) or not issubclass(given[name], EXTENSIBLE):
            bases = ", ".join(base.__name__ for base in EXTENSIBLE)
            raise WrongModules(
                f"`modules[{name!r}]` must be a class derived from one of {bases}. Found {given[name]!r}."
            )
    return {name: given[name] for name in classes}


def _given_module(name: str, given: Any, weights: Mapping[str, np.ndarray]) -> Any:
    try:
        module = given() if isinstance(given, type) else deepcopy(given)
    # A class of the user's own may raise anything.
    except Exception as error:
        raise WrongModules(
            f"`modules[{name!r}]` must be a module, or a class that is made without arguments. "
            f"Found {given!r}: {error}"
        ) from error
    if not hasattr(module, "load_state_dict"):
        raise WrongModules(f"`modules[{name!r}]` must be an nn.Module or a class of one. Found {given!r}.")
    try:
        return unpack_module(module, weights)
    except RuntimeError as error:
        raise WrongModules(
            f"`modules[{name!r}]` must have the weights that were saved. Found others: {error}"
        ) from error


def _numpy_dtype(name: Any) -> np.dtype:
    """Return a dtype of numpy by its name."""
    found: np.dtype = unpack_dtype({"numpy": name})
    return found
