"""The gradients of the tasks, each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Tensor
from torch.func import vmap

from sklearn_mtl.tasks import StepLosses


def task_gradients(losses: StepLosses, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradient of each task's loss in some tensors; the graph is kept.

    All tasks go back through the network at once. Where ``vmap`` can't batch a layer of it, they do so one
    after the other.

    Parameters
    ----------
    losses : StepLosses
        Losses of a step, of one network or of several in a stack.
    parameters : sequence of tensor
        What is differentiated by; at least one tensor, and each with gradient.

    Returns
    -------
    list of tensor, each of shape (n_tasks, ...)
        One for each of the parameters; 0 where a task has no gradient.
    """
    values = losses.values
    n_tasks = values.shape[-1]
    of_task = torch.eye(n_tasks, dtype=values.dtype, device=values.device)
    # In a stack, the losses of all networks at once: a network's weights have no part in another's.
    rates = of_task.view(n_tasks, *(1,) * (values.ndim - 1), n_tasks).expand(-1, *values.shape)
    gradients = losses.gradient(rates)

    def backward(gradient: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(
            losses.raw, list(parameters), gradient, retain_graph=True, materialize_grads=True
        )

    if n_tasks > 1:
        # What vmap raises where a layer works in place, or asks for numbers, is of many kinds.
        with suppress(Exception):
            return [found.detach() for found in vmap(backward)(gradients)]
    of_tasks = [backward(gradient) for gradient in gradients]
    return [torch.stack(rows).detach() for rows in zip(*of_tasks, strict=True)]
