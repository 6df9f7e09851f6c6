"""Whose weights a net ends with, of which epoch or averaged, and when training stops."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from math import isclose
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

from sklearn_mtl.network import MultiTaskModule
from sklearn_mtl.network.torch_state import GeneratorState
from sklearn_mtl.training.steps import WeightAverage


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the module's state."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


class StopTraining(KeyboardInterrupt):
    """Raised by a callback to end training in good order.

    skorch's own stopping raises ``KeyboardInterrupt``, as Ctrl-C does; this one can be told apart.
    """


@dataclass
class Resume:
    """What it takes to train on as if training had never stopped.

    Parameters
    ----------
    weights : dict of str to tensor
        State of the module, not averaged, after the last step.
    average : WeightAverage or None
        The moving average after the last step.
    generator : GeneratorState
        Where torch's generators stood then.
    """

    weights: dict[str, Tensor]
    average: WeightAverage | None
    generator: GeneratorState


@dataclass
class TrainingRun:
    """What a net goes by from the beginning of a training to its end.

    Parameters
    ----------
    n_before, n_over : int
        Epochs of earlier trainings, and epochs that are over, those among them.
    resumes : bool
        Whether it goes on as if the training before had never stopped.
    start_weights : dict of str to tensor, optional
        What the net predicted with before; None for a new net.
    start_loss : float
        Validation loss of the start weights; infinite for a new net.
    average : WeightAverage, optional
        The moving average of the weights, which validation and prediction use.
    shared : list of Parameter
        What several tasks train.
    kept : dict of str to tensor, optional
        Weights that the net will end with; those of the last epoch by default.
    """

    n_before: int = 0
    n_over: int = 0
    resumes: bool = False
    start_weights: dict[str, Tensor] | None = None
    start_loss: float = float("inf")
    average: WeightAverage | None = None
    shared: list[nn.Parameter] = field(default_factory=list)
    kept: dict[str, Tensor] | None = None

    @classmethod
    def begin(
        cls,
        module: MultiTaskModule,
        ema_decay: float | None,
        n_before: int,
        start_loss: float,
        resume: Resume | None,
    ) -> TrainingRun:
        """Return the run of a module that begins its training, or goes on with it.

        Parameters
        ----------
        module : MultiTaskModule
            It gets the weights of the last step where training is resumed.
        ema_decay : float or None
            Decay of the moving average; None for none.
        n_before : int
            Epochs of earlier trainings.
        start_loss : float
            Validation loss of the weights that the module has.
        resume : Resume or None
            From the end of the training before.
        """
        run = cls(n_before, n_before, resume is not None, start_loss=start_loss)
        run.start_weights = snapshot(module) if n_before else None
        run.average = None if ema_decay is None else WeightAverage(module, ema_decay)
        if resume is not None:
            if run.average is not None and resume.average is not None:
                run.average.take_over(resume.average)
            module.load_state_dict(resume.weights)
        run.shared = list(module.sharing.shared_parameters())
        return run

    def end(self, module: MultiTaskModule, device: torch.device) -> Resume:
        """Put the kept, or else the averaged weights into the module; return what it takes to train on."""
        resume = Resume(snapshot(module), self.average, GeneratorState.now(device))
        if self.kept is not None:
            module.load_state_dict(self.kept)
        elif self.average is not None:
            module.load_state_dict(self.average.module.state_dict())
        return resume


class WeightKeeper(Callback):
    """Says whose weights a net ends with.

    It is shown each epoch before the other callbacks are, one of which may end the training.
    """

    def keep(self, net: Any) -> None:
        """Keep the weights of the epoch that is over, if they are better than those kept so far."""

    def fall_back(self, net: Any) -> None:
        """Let the net end with the weights of an epoch that is over, the present ones being of no use."""


# What rounding may make of a loss: of a stack of networks and of one by itself.
SAME_LOSS = 1e-5


class BestEpoch(WeightKeeper):
    """Stops when the watched loss no longer falls, and keeps the best epoch's weights.

    Watched is ``valid_loss``: the mean of the scale-free losses over the tasks of weight > 0. A
    balanced loss would be a moving yardstick.

    Parameters
    ----------
    patience : int
        Epochs without a lower loss before training stops.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin with the weights of an earlier training as the best so far, or with none."""
        # On the rows held out now: they need not be those of before.
        self.lowest_ = net.run_.start_loss
        watched = [epoch.get("valid_loss") for epoch in net.history]
        self.best_epoch_ = len(watched)
        if (
            net.run_.resumes
            and None not in watched
            and isclose(self.lowest_, min(watched), rel_tol=SAME_LOSS)
        ):
            # Where training goes on as if it had never stopped, so does the count of epochs in vain.
            self.lowest_ = min(watched)
            self.best_epoch_ = 1 + watched.index(self.lowest_)
        net.run_.kept = net.run_.start_weights

    def keep(self, net: Any) -> None:
        """Compare this epoch with the best."""
        loss, epoch = net.history[-1, "valid_loss"], net.history[-1, "epoch"]
        if loss < self.lowest_:
            self.lowest_, self.best_epoch_ = loss, epoch
            net.run_.kept = snapshot(net.evaluated)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Stop where the best epoch is too long ago."""
        if net.history[-1, "epoch"] - self.best_epoch_ >= self.patience:
            raise StopTraining


