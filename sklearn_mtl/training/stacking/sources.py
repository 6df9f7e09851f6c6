"""Things that several networks share, handed out with networks in front."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from sklearn_mtl.data.table import Batch


class Shares:
    """Which networks share a thing: equal keys are one.

    Parameters
    ----------
    keys : sequence of hashable
        One for each network.
    device : torch.device
        Where the things are.
    """

    def __init__(self, keys: Sequence[Hashable], device: torch.device) -> None:
        place = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        self.places = [place[key] for key in keys]
        self.first = [self.places.index(number) for number in range(len(place))]
        own = self.places == list(range(len(place)))
        self._index = None if own else torch.tensor(self.places, device=device)

    def expand(self, things: Sequence[Tensor]) -> Tensor:
        """Return distinct tensors as one, each network given its own; what some lack in size is 0."""
        stacked = padded(things)
        if self._index is None:
            return stacked
        if len(stacked) == 1:
            # All look at one; it need not be written out for each.
            return stacked.expand(len(self._index), *stacked.shape[1:])
        return stacked.index_select(0, self._index)


def stacked_batch(parts: Sequence[Batch], shares: Shares) -> Batch:
    """Return distinct batches as one, (networks, rows, ...); a row that some have not weighs nothing.

    Parameters
    ----------
    parts : sequence of Batch
        Of the different tables; where they differ in rows or in width, filled up with 0.
    shares : Shares
        Who is given which.
    """
    inputs = {name: shares.expand([part.inputs[name] for part in parts]) for name in parts[0].inputs}
    y = shares.expand([part.y for part in parts])
    return Batch(inputs, y, shares.expand([part.weight for part in parts]))


def padded(tensors: Sequence[Tensor]) -> Tensor:
    """Return tensors stacked, those that are smaller than others filled up with 0."""
    shapes = {tensor.shape for tensor in tensors}
    if len(shapes) == 1:
        return torch.stack(list(tensors)) if len(tensors) > 1 else tensors[0].unsqueeze(0)
    widest = [max(sizes) for sizes in zip(*shapes, strict=True)]
    stacked = tensors[0].new_zeros((len(tensors), *widest))
    for part, tensor in zip(stacked, tensors, strict=True):
        part[tuple(slice(size) for size in tensor.shape)] = tensor
    return stacked
