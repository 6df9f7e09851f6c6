"""When training ends, and whose weights are kept."""

from __future__ import annotations

import warnings
from math import isclose
from typing import Any

import numpy as np
from torch import Tensor

from sklearn_mtl.training.averaging import snapshot
from sklearn_mtl.training.ending import EpochKeeper, StopTraining
from sklearn_mtl.training.net import MultiTaskNet

# What rounding may make of a loss: of a stack of networks and of one by itself.
SAME_LOSS = 1e-5


class BestEpoch(EpochKeeper):
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

    def on_train_begin(self, net: MultiTaskNet, **kwargs: Any) -> None:
        """Begin with the weights of an earlier training as the best so far, or with none."""
        # On the rows held out now: they need not be those of before.
        self.lowest_ = net.start_loss_
        watched = [epoch.get("valid_loss") for epoch in net.history]
        self.best_epoch_ = len(watched)
        if (
            net.resumed_ is not None
            and None not in watched
            and isclose(self.lowest_, min(watched), rel_tol=SAME_LOSS)
        ):
            # Where training goes on as if it had never stopped, so does the count of epochs in vain.
            self.lowest_ = min(watched)
            self.best_epoch_ = 1 + watched.index(self.lowest_)
        net.kept_ = net.started_from_

    def keep(self, net: MultiTaskNet) -> None:
        """Compare this epoch with the best."""
        loss, epoch = net.history[-1, "valid_loss"], net.history[-1, "epoch"]
        if loss < self.lowest_:
            self.lowest_, self.best_epoch_ = loss, epoch
            net.kept_ = snapshot(net.evaluated)

    def on_epoch_end(self, net: MultiTaskNet, **kwargs: Any) -> None:
        """Stop where the best epoch is too long ago."""
        if net.history[-1, "epoch"] - self.best_epoch_ >= self.patience:
            raise StopTraining


class FiniteLosses(EpochKeeper):
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

    def on_train_begin(self, net: MultiTaskNet, **kwargs: Any) -> None:
        """Forget the epochs of an earlier training."""
        self.last_: dict[str, Tensor] | None = None
        self.began_ = False

    def keep(self, net: MultiTaskNet) -> None:
        """Look at the losses of this epoch."""
        self.broken_ = self._broken(net)
        if self.broken_ is None and self.keeps:
            self.last_ = snapshot(net.evaluated)

    def fall_back(self, net: MultiTaskNet) -> None:
        """Let the net end with the last finite epoch's weights, where no better epoch's are kept."""
        if self.last_ is not None:
            net.kept_ = self.last_

    def on_epoch_end(self, net: MultiTaskNet, **kwargs: Any) -> None:
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

    def on_train_end(self, net: MultiTaskNet, **kwargs: Any) -> None:
        """Forget the weights."""
        self.last_ = None

    def _broken(self, net: MultiTaskNet) -> str | None:
        """Say what is not finite; None where all is well."""
        losses = net.epochs_[-1]
        for key in ("train_loss", "valid_loss"):
            # A task without labels has a loss of nan and that is well: the totals leave it out.
            total = net.history[-1].get(key, 0.0)
            if np.isfinite(total):
                continue
            bad = net.first_broken_ if len(net.first_broken_) else np.flatnonzero(~np.isfinite(losses[key]))
            return ", ".join(f"task {self.names[i]!r}" for i in bad[:5]) or "all tasks together"
        # After the last step no loss was computed, but on held-out rows.
        finite = "valid_loss" in net.history[-1] or all(map(_is_finite, net.evaluated.parameters()))
        return None if finite else "all tasks together (the weights are no longer finite)"


def _is_finite(values: Tensor) -> bool:
    # A sum takes a quarter of the time. It is finite only if all are; where it overflows they are looked at.
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def has_ended(net: MultiTaskNet, epochs: int, patience: int | None) -> bool:
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
