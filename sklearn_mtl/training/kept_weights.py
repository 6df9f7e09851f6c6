"""Which weights a net ends with, those of an epoch or a mean of several, and when training stops."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf, isclose, isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_mtl.data import Table
from sklearn_mtl.messages import shown
from sklearn_mtl.network import GeneratorState
from sklearn_mtl.network.torch_private import move_each_towards
from sklearn_mtl.training.callbacks import StopTraining
from sklearn_mtl.training.net_in_training import LatestWeights, NetInTraining, State, WeightKeeper
from sklearn_mtl.training.steps import WeightAverage, are_finite, is_finite

# Relative difference by which rounding may tell a loss of a stacked network from that of the same one alone.
SAME_LOSS = 1e-5
# The best epoch was lucky on its held-out rows: a mean that is a little worse there is better elsewhere. By
# so much it is worse where the steps were too long.
MUCH_WORSE = 0.1


def snapshot(module: nn.Module) -> State:
    """Return a copy of the module's state."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


class WeightsOfNet(LatestWeights):
    """Those of a net that is trained alone.

    Parameters
    ----------
    module : nn.Module
        The module that would predict.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def are_finite(self) -> bool:
        """Whether there is neither nan nor infinity in them."""
        return are_finite([*self._module.parameters()])

    def take(self, then: Callable[[State], None]) -> None:
        """Give a function a copy of the module's state, at once."""
        then(snapshot(self._module))


