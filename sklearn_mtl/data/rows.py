"""Inputs of the network: rows of tensors by block, on the device, in memory, or read when they are needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor

# Batches that wait to be used, so that reading and training go on side by side.
BATCHES_AHEAD = 2
# Network, gradients and activations need room beside the rows.
SHARE_FOR_ROWS = 0.7

# Where rows lie in what is kept: a stretch of them, or their positions.
Place = slice | Tensor


class InputRows(ABC):
    """Rows of input blocks: all that are kept, or those at an index."""

    index: Tensor | None

    @property
    @abstractmethod
    def n_stored(self) -> int:
        """Number of rows that are kept."""

    @abstractmethod
    def iterate(self, places: Iterable[Place]) -> Iterator[dict[str, Tensor]]:
        """Iterate over the rows at one place after the other, as tensors of their own."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n_stored if self.index is None else len(self.index)

    def take(self, rows: Tensor) -> Self:
        """Return the given rows, which copies nothing but the index."""
        found: Self = replace(self, index=self.place(rows))  # type: ignore[type-var]
        return found

    def place(self, rows: Place) -> Place:
        """Return where the given rows are kept."""
        return rows if self.index is None else self.index[rows]


@dataclass(frozen=True, eq=False)
class DeviceRows(InputRows):
    """Rows that are kept as tensors on the network's device.

    Parameters
    ----------
    tensors : dict of str to tensor, each of shape (n_stored, …)
        Nobody writes to them: they may be shared with others, and with the user.
    index : tensor of int, optional
        Which of the rows these are; all by default.
    """

    tensors: dict[str, Tensor]
    index: Tensor | None = None

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], *, device: torch.device, dtype: torch.dtype
    ) -> DeviceRows:
        """Put arrays on a device; on the CPU an array of the right dtype is shared, not copied."""
        return cls({name: to_tensor(array, device, dtype) for name, array in arrays.items()})

    @property
    def n_stored(self) -> int:
        """Number of rows that are kept."""
        return len(next(iter(self.tensors.values())))

    def iterate(self, places: Iterable[Place]) -> Iterator[dict[str, Tensor]]:
        """Iterate over the rows at one place after the other, as tensors of their own."""
        for place in places:
            yield {name: copy_rows(tensor, place) for name, tensor in self.tensors.items()}


class Reader(Protocol):
    """Encodes rows when they are asked for."""

    def __len__(self) -> int:
        """Return the number of rows."""

    @property
    def is_streamed(self) -> bool:
        """Whether there is something to wait for, such as a disk."""

    def read(self, rows: Any) -> Mapping[str, np.ndarray]:
        """Return the blocks of a slice of the rows, or of those at some positions."""


@dataclass(frozen=True, eq=False)
class ReadRows(InputRows):
    """Rows that are read, and put on the network's device, when they are asked for.

    Parameters
    ----------
    reader : Reader
        Reads them; where it is streamed, in a thread that is some batches ahead.
    device : torch.device
        Where they are wanted.
    dtype : torch.dtype
        What floats are wanted in.
    index : tensor of int, optional
        Which of the reader's rows these are; all by default.
    """

    reader: Reader
    device: torch.device
    dtype: torch.dtype
    index: Tensor | None = None

    @property
    def n_stored(self) -> int:
        """Number of rows that can be read."""
        return len(self.reader)

    def iterate(self, places: Iterable[Place]) -> Iterator[dict[str, Tensor]]:
        """Iterate over the rows at one place after the other, as tensors of their own."""
        places = list(places)
        wait = self.reader.is_streamed and len(places) > 1
        for host in read_ahead(self._read, places) if wait else map(self._read, places):
            yield {name: block.to(self.device, non_blocking=True) for name, block in host.items()}

    def _read(self, place: Place) -> dict[str, Tensor]:
        # What is read by a slice may be a part of the user's array.
        stretch = isinstance(place, slice)
        rows = place if isinstance(place, slice) else place.cpu().numpy()
        host = torch.device("cpu")
        found = {
            name: to_tensor(block, host, self.dtype, copy=stretch)
            for name, block in self.reader.read(rows).items()
        }
        # Only pinned memory is copied to a GPU while it computes.
        on_gpu = self.device.type == "cuda"
        return {name: block.pin_memory() for name, block in found.items()} if on_gpu else found


class ArrayReader:
    """Reads from encoded arrays in memory, which are too large for the device.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The blocks.
    """

    is_streamed = True

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self._arrays.values())))

    def read(self, rows: Any) -> dict[str, np.ndarray]:
        """Return the blocks of some rows."""
        return {name: block[rows] for name, block in self._arrays.items()}


def rows_for_training(reader: Reader, device: torch.device, dtype: torch.dtype) -> InputRows:
    """Return rows on the device, or, where they are streamed or don't fit there, to be brought there.

    Parameters
    ----------
    reader : Reader
        Encodes them.
    device : torch.device
        Where they are wanted.
    dtype : torch.dtype
        What floats are wanted in.
    """
    if reader.is_streamed:
        return ReadRows(reader, device, dtype)
    arrays = reader.read(slice(None))
    if sum(block.nbytes for block in arrays.values()) > SHARE_FOR_ROWS * free_memory(device):
        return ReadRows(ArrayReader(arrays), device, dtype)
    return DeviceRows.from_arrays(arrays, device=device, dtype=dtype)


def free_memory(device: torch.device) -> float:
    """Return the bytes that are free on a GPU; without end on the CPU, where the rows are already."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else float("inf")


def read_ahead(
    read: Callable[[Place], dict[str, Tensor]], places: Iterable[Place]
) -> Iterator[dict[str, Tensor]]:
    """Read in a thread that is some steps ahead, and that ends with the iteration, whatever ends it.

    Parameters
    ----------
    read : callable
        Reads the rows at a place; what it raises is raised here.
    places : iterable
        The places.
    """
    rest = iter(places)
    with ThreadPoolExecutor(1, thread_name_prefix="sklearn_mtl-reader") as thread:
        waiting: deque[Future[dict[str, Tensor]]] = deque()
        try:
            waiting.extend(thread.submit(read, place) for place in islice(rest, BATCHES_AHEAD))
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(thread.submit(read, place) for place in islice(rest, 1))
                yield found
        finally:
            for future in waiting:
                future.cancel()


def cut(place: Place, bounds: Iterable[tuple[int, int]]) -> list[Place]:
    """Cut a place at bounds: pairs of the first position of a piece and the one after its last."""
    return [slice(*pair) if isinstance(place, slice) else place[slice(*pair)] for pair in bounds]


def copy_rows(tensor: Tensor, place: Place) -> Tensor:
    """Return a copy of some rows: a module may work in place, and the tensor may be the user's array.

    Columns that are one and the same in memory stay so: they are copied once.
    """
    if tensor.ndim == 2 and tensor.shape[1] > 1 and tensor.stride(1) == 0:
        return copy_rows(tensor[:, :1], place).expand(-1, tensor.shape[1])
    return tensor[place].clone() if isinstance(place, slice) else tensor.index_select(0, place)


def to_tensor(array: np.ndarray, device: torch.device, dtype: torch.dtype, *, copy: bool = False) -> Tensor:
    """Return a tensor on the device; floats in ``dtype``, codes as they are."""
    tensor = torch.from_numpy(array if array.flags.c_contiguous else np.ascontiguousarray(array))
    return tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype, copy=copy)
