"""Seeding that leaves the user's generators alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import torch

_ONE_AT_A_TIME = RLock()


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside the block, and put its generators back after it.

    Torch has one generator for all threads: one thread at a time is inside.

    Parameters
    ----------
    seed : int
        The seed.
    device : torch.device
        The device whose generator is seeded along with the CPU's.
    """
    devices = [device] if device.type == "cuda" else []
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
