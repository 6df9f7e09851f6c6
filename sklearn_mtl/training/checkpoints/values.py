"""Plain values as JSON, with the tensors among them set aside, and back."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

# Those that numpy has too; others are set aside byte by byte.
_KNOWN = frozenset(
    {
        torch.float64,
        torch.float32,
        torch.float16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    }
)


class CannotHold(TypeError):
    """Raised for a value that a checkpoint can't hold.

    Parameters
    ----------
    value : object
        The value.
    where : str
        Where among the others it was found.
    """

    def __init__(self, value: Any, where: str) -> None:
        super().__init__(
            "`checkpoint` must be None where training depends on what can't be written down. Found "
            f"{where} of type {type(value).__name__}; numbers, strings, lists, dicts, arrays and tensors can."
        )


class Packer:
    """Turns values into JSON, and sets arrays aside under the names by which the JSON refers to them.

    None, bool, int, finite float, str and list stay what they are; everything else becomes an object with one
    key, a tag that `unpacked` knows. A tensor that occurs twice is set aside once.

    Attributes
    ----------
    arrays : dict of str to ndarray
        What was set aside.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.training.checkpoints.values import Packer, unpacked
    >>> packer = Packer()
    >>> packed = packer.pack({"loss": float("inf"), "sizes": (8, 8), "weight": torch.ones(2)}, "net")
    >>> packed["map"]["loss"], packed["map"]["weight"], list(packer.arrays)
    ({'float': 'inf'}, {'tensor': 'net.weight'}, ['net.weight'])
    >>> unpacked(packed, packer.arrays, torch.device("cpu"))["weight"]
    tensor([1., 1.])
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        # Each tensor stays alive as long as its id is known.
        self._known: dict[int, tuple[Any, Any]] = {}

    def pack(self, value: Any, where: str) -> Any:
        """Return the JSON for a value.

        Parameters
        ----------
        value : object
            The value.
        where : str
            Its name, for errors and arrays.

        Raises
        ------
        CannotHold
            If it is none of those that can be held.
        """
        if value is None or type(value) in (bool, int, str):
            return value
        if isinstance(value, np.generic):
            return self._scalar(value, where)
        if isinstance(value, Tensor):
            return self._tensor(value, where)
        # Of others the exact type counts, since what is read back has that: a named tuple would be a tuple.
        pack = self._by_type().get(type(value))
        if pack is None:
            raise CannotHold(value, where)
        return pack(value, where)

    def _by_type(self) -> dict[type, Callable[[Any, str], Any]]:
        return {
            float: lambda value, _: value if math.isfinite(value) else {"float": repr(value)},
            np.ndarray: self._array,
            torch.Size: lambda value, _: {"tuple": list(value)},
            list: self._items,
            tuple: lambda value, where: {"tuple": self._items(value, where)},
            dict: self._mapping,
            OrderedDict: lambda value, where: {"ordered": self._mapping(value, where)},
            Counter: lambda value, where: {"counter": self._mapping(value, where)},
        }

    def _items(self, values: Any, where: str) -> list[Any]:
        return [self.pack(value, f"{where}[{position}]") for position, value in enumerate(values)]

    def _mapping(self, mapping: Mapping[Any, Any], where: str) -> Any:
        if all(type(key) is str for key in mapping):
            return {"map": {key: self.pack(value, f"{where}.{key}") for key, value in mapping.items()}}
        pairs = [
            [self.pack(key, f"{where}[{key!r}]"), self.pack(value, f"{where}[{key!r}]")]
            for key, value in mapping.items()
        ]
        return {"pairs": pairs}

    def _scalar(self, value: np.generic, where: str) -> Any:
        if value.dtype.kind not in "biufU" or (value.dtype.itemsize > 8 and value.dtype.kind != "U"):
            raise CannotHold(value, where)
        return {"scalar": [value.dtype.str, self.pack(value.item(), where)]}

    def _array(self, array: np.ndarray, where: str) -> Any:
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise CannotHold(array, where)
        self._set_aside(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"), where)
        return {"array": where}

    def _tensor(self, tensor: Tensor, where: str) -> Any:
        if id(tensor) in self._known:
            return self._known[id(tensor)][1]
        host = tensor.detach().cpu().contiguous()
        if tensor.dtype in _KNOWN:
            packed: dict[str, Any] = {"tensor": where}
        else:
            packed = {"bytes_of_tensor": [where, str(tensor.dtype).partition(".")[2], list(tensor.shape)]}
            host = host.reshape(-1).view(torch.uint8)
        self._set_aside(host.numpy(), where)
        self._known[id(tensor)] = tensor, packed
        return packed

    def _set_aside(self, array: np.ndarray, where: str) -> None:
        if where in self.arrays:
            raise CannotHold(array, f"{where}, a name that occurs twice,")
        self.arrays[where] = array


def unpacked(packed: Any, arrays: Mapping[str, np.ndarray], device: torch.device) -> Any:
    """Return the value that `Packer.pack` has packed.

    Parameters
    ----------
    packed : object
        The JSON.
    arrays : mapping of str to ndarray
        What was set aside.
    device : torch.device
        Where its tensors go.
    """
    return _Unpacking(arrays, device).value(packed)


class _Unpacking:
    def __init__(self, arrays: Mapping[str, np.ndarray], device: torch.device) -> None:
        self._arrays = arrays
        self._device = device
        # What was one tensor is one again.
        self._tensors: dict[str, Tensor] = {}

    def value(self, packed: Any) -> Any:
        if isinstance(packed, list):
            return [self.value(item) for item in packed]
        if not isinstance(packed, dict):
            return packed
        ((tag, held),) = packed.items()
        return getattr(self, f"_{tag}")(held)

    def _map(self, held: dict[str, Any]) -> dict[str, Any]:
        return {key: self.value(item) for key, item in held.items()}

    def _pairs(self, held: list[list[Any]]) -> dict[Any, Any]:
        return {self.value(key): self.value(item) for key, item in held}

    def _ordered(self, held: Any) -> OrderedDict[Any, Any]:
        return OrderedDict(self.value(held))

    def _counter(self, held: Any) -> Counter[Any]:
        return Counter(self.value(held))

    def _tuple(self, held: list[Any]) -> tuple[Any, ...]:
        return tuple(self.value(item) for item in held)

    def _float(self, held: str) -> float:
        return float(held)

    def _scalar(self, held: list[Any]) -> np.generic:
        dtype, item = held
        found: np.generic = np.dtype(dtype).type(self.value(item))
        return found

    def _array(self, name: str) -> np.ndarray:
        return np.array(self._arrays[name])

    def _tensor(self, name: str) -> Tensor:
        if name not in self._tensors:
            self._tensors[name] = torch.from_numpy(np.array(self._arrays[name])).to(self._device)
        return self._tensors[name]

    def _bytes_of_tensor(self, held: list[Any]) -> Tensor:
        name, dtype, shape = held
        if name not in self._tensors:
            found = torch.empty(shape, dtype=getattr(torch, dtype))
            if found.numel():
                found.view(-1).view(torch.uint8).copy_(torch.from_numpy(np.array(self._arrays[name])))
            self._tensors[name] = found.to(self._device)
        return self._tensors[name]
