"""Which weights a net ends with, those of an epoch or their average, and when training stops."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from math import isclose
from typing import Any, Protocol

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

from sklearn_mtl.messages import shown
from sklearn_mtl.network import GeneratorState, MultiTaskModule
from sklearn_mtl.training.steps import WeightAverage

# Relative difference by which rounding may tell a loss of a stacked network from that of the same one alone.
SAME_LOSS = 1e-5


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the module's state."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


class StopTraining(KeyboardInterrupt):
    """Raised by a callback to end a training that is done.

    skorch's own early stopping raises ``KeyboardInterrupt``, as Ctrl-C does; this one can be told apart.
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
        The state of torch's generators after the last step.
    """

    weights: dict[str, Tensor]
    average: WeightAverage | None
    generator: GeneratorState


@dataclass
class TrainingRun:
    """The state of a net from the beginning of a training to its end.

    Parameters
    ----------
    n_before, n_over : int
        Number of epochs of earlier trainings, and of all epochs that are over.
    resumes : bool
        Whether it goes on as if the training before had never stopped.
    start_weights : dict of str to tensor, optional
        The weights that the net predicted with before this training; None for a new net.
    start_loss : float
        Validation loss of the start weights; infinite for a new net.
    average : WeightAverage, optional
        The moving average of the weights, which validation and prediction use.
    shared : list of Parameter
        Parameters that several tasks train.
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
            The network; where training is resumed it gets the weights of the last step.
        ema_decay : float or None
            Decay of the moving average; None for no average.
        n_before : int
            Number of epochs of earlier trainings.
        start_loss : float
            Validation loss of the weights that the module has.
        resume : Resume or None
            What the training before left to go on from.
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


class NetInTraining(Protocol):
    """A net as callbacks see it that decide on its weights."""

    run_: TrainingRun
    history: Any
    broken_tasks_: np.ndarray

    @property
    def evaluated(self) -> nn.Module:
        """The module that validation and prediction use."""

    def epoch_of(self, row: Any) -> dict[str, np.ndarray]:
        """Return the losses of an epoch by task, given its row of the history."""


class WeightKeeper(Callback):
    """A callback that decides which epoch's weights a net ends with.

    Both methods are hooks, by default nothing. A net calls `keep` at the end of each epoch before any
    callback's ``on_epoch_end``, since one of those may end the training.
    """

    def keep(self, net: NetInTraining) -> None:
        """Keep the weights of the epoch that is over, if they are better than those kept so far."""

    def fall_back(self, net: NetInTraining) -> None:
        """Let the net end with the weights of an earlier epoch, since the present ones are of no use."""


class BestEpoch(WeightKeeper):
    """Stops training when the watched loss no longer falls, and keeps the best epoch's weights.

    Watched is ``valid_loss``: the mean of the scale-free losses over the tasks of weight > 0. The balanced
    loss would not do, since its weights may change from epoch to epoch.

    Parameters
    ----------
    patience : int
        Epochs without a lower loss before training stops.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_train_begin(self, net: NetInTraining, **kwargs: Any) -> None:
        """Begin with the weights of an earlier training as the best so far, or with none."""
        # The loss on the rows that are held out now, which may be others than in the earlier training.
        self.lowest_ = net.run_.start_loss
        watched = [epoch.get("valid_loss") for epoch in net.history]
        self.best_epoch_ = len(watched)
        if (
            net.run_.resumes
            and None not in watched
            and isclose(self.lowest_, min(watched), rel_tol=SAME_LOSS)
        ):
            # Where training goes on as if it had never stopped, so does the count of epochs since the best.
            self.lowest_ = min(watched)
            self.best_epoch_ = 1 + watched.index(self.lowest_)
        net.run_.kept = net.run_.start_weights

    def keep(self, net: NetInTraining) -> None:
        """Compare this epoch with the best."""
        loss, epoch = net.history[-1, "valid_loss"], net.history[-1, "epoch"]
        if loss < self.lowest_:
            self.lowest_, self.best_epoch_ = loss, epoch
            net.run_.kept = snapshot(net.evaluated)

    def on_epoch_end(self, net: NetInTraining, **kwargs: Any) -> None:
        """Stop where the best epoch is too long ago."""
        if net.history[-1, "epoch"] - self.best_epoch_ >= self.patience:
            raise StopTraining


class FiniteLosses(WeightKeeper):
    """Finds losses that became nan or infinite, at the end of their epoch.

    In the first epoch that is an error. Later, training stops with a warning, and the weights of the last
    epoch with finite losses are kept.

    Parameters
    ----------
    names : list of str
        Names of the tasks.
    keeps : bool, default=True
        Whether to keep the weights of the last epoch with finite losses; `BestEpoch` has better ones.
    """

    def __init__(self, names: list[str], *, keeps: bool = True) -> None:
        self.names = names
        self.keeps = keeps

    def on_train_begin(self, net: NetInTraining, **kwargs: Any) -> None:
        """Forget the epochs of an earlier training."""
        self.last_: dict[str, Tensor] | None = None
        self.began_ = False

    def keep(self, net: NetInTraining) -> None:
        """Look for losses that are not finite; keep the weights if there are none."""
        self.broken_ = self._broken(net)
        if self.broken_ is None and self.keeps:
            self.last_ = snapshot(net.evaluated)

    def fall_back(self, net: NetInTraining) -> None:
        """Let the net end with the weights of the last epoch with finite losses, where they are kept."""
        if self.last_ is not None:
            net.run_.kept = self.last_

    def on_epoch_end(self, net: NetInTraining, **kwargs: Any) -> None:
        """Stop training if a loss is no longer finite."""
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

    def on_train_end(self, net: NetInTraining, **kwargs: Any) -> None:
        """Free the memory of the weights."""
        self.last_ = None

    def _broken(self, net: NetInTraining) -> str | None:
        """Return the tasks whose losses are not finite, in words; None where all are."""
        for key in ("train_loss", "valid_loss"):
            # The loss of a task without labels is nan, and rightly so: the watched losses leave it out.
            total = net.history[-1].get(key, 0.0)
            if np.isfinite(total):
                continue
            losses = net.epoch_of(net.history[-1])[key]
            bad = net.broken_tasks_ if len(net.broken_tasks_) else np.flatnonzero(~np.isfinite(losses))
            return ", ".join(f"task {shown(self.names[i])}" for i in bad[:5]) or "all tasks together"
        # No loss was computed with the weights of the last step, unless rows are held out.
        finite = "valid_loss" in net.history[-1] or all(map(_is_finite, net.evaluated.parameters()))
        return None if finite else "all tasks together (the weights are no longer finite)"


def _is_finite(values: Tensor) -> bool:
    # The sum takes a quarter of the time and is finite only if all are. Where it overflows, all are asked.
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def has_ended(net: NetInTraining, epochs: int, patience: int | None) -> bool:
    """Whether a net stopped before its last epoch, or would not train on if it were given more.

    Parameters
    ----------
    net : MultiTaskNet
        A trained net.
    epochs : int
        Number of epochs that it was given in all.
    patience : int or None
        Epochs without a lower loss after which training stops; None if it does not.
    """
    if len(net.history) < epochs:
        return True
    watched = [epoch.get("valid_loss") for epoch in net.history]
    if patience is None or None in watched:
        return False
    return not np.isfinite(watched[-1]) or len(watched) - 1 - watched.index(min(watched)) >= patience
