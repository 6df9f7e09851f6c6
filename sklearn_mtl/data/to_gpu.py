"""Rows on their way from the memory of the host to a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.data.rows import InputRows, Place, Reader

# Rows go through pinned memory in pieces of so many bytes: with one as large as all rows, it took half as
# long again.
BYTES_OF_PIECE = 2**22


@dataclass(frozen=True, eq=False)
class RowsToGPU(InputRows):
    """Rows in the memory of the host that are brought to a GPU when they are asked for.

    Parameters
    ----------
    reader : Reader
        Has the rows, and need not wait for them.
    device : torch.device
        The GPU.
    dtype : torch.dtype
        The dtype of floating-point blocks.
    index : tensor of int, optional
        Positions of these rows among the reader's; all by default.
    check : callable, optional
        Raises an error if numbers are not finite; called after an iteration in which the GPU has seen some
        that may not be. By default they are known to be.
    """

    reader: Reader
    device: torch.device
    dtype: torch.dtype
    index: Tensor | None = None
    check: Callable[[], Any] | None = None

    @property
    def n_stored(self) -> int:
        """Number of rows that the reader has."""
        return len(self.reader)

    @property
    def at_once(self) -> int:
        """How many rows are best asked for together; 1 where it makes no difference."""
        return self.reader.at_once

    def kept(self, name: str) -> np.ndarray | None:
        """Return one block of the rows where the reader has it at hand."""
        block = self.reader.kept(name)
        return block if block is None or self.index is None else block[self.index.cpu().numpy()]

    def arranged(self, order: Tensor) -> Tensor:
        """Return the order as it was drawn."""
        return order

    def iterate(self, places: Iterable[Place]) -> Iterator[dict[str, Tensor]]:
        """Iterate over the rows at one place after the other, each time as new tensors."""
        sums: list[Tensor] = []
        for place in places:
            blocks = self.reader.read(place if isinstance(place, slice) else place.cpu().numpy())
            found = {name: by_pieces(block, self.dtype, self.device) for name, block in blocks.items()}
            if self.check is not None:
                sums += [block.sum() for block in found.values()]
            yield found
        # Of finite numbers the sum may be infinite: the check has the last word.
        if self.check is not None and not bool(torch.stack(sums).isfinite().all()):
            self.check()


def by_pieces(array: np.ndarray, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a copy on a GPU; the host goes on while the last of it is on its way.

    Only pinned memory is copied to a GPU while the host goes on. It is of pieces so small that they stay in
    the caches of the host.

    Parameters
    ----------
    array : ndarray of shape (n_rows, ...)
        A block of rows.
    dtype : torch.dtype
        The dtype in which floating-point numbers arrive.
    device : torch.device
        The GPU.
    """
    given = torch.from_numpy(array if array.flags.c_contiguous else np.ascontiguousarray(array))
    dtype = dtype if given.is_floating_point() else given.dtype
    found = torch.empty(given.shape, dtype=dtype, device=device)
    n_rows = max(BYTES_OF_PIECE * len(array) // max(array.nbytes, 1), 1)
    for start in range(0, len(array), n_rows):
        rows = given[start : start + n_rows]
        pinned = torch.empty(rows.shape, dtype=dtype, pin_memory=True)
        found[start : start + n_rows].copy_(pinned.copy_(rows), non_blocking=True)
    return found
