"""The losses of a batch under the weights that its own step has made, for `Balancer.after_step`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sklearn_mtl.data import Batch
from sklearn_mtl.network import GeneratorState


def losses_again(net: Any, batch: Batch) -> Callable[[], Tensor]:
    """Return a function that computes the losses of a batch with the weights of the time it is called.

    Dropout masks are those that the step is about to draw, so that the losses differ by the weights alone.
    What is drawn later, and the buffers of the module, do not depend on whether the function is called.

    Parameters
    ----------
    net : MultiTaskNet
        About to make a step.
    batch : Batch
        The rows of the step.

    Returns
    -------
    callable
        Returns the scale-free losses, shape (n_tasks,), without gradient.
    """
    module, device = net.network, torch.device(net.device)
    generator = GeneratorState.now(device)
    batch = batch.copied()

    @torch.no_grad()
    def compute() -> Tensor:
        before = {name: value.clone() for name, value in module.named_buffers()}
        with generator.restored(device):
            # Of a copy, as a module may work in place: a balancer may ask more than once.
            raw, _ = net.training_outputs(batch.copied())
        # Batch normalization would count the rows a second time.
        for name, value in before.items():
            module.get_buffer(name).copy_(value)
        losses: Tensor = net.criterion_.losses(batch.for_labels(raw), batch.y, batch.weight).values
        return losses

    return compute
