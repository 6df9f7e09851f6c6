"""Seeding that leaves the user's generators alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside the block, and put its generators back after it.

    Parameters
    ----------
    seed : int
        The seed.
    device : torch.device
        The device whose generator is seeded along with the CPU's.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
