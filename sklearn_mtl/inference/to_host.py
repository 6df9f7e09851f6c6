"""What is made of rows on a GPU, on its way to the memory of the host."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

# Chunks that a GPU may be behind: while it computes one, the host brings the next.
CHUNKS_BEHIND = 2


def sent(parts: list[Tensor]) -> Callable[[], list[Tensor]]:
    """Send tensors to the CPU, and return what waits for them and returns them there.

    Parameters
    ----------
    parts : list of tensor
        Tensors of one device.
    """
    if all(part.device.type != "cuda" for part in parts):
        return partial(list, [part.cpu() for part in parts])
    # Into memory that stays in place, or the host would wait for the device now.
    pinned = [torch.empty(part.shape, dtype=part.dtype, pin_memory=True) for part in parts]
    for here, there in zip(pinned, parts, strict=True):
        here.copy_(there, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record(torch.cuda.current_stream(parts[0].device))

    def waited() -> list[Tensor]:
        arrived.synchronize()
        return pinned

    return waited
