"""Inputs of the network: rows of tensors by block, on the device, in memory, or read when they are needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

# Batches that are read before they are used, so that reading and training go on side by side.
BATCHES_AHEAD = 2

# Where rows lie among those that are stored: a slice of them, or their positions.
Place = slice | Tensor
# A place as what reads there takes it.
At = TypeVar("At")


class InputRows(ABC):
    """Rows of input blocks: all that are stored, or those at an index.

    Subclasses are dataclasses with a field ``index``.
    """

    index: Tensor | None

    @property
    @abstractmethod
    def n_stored(self) -> int:
        """Number of rows that are stored."""

    @property
    def at_once(self) -> int:
        """How many rows are best asked for together; 1 where it makes no difference."""
        return 1

    @abstractmethod
    def kept(self, name: str) -> np.ndarray | None:
        """Return a block of numbers of these rows, None where they would have to be read for it.

        Parameters
        ----------
        name : str
            The block, such as that of the lengths of rows.
        """

    @abstractmethod
    def arranged(self, order: Tensor) -> Tensor:
        """Return the order in which rows are best asked for in training, each as often as in a drawn one.

        Parameters
        ----------
        order : tensor of int
            Positions among these rows, drawn at random.
        """

    @abstractmethod
    def iterate(self, places: Iterable[Place]) -> Iterator[dict[str, Tensor]]:
        """Iterate over the rows at one place after the other, each time as new tensors."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n_stored if self.index is None else len(self.index)

    def take(self, rows: Tensor) -> Self:
        """Return the given rows; only the index is new."""
        found: Self = replace(self, index=self.place(rows))  # type: ignore[type-var]
        return found

    def place(self, rows: Place) -> Place:
        """Return where the given rows are stored."""
        return rows if self.index is None else self.index[rows]


@dataclass(frozen=True, eq=False)
class DeviceRows(InputRows):
    """Rows that are stored as tensors on the network's device.

    Parameters
    ----------
    tensors : dict of str to tensor, each of shape (n_stored, …)
        One tensor for each input block. They are never written to, since they may share memory with other
        tables and with the user's arrays.
    index : tensor of int, optional
        Positions of these rows among the stored ones; all by default.
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
        """Number of rows that are stored."""
        return len(next(iter(self.tensors.values())))

    def kept(self, name: str) -> np.ndarray | None:
        """Return one block of the rows."""
        tensor = self.tensors[name]
        return (tensor if self.index is None else tensor[self.index]).cpu().numpy()

    def arranged(self, order: Tensor) -> Tensor:
        """Return the order as it was drawn."""
        return order

    def iterate(self, places: Iterable[Place]) -> Iterator[dict[str, Tensor]]:
        """Iterate over the rows at one place after the other, each time as new tensors."""
        for place in places:
            yield {name: copy_rows(tensor, place) for name, tensor in self.tensors.items()}


class Reader(Protocol):
    """What encodes rows when they are asked for."""

    def __len__(self) -> int:
        """Return the number of rows."""

    @property
    def is_streamed(self) -> bool:
        """Whether reading has to wait for something, such as a disk."""

    @property
    def at_once(self) -> int:
        """How many rows are best read together; 1 where it makes no difference."""

    @property
    def groups(self) -> np.ndarray | None:
        """The number of the group that each row is read with; None where rows are read one by one."""

    @property
    def buffer_size(self) -> int:
        """How many rows of groups are mixed."""

    def read(self, rows: Any) -> Mapping[str, np.ndarray]:
        """Return the blocks of a slice of the rows, or of those at some positions."""

    def kept(self, name: str) -> np.ndarray | None:
        """Return a block of numbers that is there for all rows without reading any; None otherwise."""


@dataclass(frozen=True, eq=False)
class ReadRows(InputRows):
    """Rows that are read, and put on the network's device, when they are asked for.

    Parameters
    ----------
    reader : Reader
        Reads the rows; where it is streamed, in a thread that is some batches ahead.
    device : torch.device
        The network's device.
    dtype : torch.dtype
        The dtype of floating-point blocks.
    index : tensor of int, optional
        Positions of these rows among the reader's; all by default.
    """

    reader: Reader
    device: torch.device
    dtype: torch.dtype
    index: Tensor | None = None

    @property
    def n_stored(self) -> int:
        """Number of rows that can be read."""
        return len(self.reader)

    def kept(self, name: str) -> np.ndarray | None:
        """Return one block of the rows where the reader has it at hand."""
        block = self.reader.kept(name)
        return block if block is None or self.index is None else block[self.index.cpu().numpy()]

    @property
    def at_once(self) -> int:
        """How many rows are best asked for together; 1 where it makes no difference."""
        return self.reader.at_once

    def arranged(self, order: Tensor) -> Tensor:
        """Return the order as it was drawn."""
        return order

    def iterate(self, places: Iterable[Place]) -> Iterator[dict[str, Tensor]]:
        """Iterate over the rows at one place after the other, each time as new tensors."""
        places = on_host(places)
        wait = self.reader.is_streamed and len(places) > 1
        for host in read_ahead(self._read, places) if wait else map(self._read, places):
            yield on_device(host, self.device)

    def _read(self, place: Place) -> dict[str, Tensor]:
        is_slice = isinstance(place, slice)
        rows = place if isinstance(place, slice) else place.cpu().numpy()
        # What a slice reads may be a view of the user's array, and a module may work in place.
        return to_host(self.reader.read(rows), self.dtype, copy=is_slice, pin=self.device.type == "cuda")


class ArrayReader:
    """A reader of encoded arrays that are in memory but too large for the device.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The input blocks.
    """

    is_streamed = True
    at_once = 1
    groups = None
    buffer_size = 0

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self._arrays.values())))

    def read(self, rows: Any) -> dict[str, np.ndarray]:
        """Return the blocks of some rows."""
        return {name: block[rows] for name, block in self._arrays.items()}

    def kept(self, name: str) -> np.ndarray:
        """Return one block of all rows."""
        return self._arrays[name]


class Sample(Mapping[str, Tensor]):
    """Tensors on the CPU, read when the first of them is asked for: most trunks never ask.

    Parameters
    ----------
    read : callable
        Returns the tensors, on any device.
    """

    def __init__(self, read: Callable[[], dict[str, Tensor]]) -> None:
        self._read = read

    @cached_property
    def _tensors(self) -> dict[str, Tensor]:
        return {name: block.cpu() for name, block in self._read().items()}

    def __getitem__(self, name: str) -> Tensor:
        """Return one tensor."""
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the tensors."""
        return iter(self._tensors)

    def __len__(self) -> int:
        """Return the number of tensors."""
        return len(self._tensors)


