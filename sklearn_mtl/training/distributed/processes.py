"""The processes that make one fit together: who they are, and what they tell each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from os import environ
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch import distributed as dist


@dataclass(frozen=True)
class Processes:
    """The processes that make one fit together.

    Parameters
    ----------
    rank : int
        The number of this process, from 0 on.
    n : int
        Number of processes.
    """

    rank: int = 0
    n: int = 1

    def part(self, start: int, stop: int) -> tuple[int, int]:
        """Return the first of those consecutive rows that are this process's, and the one after the last."""
        return self._parts(start, stop)[self.rank]

    def _parts(self, start: int, stop: int) -> list[tuple[int, int]]:
        cuts = [start + (stop - start) * number // self.n for number in range(self.n + 1)]
        return list(pairwise(cuts))

    def summed(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the sums over the processes of tensors of one dtype, which all have in the same shapes."""
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]

    def joined(self, own: Tensor, n_rows: int) -> Tensor:
        """Return the rows of all processes, given this one's `part` of so many."""
        sizes = [stop - start for start, stop in self._parts(0, n_rows)]
        padded = own.new_zeros((max(sizes), *own.shape[1:]))
        padded[: len(own)] = own
        every = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(every, padded)
        return torch.cat([rows[:size] for rows, size in zip(every, sizes, strict=True)])

    def agreed(self, tensor: Tensor, device: torch.device) -> Tensor:
        """Return what the first process has; what others have is of the same shape.

        Parameters
        ----------
        tensor : tensor
            What this process has, on any device.
        device : torch.device
            The device of the net, on which processes can talk.
        """
        found = tensor.to(device, copy=True)
        dist.broadcast(found, 0)
        return found.to(tensor.device)

    def agreed_array(self, values: np.ndarray, device: torch.device) -> np.ndarray:
        """Return the numbers that the first process has."""
        return self.agreed(torch.from_numpy(np.ascontiguousarray(values)), device).numpy()

    def every(self, number: int, device: torch.device) -> list[int]:
        """Return a number of each process."""
        own = torch.tensor([number], device=device)
        found = [torch.empty_like(own) for _ in range(self.n)]
        dist.all_gather(found, own)
        return [int(each) for each in found]


# The processes of the fits of this thread; None where each is of one process.
ACTIVE: ContextVar[Processes | None] = ContextVar("ACTIVE", default=None)


@contextmanager
def data_parallel(backend: str | None = None) -> Iterator[Processes]:
    """Let each fit inside the block be one fit, of all processes that were started for it.

    Every process runs the same lines with the same rows. In a step each computes a part of the rows of the
    batch; losses are divided by the labels of all parts, and gradients are added up, so that the network is
    the one that a single process would train, up to rounding, and all processes end with it. The same holds
    of early stopping and of ``history_``.

    Processes are those of ``torch.distributed``, if it was initialised, or else those that ``torchrun`` has
    started, which are then connected here and disconnected at the end. Where there is one process only, the
    block changes nothing: the same script runs with ``python``.

    Parameters
    ----------
    backend : str, optional
        The backend of ``torch.distributed`` where it is initialised here; by default torch's own choice:
        gloo between CPUs and NCCL between GPUs.

    Yields
    ------
    Processes
        Their number ``n``, and the ``rank`` of this one, by which a script can let one process write files.

    Notes
    -----
    With several GPUs in a machine, each process takes the one of its ``LOCAL_RANK`` for ``device="auto"``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.training.distributed import data_parallel
    >>> X = np.random.default_rng(0).normal(size=(80, 3))
    >>> est = MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=2, random_state=0)
    >>> with data_parallel() as processes:
    ...     est = est.fit(X, {"sum": X.sum(axis=1)})
    >>> processes.rank, processes.n
    (0, 1)
    """
    begins = not dist.is_initialized() if dist.is_available() else False
    if begins and int(environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group(backend)
    with_others = dist.is_available() and dist.is_initialized()
    processes = Processes(dist.get_rank(), dist.get_world_size()) if with_others else Processes()
    token = ACTIVE.set(processes if processes.n > 1 else None)
    try:
        with _own_card():
            yield processes
    finally:
        ACTIVE.reset(token)
        if begins and with_others:
            dist.destroy_process_group()


def _own_card() -> Any:
    """Return the context in which "cuda" is the card of this process."""
    n_cards = torch.cuda.device_count()
    return torch.cuda.device(int(environ.get("LOCAL_RANK", "0")) % n_cards) if n_cards else nullcontext()
