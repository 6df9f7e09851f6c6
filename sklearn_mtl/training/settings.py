"""What the training loop is told, checked and resolved: optimizer, schedule, device, precision."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from inspect import signature
from multiprocessing import current_process, parent_process
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, LRScheduler

from sklearn_mtl.network.torch_private import forked_after_cuda_started
from sklearn_mtl.training.schedules import SCHEDULES, StepSchedule
from sklearn_mtl.training.steps import FusedAdamW

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}
CPU = torch.device("cpu")
PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float64": torch.float64,
    # Weights and data stay float32; products in training are autocast.
    "bf16": torch.float32,
}


@dataclass(frozen=True)
class TrainingSettings:
    """What the training loop is told; by default plain steps of AdamW on the CPU, and nothing else.

    Parameters
    ----------
    optimizer : type of torch Optimizer
        Its class, of which each net has an instance.
    lr, weight_decay : float
        The optimizer's learning rate and weight decay.
    batch_size, max_epochs : int
        Rows in each step, and most passes over the training rows.
    lr_schedule : None, "cosine", "one_cycle" or skorch LRScheduler
        How the learning rate changes over the steps.
    gradient_clip : float or None
        Largest norm of a step's gradient.
    patience : int or None
        Epochs without a lower validation loss before training stops; None where it does not stop early.
    ema_decay : float or None
        Decay of the moving average of the weights; None for no average.
    calibrate : bool
        Whether temperatures are fitted on held-out rows.
    device : torch.device
        The device of data and network.
    dtype : torch.dtype
        The dtype of data and weights.
    autocast : torch.dtype or None
        The dtype in which products are computed while training; None for that of the weights.
    compile : bool
        Whether the network goes through ``torch.compile``.
    callbacks : sequence
        The user's skorch callbacks; each net is given copies.
    verbose : int
        Whether a line is printed for each epoch, if above 0.
    """

    optimizer: type[torch.optim.Optimizer] = torch.optim.AdamW
    lr: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 32
    max_epochs: int = 10
    lr_schedule: Any = None
    gradient_clip: float | None = None
    patience: int | None = None
    ema_decay: float | None = None
    calibrate: bool = False
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    autocast: torch.dtype | None = None
    compile: bool = False
    callbacks: Sequence[Any] = ()
    verbose: int = 0

    @property
    def optimizer_class(self) -> type[torch.optim.Optimizer]:
        """The optimizer, in its fastest form."""
        fused = self.optimizer is torch.optim.AdamW and self.device.type in ("cpu", "cuda")
        return FusedAdamW if fused else self.optimizer

    def optimizer_options(self) -> dict[str, Any]:
        """Return the optimizer's parameters, in skorch's spelling."""
        known = signature(self.optimizer).parameters
        options: dict[str, Any] = {}
        if "weight_decay" in known:
            options["optimizer__weight_decay"] = self.weight_decay
        if "fused" in known and self.device.type in ("cpu", "cuda"):
            options["optimizer__fused"] = True
        return options

    def schedule_callbacks(self, n_batches: int, done: int = 0) -> list[tuple[str, Callback]]:
        """Return the callbacks that move the learning rate.

        Parameters
        ----------
        n_batches : int
            Steps in each epoch.
        done : int, default=0
            Steps taken before; a named schedule goes on from there.
        """
        found: list[tuple[str, Callback]] = []
        if isinstance(self.lr_schedule, str):
            factor = SCHEDULES[self.lr_schedule](self.max_epochs * n_batches)
            found.append(("lr_schedule", StepSchedule(factor, done)))
        elif self.lr_schedule is not None:
            found.append(("lr_schedule", deepcopy(self.lr_schedule)))
        return found


def resolve_optimizer(optimizer: Any) -> type[torch.optim.Optimizer]:
    """Return the optimizer's class, given itself or its short name; a ``ValueError`` otherwise."""
    if isinstance(optimizer, str) and optimizer.lower() in OPTIMIZERS:
        return OPTIMIZERS[optimizer.lower()]
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer):
        return optimizer
    raise ValueError(
        f"`optimizer` must be a torch optimizer class or one of {sorted(OPTIMIZERS)}. Found {optimizer!r}."
    )


def check_lr_schedule(lr_schedule: Any) -> None:
    """Raise a ``ValueError`` unless it is None, a known name or a skorch ``LRScheduler``."""
    known = lr_schedule is None or isinstance(lr_schedule, LRScheduler)
    if not known and not (isinstance(lr_schedule, str) and lr_schedule in SCHEDULES):
        raise ValueError(
            f"`lr_schedule` must be None, one of {sorted(SCHEDULES)} or a skorch LRScheduler. "
            f"Found {lr_schedule!r}."
        )


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device, ``"auto"`` being CUDA where there is one.

    Raises
    ------
    ValueError
        If there is no such device here.
    RuntimeError
        If it is CUDA, and this process was forked from one that had started it.
    """
    if device == "auto":
        found = _own_card() if torch.cuda.is_available() else torch.device("cpu")
    else:
        try:
            found = torch.device(device)
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"`device` must be 'auto' or a torch device. Found {device!r}.") from error
    if found.type == "cuda":
        _check_cuda(device)
    return found


def _own_card() -> torch.device:
    """Return a card: in the n-th worker of a parallel search the n-th, so that they do not all share one."""
    n_cards = torch.cuda.device_count()
    if n_cards < 2 or parent_process() is None:
        return torch.device("cuda")
    # Worker processes are numbered from 1 on: LokyProcess-1, ForkPoolWorker-2, SpawnProcess-1:2.
    number = re.search(r"\d+$", current_process().name)
    return torch.device("cuda", 0 if number is None else (int(number[0]) - 1) % n_cards)


def _check_cuda(device: str | torch.device) -> None:
    if not torch.cuda.is_available():
        raise ValueError(
            f"`device` must be a device of this machine. Found {device!r}, and torch sees no CUDA here; "
            "'auto' falls back to the CPU."
        )
    if forked_after_cuda_started():
        raise RuntimeError(
            f"`device` must not be CUDA in a process that was forked after CUDA had started. Found "
            f"{device!r} in such a process, which would hang: start workers anew (joblib's default backend "
            'does, or multiprocessing with "spawn"), or set device="cpu".'
        )


def resolve_precision(precision: str) -> torch.dtype:
    """Return the dtype of weights and data; a ``ValueError`` for an unknown word."""
    if precision not in PRECISIONS:
        raise ValueError(f"`precision` must be one of {sorted(PRECISIONS)}. Found {precision!r}.")
    return PRECISIONS[precision]


def resolve_autocast(precision: str) -> torch.dtype | None:
    """Return what products are computed in while training; None where it is the weights' own dtype."""
    return torch.bfloat16 if precision == "bf16" else None


def numpy_dtype(dtype: torch.dtype) -> type[np.floating]:
    """Return numpy's name for the dtype of data."""
    return np.float64 if dtype == torch.float64 else np.float32
