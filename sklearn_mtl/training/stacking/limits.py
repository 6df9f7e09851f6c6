"""How many nets go into one stack."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor, nn

from sklearn_mtl.network.torch_private import uncompiled
from sklearn_mtl.training.runs import ReadyNet
from sklearn_mtl.training.stacking.arrangement import few_rows

# Batching by vmap costs about a millisecond a step, which few nets don't win back: two of 256 columns took
# 1.4 times as long as one after the other, four as long, eight 0.9 times.
FEWEST_ON_CPU = 4
# On a CPU more nets at once gain nothing: what a launch costs is spread thin already.
MOST_ON_CPU = 128
NUMBERS_ON_CPU = 2**28
# Weights, gradients, two moments and a moving average.
TENSORS_OF_A_WEIGHT = 5
# What is kept of each layer's output until its gradient is known, and what comes and goes.
TENSORS_OF_AN_OUTPUT = 3
# Of a card's free memory; the rest is for what the allocator holds in between.
SHARE_OF_FREE = 0.7


def fewest_members(device: torch.device) -> int:
    """Return how many nets a stack must have to pay; on a GPU, where launches are what costs, two."""
    return FEWEST_ON_CPU if device.type == "cpu" else 2


def members_at_once(ready: ReadyNet) -> int:
    """Return how many nets like this one memory allows, and pay.

    Parameters
    ----------
    ready : ReadyNet
        One of the nets.
    """
    numbers = numbers_in_training(ready)
    settings = ready.plan.settings
    if settings.device.type == "cuda":
        free = torch.cuda.mem_get_info(settings.device)[0] * SHARE_OF_FREE
        return max(1, int(free / settings.dtype.itemsize) // numbers)
    return max(1, min(MOST_ON_CPU, NUMBERS_ON_CPU // numbers))


def numbers_in_training(ready: ReadyNet) -> int:
    """Return about how many numbers a net has in memory during a step."""
    module = uncompiled(ready.net.module_)
    weights = sum(parameter.numel() for parameter in module.parameters())
    few = few_rows(ready.plan.train)
    total = 0

    def count(_part: nn.Module, _given: object, output: object) -> None:
        nonlocal total
        total += output.numel() if isinstance(output, Tensor) else 0

    parts = [part for part in module.modules() if not list(part.children())]
    hooks = [part.register_forward_hook(count) for part in parts]
    try:
        # A module that fails does so again where its net is trained, or asked, by itself.
        with suppress(Exception), ready.generator.restored(ready.plan.settings.device), torch.no_grad():
            module.eval()(few.inputs)
    finally:
        for hook in hooks:
            hook.remove()
    outputs = total // len(few.y) * ready.plan.settings.batch_size
    return weights * TENSORS_OF_A_WEIGHT + outputs * TENSORS_OF_AN_OUTPUT


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory is short."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        word in str(error).lower() for word in words
    )
