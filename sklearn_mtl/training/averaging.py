"""A moving average of the weights."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential moving average of a module's parameters, kept in a copy of the module.

    After step t the average moves by ``1 - min(decay, (1 + t) / (10 + t))`` towards the parameters:
    the early, short memory keeps the initial weights from lingering. Buffers are copied.

    Parameters
    ----------
    module : nn.Module
        What is averaged.
    decay : float
        In [0, 1).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = deepcopy(module).eval().requires_grad_(requires_grad=False)
        self._averages: list[Tensor] = list(self.module.parameters())
        self._latest: list[Tensor] = list(module.parameters())
        self._buffers = list(zip(self.module.buffers(), module.buffers(), strict=True))
        self.decay = decay
        self.steps = 0

    @property
    def decay_now(self) -> float:
        """Decay at the next step."""
        return min(self.decay, (1 + self.steps) / (10 + self.steps))

    def go_on(self, average: WeightAverage) -> None:
        """Take over another average of the same module."""
        self.module.load_state_dict(average.module.state_dict())
        self.steps = average.steps

    @torch.no_grad()
    def update(self) -> None:
        """Take note of the parameters after one more step."""
        torch._foreach_lerp_(self._averages, self._latest, 1 - self.decay_now)
        self.steps += 1
        for average, buffer in self._buffers:
            average.copy_(buffer)


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the module's state."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
