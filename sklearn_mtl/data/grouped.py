"""Rows that are read by groups, such as the row groups of a Parquet file, and mixed in a buffer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.data.rows import InputRows, Place, Reader, ReadRows, on_device, read_ahead, to_host


@dataclass(frozen=True, eq=False)
class GroupedRows(InputRows):
    """Rows that lie in groups, of which one is read as fast as one row of it.

    The rows of an epoch are brought into an order in which few groups are in use at a time. What is in memory
    are the encoded rows of these groups, those of ``buffer_size`` rows and about two groups; rows that are no
    more than ``buffer_size``, such as those that are held out, are read once and stay.

    Parameters
    ----------
    reader : Reader
        Reads the rows, in a thread that is some batches ahead.
    groups : Groups
        The group of each of the reader's rows.
    device : torch.device
        The network's device.
    dtype : torch.dtype
        The dtype of floating-point blocks.
    index : tensor of int, optional
        Positions of these rows among the reader's; all by default.
    """

    reader: Reader
    groups: Groups
    device: torch.device
    dtype: torch.dtype
    index: Tensor | None = None

    @property
    def n_stored(self) -> int:
        """Number of rows that can be read."""
        return len(self.reader)

    def kept(self, name: str) -> np.ndarray | None:
        """Return nothing: all blocks would have to be read."""
        return None

    def arranged(self, order: Tensor) -> Tensor:
        """Return an order of the rows that is like the given one, in which few groups are in use at a time.

        The groups come in the order in which the given one first has them. Each row then waits in the buffer
        for as many places as it is far back in the given order, the last row for ``buffer_size``: among the
        rows that wait, every order is as likely as in the given one.
        """
        if self.reader.buffer_size >= len(order):
            return order
        stored = self._stored(self.place(order))
        found = mixed(self.groups.numbers[stored], self.reader.buffer_size)
        return order[torch.from_numpy(found).to(order.device)]

    def iterate(self, places: Iterable[Place]) -> Iterator[dict[str, Tensor]]:
        """Iterate over the rows at one place after the other, each time as new tensors."""
        stored = [self._stored(place) for place in places]
        found: Iterator[dict[str, Tensor]]
        if len(self) <= self.reader.buffer_size < self.n_stored:
            found = (self._kept.rows(rows) for rows in stored)
        else:
            window = Window(self.reader, self.groups, self.dtype, stored, pin=self.device.type == "cuda")
            found = read_ahead(window.next, stored) if len(stored) > 1 else map(window.next, stored)
        yield from (on_device(host, self.device) for host in found)

    @cached_property
    def _kept(self) -> KeptRows:
        """These rows, read."""
        stored = np.unique(self._stored(self.place(slice(None))))
        return KeptRows(stored, Window(self.reader, self.groups, self.dtype, [stored]).next(stored))

    def _stored(self, place: Place) -> np.ndarray:
        if isinstance(place, slice):
            return np.arange(*place.indices(self.n_stored))
        return place.cpu().numpy()


class Groups:
    """The group of each row.

    Parameters
    ----------
    numbers : ndarray of int of shape (n_rows,)
        The number of the group of each row.

    Examples
    --------
    >>> groups = Groups(np.array([0, 0, 2, 2, 1]))
    >>> groups.rows(2), groups.n_groups
    (array([2, 3]), 3)
    """

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers
        self.n_groups = int(numbers.max(initial=-1)) + 1
        self._starts = np.cumsum([0, *np.bincount(numbers, minlength=self.n_groups)])
        is_sorted = bool((numbers[1:] >= numbers[:-1]).all())
        self._order = None if is_sorted else np.argsort(numbers, kind="stable")

    def rows(self, number: int) -> np.ndarray:
        """Return the positions of the rows of a group, in ascending order."""
        start, end = self._starts[number : number + 2]
        return np.arange(start, end) if self._order is None else self._order[start:end]


@dataclass(frozen=True, eq=False)
class KeptRows:
    """Some rows in memory.

    Parameters
    ----------
    stored : ndarray of int
        Positions of the rows, in ascending order.
    blocks : dict of str to tensor
        Their blocks, on the CPU.
    """

    stored: np.ndarray
    blocks: dict[str, Tensor]

    def rows(self, stored: np.ndarray) -> dict[str, Tensor]:
        """Return the blocks of some of these rows, as new tensors."""
        places = torch.from_numpy(np.searchsorted(self.stored, stored))
        return {name: block.index_select(0, places) for name, block in self.blocks.items()}


class Window:
    """The groups in use: each is read when a row of it is first asked for, and dropped after the last one.

    Parameters
    ----------
    reader : Reader
        Reads the rows.
    groups : Groups
        The group of each row.
    dtype : torch.dtype
        The dtype of floating-point blocks.
    places : list of ndarray of int
        Positions of the rows that will be asked for, one place after the other.
    pin : bool, default=False
        Whether what is handed out is in pinned memory, on its way to a GPU.
    """

    def __init__(
        self,
        reader: Reader,
        groups: Groups,
        dtype: torch.dtype,
        places: list[np.ndarray],
        *,
        pin: bool = False,
    ) -> None:
        self._pin = pin
        self._reader = reader
        self._groups = groups
        self._dtype = dtype
        self._needed = np.zeros(len(reader), dtype=bool)
        self._left = np.zeros(groups.n_groups, dtype=np.int64)
        self._read: dict[int, KeptRows] = {}
        for rows in places:
            self._needed[rows] = True
            self._left += np.bincount(groups.numbers[rows], minlength=groups.n_groups)

    def next(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return the blocks of the rows at the next place, on the CPU."""
        numbers = self._groups.numbers[rows]
        counts = np.bincount(numbers, minlength=self._groups.n_groups)
        self._left -= counts
        found: dict[str, Tensor] = {}
        for number in np.flatnonzero(counts).tolist():
            chosen = np.flatnonzero(numbers == number)
            for name, block in self._group(number).rows(rows[chosen]).items():
                if len(chosen) == len(rows):
                    found[name] = block
                    continue
                if name not in found:
                    found[name] = block.new_empty((len(rows), *block.shape[1:]))
                found[name][torch.from_numpy(chosen)] = block
        return {name: block.pin_memory() for name, block in found.items()} if self._pin else found

    def _group(self, number: int) -> KeptRows:
        found = self._read.get(number)
        if found is None:
            rows = self._groups.rows(number)
            rows = rows[self._needed[rows]]
            found = self._read[number] = KeptRows(rows, to_host(self._reader.read(rows), self._dtype))
        if not self._left[number]:
            del self._read[number]
        return found