class FiniteLosses(WeightKeeper):
    """Finds a loss that became nan or infinite, at the end of its epoch.

    In the first epoch it is an error; later training stops with a warning and the weights of the last
    finite epoch are kept.

    Parameters
    ----------
    names : list of str
        Names of the tasks.
    keeps : bool, default=True
        Whether the last finite epoch's weights are kept; not where those of the best epoch are.
    """

    def __init__(self, names: list[str], *, keeps: bool = True) -> None:
        self.names = names
        self.keeps = keeps

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget the epochs of an earlier training."""
        self.last_: dict[str, Tensor] | None = None
        self.began_ = False

    def keep(self, net: Any) -> None:
        """Look at the losses of this epoch."""
        self.broken_ = self._broken(net)
        if self.broken_ is None and self.keeps:
            self.last_ = snapshot(net.evaluated)

    def fall_back(self, net: Any) -> None:
        """Let the net end with the last finite epoch's weights, where no better epoch's are kept."""
        if self.last_ is not None:
            net.run_.kept = self.last_

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Stop where a loss is no longer finite."""
        broken = self.broken_
        if broken is None:
            self.began_ = True
            return
        epoch = net.history[-1, "epoch"]
        advice = "try a smaller `lr`, `gradient_clip=1.0`, or look for extreme values in X and y"
        if not self.began_:
            raise ValueError(f"The loss of {broken} became nan or infinite in the first epoch; {advice}.")
        self.fall_back(net)
        warnings.warn(
            f"The loss of {broken} became nan or infinite in epoch {epoch}; the weights of the last finite "
            f"epoch are kept. To mend it, {advice}.",
            RuntimeWarning,
            stacklevel=2,
        )
        raise StopTraining

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Forget the weights."""
        self.last_ = None

    def _broken(self, net: Any) -> str | None:
        """Say what is not finite; None where all is well."""
        losses = net.epochs_[-1]
        for key in ("train_loss", "valid_loss"):
            # A task without labels has a loss of nan and that is well: the totals leave it out.
            total = net.history[-1].get(key, 0.0)
            if np.isfinite(total):
                continue
            bad = net.broken_tasks_ if len(net.broken_tasks_) else np.flatnonzero(~np.isfinite(losses[key]))
            return ", ".join(f"task {self.names[i]!r}" for i in bad[:5]) or "all tasks together"
        # After the last step no loss was computed, but on held-out rows.
        finite = "valid_loss" in net.history[-1] or all(map(_is_finite, net.evaluated.parameters()))
        return None if finite else "all tasks together (the weights are no longer finite)"


def _is_finite(values: Tensor) -> bool:
    # A sum takes a quarter of the time. It is finite only if all are; where it overflows they are looked at.
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def has_ended(net: Any, epochs: int, patience: int | None) -> bool:
    """Whether a net stopped by itself, and not for want of epochs.

    Parameters
    ----------
    net : MultiTaskNet
        Trained.
    epochs : int
        How many it was given in all.
    patience : int or None
        Epochs in vain after which training stops; None if it does not.
    """
    if len(net.history) < epochs:
        return True
    watched = [epoch.get("valid_loss") for epoch in net.history]
    if patience is None or None in watched:
        return False
    return not np.isfinite(watched[-1]) or len(watched) - 1 - watched.index(min(watched)) >= patience
