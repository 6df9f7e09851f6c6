"""Rows in memory, handed out as whole batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sklearn_mtl.data.batch import Batch, PendingBatch
from sklearn_mtl.data.drawing import Augmenting, Drawing
from sklearn_mtl.data.grouped import rows_when_read
from sklearn_mtl.data.rows import (
    ArrayReader,
    DeviceRows,
    InputRows,
    Place,
    Reader,
    ReadRows,
    Sample,
    copy_rows,
    cut,
    to_tensor,
)
from sklearn_mtl.network import is_known
from sklearn_mtl.trunks.layers import own_generator

# Network, gradients and activations need room beside the rows.
SHARE_FOR_ROWS = 0.7


@dataclass(frozen=True, eq=False)
class Table(Dataset):
    """Rows of a data set as tensors on one device.

    A table of some rows of another one shares what is stored: the training and the validation rows of all
    nets of a bag are in memory once.

    Parameters
    ----------
    blocks : InputRows
        The inputs of the rows.
    stored_y, stored_weight : tensor of shape (n_stored, n_columns)
        Encoded targets and cell weights of all rows that are stored.
    drawing : Drawing, optional
        How the rows are drawn for training; each once in an epoch, and as they are, by default.
    """

    blocks: InputRows
    stored_y: Tensor
    stored_weight: Tensor
    drawing: Drawing | None = None

    @classmethod
    def from_arrays(
        cls,
        inputs: Mapping[str, np.ndarray],
        y: np.ndarray,
        weight: np.ndarray,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> Table:
        """Put arrays on a device."""
        blocks = DeviceRows.from_arrays(inputs, device=device, dtype=dtype)
        return cls.from_rows(blocks, y, weight, device=device, dtype=dtype)

    @classmethod
    def from_rows(
        cls,
        blocks: InputRows,
        y: np.ndarray,
        weight: np.ndarray,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> Table:
        """Put the labels of encoded rows on a device."""
        if weight.shape[1] > 1 and weight.strides[1] == 0:
            # Every cell of a row weighs the same: one column is stored, and all columns are views of it.
            stored_weight = to_tensor(weight[:, :1].copy(), device, dtype).expand(weight.shape)
        else:
            stored_weight = to_tensor(weight, device, dtype)
        return cls(blocks, to_tensor(y, device, dtype), stored_weight)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.blocks)

    @property
    def inputs(self) -> dict[str, Tensor]:
        """Input blocks of all rows."""
        return self.rows(slice(None)).inputs

    @property
    def y(self) -> Tensor:
        """Encoded targets of all rows."""
        return self._selected(self.stored_y)

    @property
    def weight(self) -> Tensor:
        """Cell weights of all rows."""
        return self._selected(self.stored_weight)

    @property
    def augmentation(self) -> Augmenting | None:
        """What is done to each batch in training; None where nothing is."""
        return None if self.drawing is None else self.drawing.augmentation

    @property
    def draws_alone(self) -> bool:
        """Whether what is done to batches draws from a network's own generators: a user's may not."""
        return self.augmentation is None or is_known(self.augmentation)

    def rows(self, index: Place) -> Batch:
        """Return a copy of the given rows, a slice or positions."""
        return next(self._at([self.blocks.place(index)]))

    def take(self, rows: np.ndarray) -> Table:
        """Return the table of the given rows, which shares what is stored; how rows are drawn is left out."""
        index = torch.as_tensor(rows, device=self.stored_y.device)
        return replace(self, blocks=self.blocks.take(index), drawing=None)

    def sample(self, n_rows: int) -> Sample:
        """Return the inputs of evenly spaced rows, or of all if they are fewer than twice as many.

        Parameters
        ----------
        n_rows : int
            Least number of rows in a sample that leaves some out.
        """
        return Sample(lambda: self.rows(self._spaced(n_rows)).inputs)

    def labels_of_sample(self, n_rows: int) -> Sample:
        """Return the encoded targets ``"y"`` and the cell weights ``"weight"`` of the rows of `sample`.

        Parameters
        ----------
        n_rows : int
            The same as in `sample`.
        """

        def read() -> dict[str, Tensor]:
            place = self.blocks.place(self._spaced(n_rows))
            return {
                "y": copy_rows(self.stored_y, place),
                "weight": copy_rows(self.stored_weight, place),
            }

        return Sample(read)

    def _spaced(self, n_rows: int) -> Tensor:
        every = max(1, len(self) // n_rows)
        return torch.arange(0, len(self), every, device=self.stored_y.device)

    def batches(self, order: Tensor | None, bounds: Sequence[tuple[int, int]]) -> Iterator[Batch]:
        """Iterate over consecutive rows, batch by batch; each batch is a copy.

        Parameters
        ----------
        order : tensor of int, or None
            The order that the rows are brought into first; None for their own.
        bounds : sequence of pairs of int
            For each batch the position of its first row, and the one after its last.
        """
        return self._at(cut(self.blocks.place(slice(None) if order is None else order), bounds))

    def _at(self, places: Sequence[Place]) -> Iterator[Batch]:
        for place, inputs in zip(places, self.blocks.iterate(places), strict=True):
            yield Batch(inputs, copy_rows(self.stored_y, place), copy_rows(self.stored_weight, place))

    def picked(self, places: Sequence[Tensor]) -> Batch:
        """Return the rows that are stored at some positions, the only element of ``places``."""
        return next(self._at(places))

    def _selected(self, stored: Tensor) -> Tensor:
        return stored if self.blocks.index is None else copy_rows(stored, self.blocks.index)


@dataclass(frozen=True, eq=False)
class RowSplit:
    """Training rows, and validation rows that tell when to stop.

    Parameters
    ----------
    train, validation : ndarray of int
        Sorted row numbers. A row may be in neither, as between the two parts of a time series.
    """

    train: np.ndarray
    validation: np.ndarray

    @classmethod
    def from_validation(cls, validation: np.ndarray, n_rows: int) -> Self:
        """Return the split that trains on all rows but the given ones."""
        # Of many rows, numpy's difference of sets takes as long as to train on them.
        is_trained_on = np.ones(n_rows, dtype=bool)
        is_trained_on[validation] = False
        return cls(np.flatnonzero(is_trained_on), validation)

    def with_every_class_in_training(
        self, labels: Sequence[np.ndarray], groups: np.ndarray | None
    ) -> RowSplit:
        """Return the split that moves rows to training where a class or a task has no other there.

        Parameters
        ----------
        labels : sequence of ndarray of int, each of shape (n_rows,)
            For each task a code of each row's class, -1 for none; 0 where there are no classes.
        groups : ndarray of int, shape (n_rows,), or None
            Group of each row; the whole of its group goes with such a row.
        """
        train, validation = self.train, self.validation
        for codes in labels:
            of_train, of_validation = codes[train], codes[validation]
            n_codes = int(codes.max(initial=-1)) + 1
            there = np.bincount(of_train[of_train >= 0], minlength=n_codes) > 0
            if there.all():
                continue
            moved = (of_validation >= 0) & ~there[of_validation]
            if groups is not None:
                moved = np.isin(groups[validation], groups[validation[moved]])
            train, validation = np.union1d(train, validation[moved]), validation[~moved]
        return RowSplit(train, validation)


def split_table(table: Table, split: RowSplit) -> tuple[Table, Table]:
    """Return the training and the validation rows of a table, which share what is stored."""
    return table.take(split.train), table.take(split.validation)


class WholeBatches:
    """Iterates over a table batch by batch, each one a selection from whole tensors.

    A last batch of a single row joins the one before it: batch normalisation can't take it.

    Parameters
    ----------
    table : Table
        The rows.
    batch_size : int
        Rows in each batch.
    shuffle : bool, default=False
        Whether to draw a new order for every pass.
    """

    def __init__(self, table: Table, batch_size: int, *, shuffle: bool = False) -> None:
        self.table = table
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over the batches."""
        return self.in_order(self.order() if self.shuffle else None)

    def order(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw an order of the rows.

        Parameters
        ----------
        generator : torch.Generator, optional
            A generator of the CPU, so that a seed gives the same batches on every device; by default that of
            the net in training, and torch's where there is none.
        """
        generator, n_rows, drawing = generator or own_generator(), len(self.table), self.table.drawing
        if drawing is None:
            order = torch.randperm(n_rows, generator=generator)
        else:
            order = drawing.order(n_rows, generator)
        return order.to(self.table.stored_y.device)

    def in_order(self, order: Tensor | None, generator: torch.Generator | None = None) -> Iterator[Batch]:
        """Iterate over the batches of rows in the order that was drawn for them.

        Parameters
        ----------
        order : tensor of int, or None
            The result of `order`; None for the rows' own order, in which nothing is done to them.
        generator : torch.Generator, optional
            The same as in `order`.
        """
        bounds, drawing = self._bounds(len(self.table)), self.table.drawing
        order = None if order is None else self.table.blocks.arranged(order)
        batches = self.table.batches(order, bounds)
        if drawing is None or order is None:
            return batches
        return drawing.applied(batches, order, bounds, generator or own_generator())

    def pending(
        self, order: Tensor | None, generator: torch.Generator | None = None
    ) -> Iterator[PendingBatch]:
        """Iterate over the batches of `in_order`, their rows not yet picked where they are on the device.

        Parameters
        ----------
        order, generator
            The same as in `in_order`.
        """
        table = self.table
        if order is None or table.drawing is not None or not isinstance(table.blocks, DeviceRows):
            yield from map(PendingBatch.of, self.in_order(order, generator))
            return
        bounds = self._bounds(len(table))
        for place, (start, end) in zip(cut(table.blocks.place(order), bounds), bounds, strict=True):
            assert isinstance(place, Tensor)
            yield PendingBatch(end - start, (place,), table.picked)

    @property
    def sizes(self) -> list[int]:
        """Number of rows of each batch."""
        return [end - start for start, end in self._bounds(len(self.table))]

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._bounds(len(self.table)))

    def _bounds(self, n_rows: int) -> list[tuple[int, int]]:
        starts = list(range(0, n_rows, self.batch_size))
        if len(starts) > 1 and n_rows - starts[-1] == 1 and self.batch_size > 1:
            starts.pop()
        return list(zip(starts, [*starts[1:], n_rows], strict=True))


def rows_for_training(reader: Reader, device: torch.device, dtype: torch.dtype) -> InputRows:
    """Return rows on the device; rows that are streamed, or do not fit there, are brought batch by batch.

    Parameters
    ----------
    reader : Reader
        Source of the encoded rows.
    device : torch.device
        The network's device.
    dtype : torch.dtype
        The dtype of floating-point blocks.
    """
    if reader.is_streamed:
        return rows_when_read(reader, device, dtype)
    arrays = reader.read(slice(None))
    if sum(block.nbytes for block in arrays.values()) > SHARE_FOR_ROWS * free_memory(device):
        return ReadRows(ArrayReader(arrays), device, dtype)
    return DeviceRows.from_arrays(arrays, device=device, dtype=dtype)


def free_memory(device: torch.device) -> float:
    """Return the bytes that are free on a GPU; infinity on the CPU, where the rows are already."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else float("inf")
