"""The settings of the training loop, and what its optimizer and schedule resolve to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from skorch.callbacks import Callback, LRScheduler

from sklearn_mtl.messages import shown
from sklearn_mtl.training.callback_copies import copied
from sklearn_mtl.training.callbacks import instantiated, why_no_schedule
from sklearn_mtl.training.observer import FitObserver
from sklearn_mtl.training.schedules import SCHEDULES, StepSchedule
from sklearn_mtl.training.steps import FusedAdamW

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}
CPU = torch.device("cpu")
FUSED_ON_CUDA = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


@dataclass(frozen=True)
class TrainingSettings:
    """The settings of the training loop; by default plain steps of AdamW on the CPU, and nothing else.

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
    gradient_conflict : int or None
        Every so many steps, the gradients of the tasks are compared; None for never.
    callbacks : sequence
        The user's skorch callbacks.
    verbose : int
        At 1 the progress of a fit is shown, above that a line is printed for each epoch of each net.
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
    gradient_conflict: int | None = None
    callbacks: Sequence[Any] = ()
    verbose: int = 0

    @property
    def net_callbacks(self) -> list[Any]:
        """The callbacks of which each net is given copies."""
        return [entry for entry in self.callbacks if not _looks_on(entry)]

    @property
    def onlookers(self) -> list[FitObserver]:
        """The callbacks that look on at all nets of a fit."""
        return instantiated([entry for entry in self.callbacks if _looks_on(entry)])

    @property
    def shows_progress(self) -> bool:
        """Whether a fit shows one progress; above 1 each net prints its epochs instead."""
        return self.verbose == 1

    @property
    def is_looked_on(self) -> bool:
        """Whether anybody looks on at a fit."""
        return self.shows_progress or any(map(_looks_on, self.callbacks))

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
        # Torch refuses the others there, such as Adagrad.
        on_cuda = self.device.type == "cuda" and issubclass(self.optimizer, FUSED_ON_CUDA)
        if "fused" in known and (on_cuda or self.device.type == "cpu"):
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
            found.append(("lr_schedule", copied(self.lr_schedule)))
        return found


def _looks_on(entry: Any) -> bool:
    return isinstance(instantiated([entry])[0], FitObserver)


# Of torch's, by name, as older releases lack some.
UNFIT = {
    "Optimizer": "is the base of them",
    "SparseAdam": "takes no dense gradients",
    "Muon": "takes matrices only, and layers have biases",
}


def resolve_optimizer(optimizer: Any) -> type[torch.optim.Optimizer]:
    """Return the optimizer's class, given itself or its short name; a ``ValueError`` otherwise."""
    if isinstance(optimizer, str) and optimizer.lower() in OPTIMIZERS:
        return OPTIMIZERS[optimizer.lower()]
    found = shown(optimizer)
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer):
        name = optimizer.__name__
        if name not in UNFIT or optimizer is not getattr(torch.optim, name, None):
            return optimizer
        found = f"{name}, which {UNFIT[name]}"
    raise ValueError(
        f"`optimizer` must be a torch optimizer class or one of {sorted(OPTIMIZERS)}. Found {found}."
    )


def check_lr_schedule(lr_schedule: Any) -> None:
    """Raise a ``ValueError`` unless it is None, a known name or a skorch ``LRScheduler``."""
    known = lr_schedule is None or isinstance(lr_schedule, LRScheduler)
    if not known and not (isinstance(lr_schedule, str) and lr_schedule in SCHEDULES):
        raise ValueError(
            f"`lr_schedule` must be None, one of {sorted(SCHEDULES)} or a skorch LRScheduler. "
            f"Found {shown(lr_schedule)}."
        )
    reason = why_no_schedule(lr_schedule) if isinstance(lr_schedule, LRScheduler) else None
    if reason is not None:
        raise ValueError(f"`lr_schedule` must be such as nets can follow. Found LRScheduler: {reason}.")