def mixed(numbers: np.ndarray, buffer_size: int) -> np.ndarray:
    """Return positions in which few groups are in use at a time.

    Parameters
    ----------
    numbers : ndarray of int of shape (n_rows,)
        The group of each row, the rows in an order that was drawn at random.
    buffer_size : int
        For how many places a row waits at most.

    Examples
    --------
    >>> mixed(np.array([1, 0, 1, 0]), 1).tolist()
    [0, 2, 1, 3]
    """
    n_rows = len(numbers)
    first = np.full(int(numbers.max()) + 1, n_rows)
    # Of equal places the last is kept, which from the back is the first row of its group.
    first[numbers[::-1]] = np.arange(n_rows)[::-1]
    # A group of twice as many rows is on average first there in half the time.
    turn = np.argsort(np.argsort(first * np.bincount(numbers), kind="stable"))
    by_turn = np.argsort(turn[numbers].astype(np.int32), kind="stable")
    leaves = np.arange(n_rows) + by_turn * (buffer_size / n_rows)
    return by_turn[np.argsort(leaves, kind="stable")]


def rows_when_read(reader: Reader, device: torch.device, dtype: torch.dtype) -> InputRows:
    """Return rows that are read when they are asked for, by groups where they lie in groups.

    Parameters
    ----------
    reader : Reader
        Reads the rows.
    device : torch.device
        The network's device.
    dtype : torch.dtype
        The dtype of floating-point blocks.
    """
    numbers = reader.groups
    if numbers is None:
        return ReadRows(reader, device, dtype)
    return GroupedRows(reader, Groups(numbers), device, dtype)
