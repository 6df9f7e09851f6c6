"""Rows that are read by groups, such as the row groups of a Parquet file, and mixed in a buffer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.data.rows import (
    InputRows,
    Place,
    Reader,
    ReadRows,
    on_device,
    on_host,
    read_ahead,
    to_host,
)
from sklearn_mtl.features.row_groups import by_group

# So many numbers are sorted as fast, each, as fewer.
FEWEST_TO_SORT = 2**16


@dataclass(frozen=True, eq=False)
class GroupedRows(InputRows):
    """Rows that lie in groups, of which one is read as fast as one row of it.

    The rows of an epoch are brought into an order in which few groups are in use at a time. What is in memory
    are the encoded rows of these groups, those of ``buffer_size`` rows and about three groups, one of which
    is read ahead; rows that are no more than ``buffer_size``, such as those that are held out, are read once
    and stay.

    Parameters
    ----------
    reader : Reader
        Reads the rows, in a thread that is one group ahead.
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
        stored = [self._stored(place) for place in on_host(places)]
        found: Iterable[dict[str, Tensor]]
        if len(self) <= self.reader.buffer_size < self.n_stored:
            found = (self._kept.rows(rows) for rows in stored)
        elif len(stored) == 1:
            found = [self._at_once(stored[0])]
        else:
            found = GroupBuffer(self._read, self.groups, stored).batches()
        is_on_its_way = self.device.type == "cuda"
        for host in found:
            # Only pinned memory is copied to a GPU while the host goes on.
            pinned = {name: block.pin_memory() for name, block in host.items()} if is_on_its_way else host
            yield on_device(pinned, self.device)

    @cached_property
    def _kept(self) -> KeptRows:
        """These rows, read."""
        stored = np.unique(self._stored(self.place(slice(None))))
        return KeptRows(stored, self._at_once(stored))

    def _read(self, stored: np.ndarray) -> dict[str, Tensor]:
        return to_host(self.reader.read(stored), self.dtype)

    def _at_once(self, stored: np.ndarray) -> dict[str, Tensor]:
        """Return the blocks of some rows; one group after the other is read for it."""
        found: dict[str, Tensor] = {}
        for _, chosen in by_group(self.groups.numbers[stored]):
            for name, block in self._read(stored[chosen]).items():
                if name not in found:
                    found[name] = block.new_empty((len(stored), *block.shape[1:]))
                found[name][torch.from_numpy(chosen)] = block
        return found

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


class GroupBuffer:
    """The groups in use: each is read before a row of it is first asked for, and dropped after the last one.

    Parameters
    ----------
    read : callable
        Returns the blocks of the rows at some positions, on the CPU. It is called group by group, in a thread
        that is one group ahead.
    groups : Groups
        The group of each row.
    places : sequence of ndarray of int
        Positions of the rows that will be asked for, one place after the other.
    """

    def __init__(
        self,
        read: Callable[[np.ndarray], dict[str, Tensor]],
        groups: Groups,
        places: Sequence[np.ndarray],
    ) -> None:
        self._read = read
        self._groups = groups
        self._places = places
        # Where in the buffer each row is: nowhere if it is never asked for.
        self._slots = np.full(len(groups.numbers), -1, dtype=np.int32)
        first, last = np.full(groups.n_groups, len(places)), np.full(groups.n_groups, -1)
        for place, rows in enumerate(places):
            self._slots[rows] = 0
            last[groups.numbers[rows]] = place
        for place in reversed(range(len(places))):
            first[groups.numbers[places[place]]] = place
        used = np.flatnonzero(last >= 0)
        # In the order in which they are first asked for.
        self._numbers = used[np.argsort(first[used], kind="stable")].tolist()
        self._begin, self._end = (
            {place: used[which] for place, which in by_group(at[used])} for at in (first, last)
        )
        self._free = np.arange(self._most_rows(), dtype=np.int32)
        self._n_free = len(self._free)
        self._blocks: dict[str, Tensor] = {}

    def batches(self) -> Iterator[dict[str, Tensor]]:
        """Iterate over the blocks of the rows at one place after the other, each time as new tensors."""
        with closing(read_ahead(lambda number: self._read(self._rows(number)), self._numbers, 1)) as read:
            for place, rows in enumerate(self._places):
                for number in self._begin.get(place, ()):
                    self._store(number, next(read))
                slots = torch.from_numpy(self._slots[rows])
                yield {name: block.index_select(0, slots) for name, block in self._blocks.items()}
                for number in self._end.get(place, ()):
                    self._drop(number)

    def _rows(self, number: int) -> np.ndarray:
        """Return the positions of the rows of a group that are asked for."""
        rows = self._groups.rows(number)
        return rows[self._slots[rows] >= 0]

    def _most_rows(self) -> int:
        """Return how many rows are in use at most at a time."""
        change = np.zeros(len(self._places) + 1, dtype=np.int64)
        for at, after, sign in ((self._begin, 0, 1), (self._end, 1, -1)):
            for place, numbers in at.items():
                change[place + after] += sign * sum(len(self._rows(number)) for number in numbers)
        return int(change.cumsum().max())

    def _store(self, number: int, blocks: dict[str, Tensor]) -> None:
        rows = self._rows(number)
        self._n_free -= len(rows)
        slots = self._free[self._n_free : self._n_free + len(rows)]
        for name, block in blocks.items():
            if name not in self._blocks:
                self._blocks[name] = block.new_empty((len(self._free), *block.shape[1:]))
            self._blocks[name].index_copy_(0, torch.from_numpy(slots).long(), block)
        self._slots[rows] = slots

    def _drop(self, number: int) -> None:
        rows = self._rows(number)
        self._free[self._n_free : self._n_free + len(rows)] = self._slots[rows]
        self._n_free += len(rows)


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
    # Of numbers of few bits numpy sorts in time that is linear.
    by_turn = np.argsort(turn.astype(np.min_scalar_type(len(turn)))[numbers], kind="stable")
    return by_turn[_order_of_leaving(by_turn * (buffer_size / n_rows), max(buffer_size, FEWEST_TO_SORT))]


def _order_of_leaving(waits: np.ndarray, at_once: int) -> np.ndarray:
    """Return the order in which rows leave that come one after the other, and wait for some places each.

    Parameters
    ----------
    waits : ndarray of float64 of shape (n_rows,)
        For how many places each row waits.
    at_once : int
        How many rows come before those are sorted that leave before the next one comes.
    """
    found = np.empty(len(waits), dtype=np.int32 if len(waits) < 2**31 else np.int64)
    rows, leaves, n_found = found[:0], waits[:0], 0
    for start in range(0, len(waits), at_once):
        come = np.arange(start, min(start + at_once, len(waits)), dtype=found.dtype)
        rows, leaves = np.concatenate([rows, come]), np.concatenate([leaves, come + waits[come]])
        order = np.argsort(leaves, kind="stable")
        rows, leaves = rows[order], leaves[order]
        end = start + at_once
        n_leaving = int(np.searchsorted(leaves, end)) if end < len(waits) else len(rows)
        found[n_found : n_found + n_leaving] = rows[:n_leaving]
        rows, leaves, n_found = rows[n_leaving:], leaves[n_leaving:], n_found + n_leaving
    return found


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