@dataclass(eq=False)
class KeptWeights:
    """The weights of the best epoch, and their mean with those of the epochs after it.

    What the weights of epochs scatter around is better than any of them, and their mean is nearer to it:
    Izmailov et al. (2018), "Averaging Weights Leads to Wider Optima and Better Generalization".

    Parameters
    ----------
    best : dict of str to tensor
        State of the module at the end of the best epoch.
    epoch : int, default=0
        Number of the best epoch.
    loss : float, default=inf
        Its loss on held-out rows.
    mean : dict of str to tensor, optional
        The mean state of the best epoch and those after it, None before there is a second one.
    n_epochs : int, default=1
        Number of epochs in the mean.
    loss_of_mean : float, default=inf
        Loss of the mean on held-out rows, once it is known.
    """

    best: dict[str, Tensor]
    epoch: int = 0
    loss: float = inf
    mean: dict[str, Tensor] | None = None
    n_epochs: int = 1
    loss_of_mean: float = inf

    @property
    def predicting(self) -> tuple[dict[str, Tensor], float]:
        """The state that a net ends with, and its loss: the mean, unless training went astray."""
        if self.mean is None or not self.loss_of_mean <= self.loss + MUCH_WORSE * abs(self.loss):
            return self.best, self.loss
        return self.mean, self.loss_of_mean

    @torch.no_grad()
    def add(self, module: nn.Module) -> None:
        """Let the weights that a module has now into the mean.

        Buffers stay those of the best epoch: some count, and some are infinite, as the outermost bin edges.
        """
        now = dict(module.named_parameters(remove_duplicate=False))
        if self.mean is None:
            floats = [n for n in now if self.best[n].is_floating_point()]
            # One answer for all, as nearly always all are.
            every = are_finite([self.best[n] for n in floats]) if floats else True
            finite = {n for n in floats if every or is_finite(self.best[n])}
            self.mean = {n: value.clone() if n in finite else value for n, value in self.best.items()}
        names = [name for name, value in self.mean.items() if value is not self.best[name]]
        means, latest = [self.mean[name] for name in names], [now[name].detach() for name in names]
        move_each_towards(means, latest, 1 / (self.n_epochs + 1))
        self.n_epochs += 1

    def copy(self) -> KeptWeights:
        """Return a copy whose mean moves on without moving this one."""
        mean = self.mean and {n: v if v is self.best[n] else v.clone() for n, v in self.mean.items()}
        return replace(self, mean=mean)

    def on_its_own(self) -> KeptWeights:
        """Return a copy whose tensors are no parts of those of a stack, which would stay in memory."""
        best = {name: value.clone() for name, value in self.best.items()}
        mean = self.mean and {n: best[n] if v is self.best[n] else v for n, v in self.mean.items()}
        return replace(self, best=best, mean=mean)

    def from_now(self, epoch: int) -> KeptWeights:
        """Return the state that a net ended with as that of the best of the epochs so far."""
        state, loss = self.predicting
        return KeptWeights(state, epoch, loss)


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
    kept : KeptWeights or None
        What the net ended with; None for the weights after the last step, or their moving average.
    """

    weights: dict[str, Tensor]
    average: WeightAverage | None
    generator: GeneratorState
    kept: KeptWeights | None


@dataclass
class TrainingRun:
    """The state of a net from the beginning of a training to its end.

    Parameters
    ----------
    n_before, n_over : int
        Number of epochs of earlier trainings, and of all epochs that are over.
    start : KeptWeights, optional
        What the net predicted with before this training, the best so far; None for a new net.
    average : WeightAverage, optional
        The moving average of the weights, which validation and prediction use.
    shared : list of tensor
        Shared parameters whose gradients the balancer looks at, or the representation of the last step.
    kept : KeptWeights, optional
        Weights that the net will end with; those of the last epoch by default.
    latest : LatestWeights, optional
        The weights at the end of an epoch, in a stack; None for a net alone.
    """

    n_before: int = 0
    n_over: int = 0
    start: KeptWeights | None = None
    average: WeightAverage | None = None
    shared: list[Tensor] = field(default_factory=list)
    kept: KeptWeights | None = None
    latest: LatestWeights | None = None

    @classmethod
    def begin(cls, net: NetInTraining, valid: Table | None) -> TrainingRun:
        """Return the run of a net that begins its training, or goes on with it from its last step.

        Parameters
        ----------
        net : MultiTaskNet
            The net.
        valid : Table or None
            Held-out rows.
        """
        module, n_before, resume = net.network, len(net.history), net.resume_
        run = cls(n_before, n_before)
        if n_before:
            loss = inf if valid is None else net.loss_on(valid)
            run.start = KeptWeights(snapshot(module), n_before, loss)
            kept = None if resume is None else resume.kept
            # On other rows the loss is another, and what the epochs before came to is of no account there.
            if kept is not None and isclose(loss, kept.predicting[1], rel_tol=SAME_LOSS):
                run.start = kept.copy()
        if net.ema_decay is not None:
            run.average = WeightAverage(module, net.ema_decay)
        if resume is not None:
            if run.average is not None and resume.average is not None:
                run.average.take_over(resume.average)
            module.load_state_dict(resume.weights)
        return run

    def end(self, net: NetInTraining, valid: Table | None) -> Resume:
        """Put what is kept, or else the averaged weights, into a net; return what it takes to train on.

        Parameters
        ----------
        net : MultiTaskNet
            The net.
        valid : Table or None
            Held-out rows.
        """
        module, kept = net.network, self.kept
        resume = Resume(snapshot(module), self.average, GeneratorState.now(torch.device(net.device)), kept)
        if kept is not None:
            # From here on it is the module that is evaluated.
            self.average = None
            if kept.mean is not None and valid is not None:
                module.load_state_dict(kept.mean)
                kept.loss_of_mean = net.loss_on(valid)
            module.load_state_dict(kept.predicting[0])
        elif self.average is not None:
            module.load_state_dict(self.average.module.state_dict())
        return resume


def latest_weights(net: NetInTraining) -> LatestWeights:
    """Return the weights that a net would predict with now."""
    return net.run_.latest or WeightsOfNet(net.evaluated)


class BestEpoch(WeightKeeper):
    """Stops training when the watched loss no longer falls, and averages the weights from the best epoch on.

    Watched is ``valid_loss``: the mean of the scale-free losses over the tasks of weight > 0. The balanced
    loss would not do, since its weights may change from epoch to epoch. Kept is the mean of the weights at
    the end of the best epoch and of every epoch after it until training stops. Nothing counts before the
    balancer trains all of these tasks.

    Parameters
    ----------
    patience : int
        Epochs without a lower loss before training stops.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_train_begin(self, net: NetInTraining, **kwargs: Any) -> None:
        """Begin with the weights of an earlier training as the best so far, or with none."""
        net.run_.kept = net.run_.start

    def keep(self, net: NetInTraining) -> None:
        """Keep the weights of the best epoch, and let those of a later one into the mean."""
        kept = net.run_.kept
        epoch, loss, train_loss = net.history[-1, ("epoch", "valid_loss", "train_loss")]
        if not (isfinite(loss) and isfinite(train_loss)):
            return
        # What was kept before all tasks were trained gives way.
        if kept is None or kept.epoch <= net.epochs_to_wait or loss < kept.loss:
            latest_weights(net).take(lambda state: setattr(net.run_, "kept", KeptWeights(state, epoch, loss)))
        else:
            kept.add(net.evaluated)

    def on_epoch_end(self, net: NetInTraining, **kwargs: Any) -> None:
        """Stop where the best epoch is too long ago."""
        best = net.run_.n_before if net.run_.kept is None else net.run_.kept.epoch
        if net.history[-1, "epoch"] - best >= self.patience:
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
            latest_weights(net).take(lambda state: setattr(self, "last_", state))

    def fall_back(self, net: NetInTraining) -> None:
        """Let the net end with the weights of the last epoch with finite losses, where they are kept."""
        if self.last_ is not None:
            net.run_.kept = KeptWeights(self.last_)

    def on_epoch_end(self, net: NetInTraining, **kwargs: Any) -> None:
        """Stop training if a loss is no longer finite."""
        broken = self.broken_
        if broken is None:
            self.began_ = True
            return
        advice = "try a smaller `lr`, `gradient_clip=1.0`, or look for extreme values in X and y"
        if not self.began_:
            raise ValueError(f"The loss of {broken} became nan or infinite in the first epoch; {advice}.")
        self.fall_back(net)
        warnings.warn(
            f"The loss of {broken} became nan or infinite in epoch {net.history[-1, 'epoch']}; the weights "
            f"of the last finite epoch are kept. To mend it, {advice}.",
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
        finite = "valid_loss" in net.history[-1] or latest_weights(net).are_finite()
        return None if finite else "all tasks together (the weights are no longer finite)"
