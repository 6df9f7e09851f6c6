"""Input tensors by block, and rows of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

# Where rows lie in storage: a stretch of them, or their positions.
Place = slice | Tensor


@dataclass(frozen=True, eq=False)
class Blocks:
    """Input tensors by block: of all rows that are stored, or of those at an index.

    Parameters
    ----------
    tensors : dict of str to tensor, each of shape (n_stored, …)
        What is stored; several may share it, and nobody writes to it.
    index : tensor of int, optional
        Which of the stored rows these are; all of them by default.
    """

    tensors: dict[str, Tensor]
    index: Tensor | None = None

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], *, device: torch.device, dtype: torch.dtype
    ) -> Blocks:
        """Put arrays on a device; on the CPU an array of the right dtype is shared, not copied."""
        return cls({name: to_tensor(array, device, dtype) for name, array in arrays.items()})

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.tensors.values()))) if self.index is None else len(self.index)

    def take(self, rows: Tensor) -> Blocks:
        """Return the blocks of the given rows, which copies nothing but the index."""
        return replace(self, index=rows if self.index is None else self.index[rows])

    def place(self, rows: Place) -> Place:
        """Return where in storage the given rows lie."""
        return rows if self.index is None else self.index[rows]

    def each(self, places: Iterable[Place]) -> Iterator[dict[str, Tensor]]:
        """Iterate over the rows at one place of storage after the other, each time as new tensors."""
        for place in places:
            yield {name: pick(tensor, place) for name, tensor in self.tensors.items()}


def pieces(place: Place, bounds: Iterable[tuple[int, int]]) -> list[Place]:
    """Cut a place at bounds: pairs of the first position of a piece and the one after its last."""
    return [slice(*pair) if isinstance(place, slice) else place[slice(*pair)] for pair in bounds]


def pick(tensor: Tensor, place: Place) -> Tensor:
    """Return a copy of some rows: a module may work in place, and the tensor may be the user's array."""
    return tensor[place].clone() if isinstance(place, slice) else tensor.index_select(0, place)


def to_tensor(array: np.ndarray, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return a tensor on the device; floats in ``dtype``, codes as they are."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)
