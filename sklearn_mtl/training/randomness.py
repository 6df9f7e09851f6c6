"""Seeding that leaves the user's generators alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock

import torch
from torch import Tensor

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
        if device.type == "cpu":
            # torch.manual_seed prepares for devices that are not there, for some milliseconds.
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)
        yield


@dataclass(frozen=True, eq=False)
class GeneratorState:
    """Where torch's generators stand.

    Parameters
    ----------
    cpu : tensor
        State of the CPU's generator.
    device : tensor or None
        State of the CUDA device's generator, where there is one.
    """

    cpu: Tensor
    device: Tensor | None

    @classmethod
    def now(cls, device: torch.device) -> GeneratorState:
        """Return the state that torch's own generators are in."""
        return cls(torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None)

    @contextmanager
    def restored(self, device: torch.device) -> Iterator[None]:
        """Go on from this state inside the block, and put torch's generators back after it."""
        with seeded(0, device):
            torch.set_rng_state(self.cpu)
            if self.device is not None:
                torch.cuda.set_rng_state(self.device, device)
            yield
