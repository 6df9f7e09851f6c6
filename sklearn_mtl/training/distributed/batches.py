"""The part of every batch that one of several processes computes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from sklearn_mtl.data import Batch, WholeBatches
from sklearn_mtl.network import GeneratorState
from sklearn_mtl.training.distributed.processes import Processes
from sklearn_mtl.trunks.layers import own_generators, part_of_batch


class PartsOfBatches:
    """Iterates over the part that one process has of each batch of a single one.

    Batches are drawn, and augmented, as wholes; all processes draw the same.

    Parameters
    ----------
    whole : WholeBatches
        The batches of a single process.
    processes : Processes
        Who shares them.
    device : torch.device
        The device of the net.
    """

    def __init__(self, whole: WholeBatches, processes: Processes, device: torch.device) -> None:
        self.whole = whole
        self.processes = processes
        self.device = device

    @property
    def table(self) -> object:
        """The rows of all batches."""
        return self.whole.table

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.whole)

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over the parts; what layers draw meanwhile is drawn for the whole batch, then cut."""
        self._draw_the_same()
        order = self.whole.order() if self.whole.shuffle else None
        for size, batch in zip(self.whole.sizes, self._parts(order), strict=True):
            with part_of_batch(*self.processes.part(0, size), size):
                yield batch

    def _parts(self, order: Tensor | None) -> Iterator[Batch]:
        table, sizes = self.whole.table, self.whole.sizes
        if table.drawing is not None and order is not None:
            # An augmentation may mix any two rows of a batch.
            yield from map(self._part, self.whole.in_order(order))
            return
        starts = [sum(sizes[:number]) for number in range(len(sizes))]
        bounds = [self.processes.part(start, start + n) for start, n in zip(starts, sizes, strict=True)]
        yield from table.batches(order, bounds)

    def _part(self, batch: Batch) -> Batch:
        start, stop = self.processes.part(0, batch.n_rows)
        of_labels = slice(start * batch.n_labels, stop * batch.n_labels)
        inputs = {name: block[start:stop] for name, block in batch.inputs.items()}
        return Batch(inputs, batch.y[of_labels], batch.weight[of_labels])

    def _draw_the_same(self) -> None:
        """Let all processes draw what the first does: a layer may have drawn more in one than in another."""
        state = GeneratorState.now(self.device)
        cpu = self.processes.agreed(state.cpu, self.device)
        other = None if state.device is None else self.processes.agreed(state.device, self.device)
        own = own_generators()
        if own is None:
            GeneratorState(cpu, other).into_torch(self.device)
            return
        own[0].set_state(cpu)
        if other is not None:
            own[1].set_state(other)
