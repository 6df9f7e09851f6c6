"""Inputs of the network: rows of tensors by block, wherever they are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

# Where rows lie in what is kept: a stretch of them, or their positions.
Place = slice | Tensor


class InputRows(ABC):
    """Rows of input blocks: all that are kept, or those at an index."""

    index: Tensor | None

    @property
    @abstractmethod
    def n_kept(self) -> int:
        """Number of rows that are kept."""

    @abstractmethod
    def each(self, places: Iterable[Place]) -> Iterator[dict[str, Tensor]]:
        """Iterate over the rows at one place after the other, as tensors of their own."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n_kept if self.index is None else len(self.index)

    def take(self, rows: Tensor) -> Self:
        """Return the given rows, which copies nothing but the index."""
        found: Self = replace(self, index=self.place(rows))  # type: ignore[type-var]
        return found

    def place(self, rows: Place) -> Place:
        """Return where the given rows are kept."""
        return rows if self.index is None else self.index[rows]


@dataclass(frozen=True, eq=False)
class Blocks(InputRows):
    """Rows that are kept as tensors on the network's device.

    Parameters
    ----------
    tensors : dict of str to tensor, each of shape (n_kept, …)
        Nobody writes to them: they may be shared with others, and with the user.
    index : tensor of int, optional
        Which of the rows these are; all by default.
    """

    tensors: dict[str, Tensor]
    index: Tensor | None = None

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], *, device: torch.device, dtype: torch.dtype
    ) -> Blocks:
        """Put arrays on a device; on the CPU an array of the right dtype is shared, not copied."""
        return cls({name: to_tensor(array, device, dtype) for name, array in arrays.items()})

    @property
    def n_kept(self) -> int:
        """Number of rows that are kept."""
        return len(next(iter(self.tensors.values())))

    def each(self, places: Iterable[Place]) -> Iterator[dict[str, Tensor]]:
        """Iterate over the rows at one place after the other, as tensors of their own."""
        for place in places:
            yield {name: pick(tensor, place) for name, tensor in self.tensors.items()}


def pieces(place: Place, bounds: Iterable[tuple[int, int]]) -> list[Place]:
    """Cut a place at bounds: pairs of the first position of a piece and the one after its last."""
    return [slice(*pair) if isinstance(place, slice) else place[slice(*pair)] for pair in bounds]


def pick(tensor: Tensor, place: Place) -> Tensor:
    """Return a copy of some rows: a module may work in place, and the tensor may be the user's array.

    Columns that are one and the same in memory stay so: they are copied once.
    """
    if tensor.ndim == 2 and tensor.shape[1] > 1 and tensor.stride(1) == 0:
        return pick(tensor[:, :1], place).expand(-1, tensor.shape[1])
    return tensor[place].clone() if isinstance(place, slice) else tensor.index_select(0, place)


def to_tensor(array: np.ndarray, device: torch.device, dtype: torch.dtype, *, copy: bool = False) -> Tensor:
    """Return a tensor on the device; floats in ``dtype``, codes as they are."""
    tensor = torch.from_numpy(array if array.flags.c_contiguous else np.ascontiguousarray(array))
    return tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype, copy=copy)
