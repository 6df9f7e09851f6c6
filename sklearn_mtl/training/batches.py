"""Rows in memory, handed out as whole batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset


class Batch(NamedTuple):
    """Rows of every tensor: inputs by block, encoded targets, cell weights."""

    inputs: dict[str, Tensor]
    y: Tensor
    weight: Tensor


@dataclass(frozen=True, eq=False)
class Table(Dataset):
    """All rows of a data set as tensors on one device.

    Parameters
    ----------
    inputs : dict of str to tensor, each of shape (n_rows, …)
        Input blocks.
    y, weight : tensor of shape (n_rows, n_columns)
        Encoded targets and cell weights.
    """

    inputs: dict[str, Tensor]
    y: Tensor
    weight: Tensor

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
        """Copy arrays to a device."""
        return cls(
            {name: to_tensor(block, device, dtype) for name, block in inputs.items()},
            to_tensor(y, device, dtype),
            to_tensor(weight, device, dtype),
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.y)

    def rows(self, index: Tensor | slice) -> Batch:
        """Return the given rows."""
        inputs = {name: block[index] for name, block in self.inputs.items()}
        return Batch(inputs, self.y[index], self.weight[index])

    def take(self, rows: np.ndarray) -> Table:
        """Return the table of the given rows."""
        return Table(*self.rows(torch.as_tensor(rows, device=self.y.device)))


def to_tensor(array: np.ndarray, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return a tensor on the device; floats in ``dtype``, codes as they are."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)


class WholeBatches:
    """Iterates over a table batch by batch, each one indexing of whole tensors.

    A last batch of a single row joins the one before it: batch normalisation can't take it.

    Parameters
    ----------
    table : Table
        The rows.
    batch_size : int
        Rows in each batch.
    shuffle : bool, default=False
        Draw a new order for every pass from torch's global generator.
    """

    def __init__(self, table: Table, batch_size: int, *, shuffle: bool = False) -> None:
        self.table = table
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over the batches."""
        return self.along(self.order() if self.shuffle else None)

    def order(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw an order of the rows.

        Parameters
        ----------
        generator : torch.Generator, optional
            Of the CPU, so that a seed gives the same batches on every device.
        """
        return torch.randperm(len(self.table), generator=generator).to(self.table.y.device)

    def along(self, order: Tensor | None) -> Iterator[Batch]:
        """Iterate over the batches of rows in the given order, their own by default."""
        for start, stop in self._bounds(len(self.table)):
            yield self.table.rows(slice(start, stop) if order is None else order[start:stop])

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._bounds(len(self.table)))

    def _bounds(self, n_rows: int) -> list[tuple[int, int]]:
        starts = list(range(0, n_rows, self.batch_size))
        if len(starts) > 1 and n_rows - starts[-1] == 1 and self.batch_size > 1:
            starts.pop()
        return list(zip(starts, [*starts[1:], n_rows], strict=True))
