"""The random numbers that a net would draw if it were trained alone."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn

from sklearn_mtl.data.table import WholeBatches
from sklearn_mtl.network.torch_state import GeneratorState
from sklearn_mtl.training.runs import ReadyNet
from sklearn_mtl.training.stacking.module import DropoutCall, draw_mask


class Stream:
    """The order of the rows and the dropout masks of nets that draw the same.

    Those are nets of one seed that have as many rows, batches of one size and the same dropout rates:
    candidates of a search that differ in task weights or learning rates. They share every mask.

    Parameters
    ----------
    ready : ReadyNet
        Any of the nets.
    layers : sequence of nn.Module
        Its dropout layers, in the order of the calls.
    """

    def __init__(self, ready: ReadyNet, layers: Sequence[nn.Module]) -> None:
        self.layers = layers
        self.batches = WholeBatches(ready.plan.train, ready.plan.settings.batch_size, shuffle=True)
        self._device = ready.plan.settings.device
        self._cpu = torch.Generator()
        self._cpu.set_state(ready.generator.cpu)
        self._own = self._cpu
        if ready.generator.device is not None:
            self._own = torch.Generator(self._device)
            self._own.set_state(ready.generator.device)

    @staticmethod
    def key(ready: ReadyNet, layers: Sequence[nn.Module]) -> Hashable:
        """Return what nets of one stream have in common."""
        rates = tuple((type(layer), getattr(layer, "p", None)) for layer in layers)
        state = ready.generator
        device = b"" if state.device is None else state.device.numpy().tobytes()
        return (
            state.cpu.numpy().tobytes(),
            device,
            len(ready.plan.train),
            ready.plan.settings.batch_size,
            rates,
        )

    @property
    def state(self) -> GeneratorState:
        """Where torch's generators would stand now."""
        device = None if self._own is self._cpu else self._own.get_state()
        return GeneratorState(self._cpu.get_state(), device)

    def order(self) -> Tensor:
        """Draw the order of the rows for an epoch, on the device."""
        return self.batches.order(self._cpu)

    def masks(self, calls: Sequence[DropoutCall], n_rows: int, like: Tensor) -> list[Tensor]:
        """Draw the masks of one step.

        Parameters
        ----------
        calls : sequence of DropoutCall
            Passages through the layers.
        n_rows : int
            Rows of the step.
        like : tensor
            Of the masks' dtype and device.
        """
        return [
            draw_mask(layer, (n_rows, *call.shape), self._own, like)
            for layer, call in zip(self.layers, calls, strict=True)
        ]