def read_ahead(
    read: Callable[[At], dict[str, Tensor]], places: Iterable[At], ahead: int = BATCHES_AHEAD
) -> Generator[dict[str, Tensor], None, None]:
    """Read in a thread that is some steps ahead, and that ends with the iteration, whatever ends it.

    Parameters
    ----------
    read : callable
        Reads the rows at a place; its errors are raised here.
    places : iterable
        The places to read, in order.
    ahead : int, default=2
        How many are read before they are asked for.
    """
    rest = iter(places)
    with ThreadPoolExecutor(1, thread_name_prefix="sklearn_mtl-reader") as thread:
        waiting: deque[Future[dict[str, Tensor]]] = deque()
        try:
            waiting.extend(thread.submit(read, place) for place in islice(rest, ahead))
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(thread.submit(read, place) for place in islice(rest, 1))
                yield found
        finally:
            for future in waiting:
                future.cancel()


def cut(place: Place, bounds: Iterable[tuple[int, int]]) -> list[Place]:
    """Cut a place into pieces, given the first position of each piece and the one after its last."""
    return [slice(*pair) if isinstance(place, slice) else place[slice(*pair)] for pair in bounds]


def on_host(places: Iterable[Place]) -> list[Place]:
    """Return places of which none is on a GPU: a thread that reads must not wait for it, nor ask it."""
    places = list(places)
    positions = [place for place in places if isinstance(place, Tensor)]
    if len(positions) < len(places) or not positions or positions[0].device.type == "cpu":
        return places
    # As one, since the host waits for each that it asks for.
    return list(torch.cat(positions).cpu().split([len(one) for one in positions]))


def copy_rows(tensor: Tensor, place: Place) -> Tensor:
    """Return a copy of some rows: a module may work in place, and the tensor may be the user's array.

    Columns that share their memory, being expanded from one, are copied once and share it again.
    """
    if tensor.ndim == 2 and tensor.shape[1] > 1 and tensor.stride(1) == 0:
        return copy_rows(tensor[:, :1], place).expand(-1, tensor.shape[1])
    return tensor[place].clone() if isinstance(place, slice) else tensor.index_select(0, place)


def to_tensor(array: np.ndarray, device: torch.device, dtype: torch.dtype, *, copy: bool = False) -> Tensor:
    """Return a tensor on the device; floats in ``dtype``, integer codes as they are."""
    tensor = torch.from_numpy(array if array.flags.c_contiguous else np.ascontiguousarray(array))
    return tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype, copy=copy)


def to_host(
    blocks: Mapping[str, np.ndarray], dtype: torch.dtype, *, copy: bool = False, pin: bool = False
) -> dict[str, Tensor]:
    """Return blocks as tensors on the CPU.

    Parameters
    ----------
    blocks : mapping of str to ndarray
        The blocks.
    dtype : torch.dtype
        The dtype of floating-point blocks.
    copy : bool, default=False
        Whether the tensors have memory of their own.
    pin : bool, default=False
        Whether it is pinned: only such memory is copied to a GPU while it computes.
    """
    host = torch.device("cpu")
    found = {name: to_tensor(block, host, dtype, copy=copy) for name, block in blocks.items()}
    return {name: block.pin_memory() for name, block in found.items()} if pin else found


def on_device(blocks: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Return blocks on a device, to which they may still be on their way."""
    return {name: block.to(device, non_blocking=True) for name, block in blocks.items()}
