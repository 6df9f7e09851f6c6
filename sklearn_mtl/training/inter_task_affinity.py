"""How a step on one task's gradient changes the losses of the others, measured while a net is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor

from sklearn_mtl.balancing.task_gradients import task_gradients
from sklearn_mtl.data import Batch
from sklearn_mtl.network import GeneratorState
from sklearn_mtl.training.losses_again import losses_again


class InterTaskAffinity(Callback):
    """Measures the affinities of the tasks at some steps of a training, which goes on as without it.

    Parameters
    ----------
    every : int
        Number of steps of which the first is looked at.

    Attributes
    ----------
    found_ : list of (int, tensor of shape (n_tasks, n_tasks))
        For each step that was looked at its epoch, and the affinities as `look_ahead` returns them.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.found_: list[tuple[int, Tensor]] = []
        self.step_ = 0

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Raise a ``ValueError`` where no parameter is trained by several tasks."""
        if not any(one.requires_grad for one in net.network.sharing.shared_parameters()):
            raise ValueError(
                "`estimator` must have parameters that several tasks train, for steps in them to be "
                "compared. "
                f"Found none in its {type(net.network.sharing).__name__}."
            )

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        """Measure the affinities before a step of training, if it is due."""
        if not training:
            return
        if self.step_ % self.every == 0:
            self.found_.append((net.history[-1, "epoch"], look_ahead(net, batch)))
        self.step_ += 1

    def mean(self, last_epoch: float) -> np.ndarray:
        """Return the mean over the steps of some epochs, (n_tasks, n_tasks); nan for pairs that were in none.

        Parameters
        ----------
        last_epoch : float
            The number of the last epoch that counts.
        """
        counted = [affinity for epoch, affinity in self.found_ if epoch <= last_epoch]
        found: np.ndarray = torch.stack(counted).nanmean(0).double().cpu().numpy()
        return found


def look_ahead(net: Any, batch: Batch) -> Tensor:
    """Return how much the loss of each task would fall after a step on each task's gradient.

    It is the inter-task affinity of Fifty et al. (2021), equation 1: one minus the loss of task j after a
    gradient step of task i in the shared parameters, over its loss before; where that is negative, as it may
    be of a Gaussian likelihood, the fall is divided by its absolute value. The step has the learning rate of
    the net, and dropout masks are the same before and after it.

    Parameters
    ----------
    net : MultiTaskNet
        About to make a step, after which it is what it would have been.
    batch : Batch
        The rows of the step.

    Returns
    -------
    tensor of shape (n_tasks, n_tasks)
        Row i, column j: the share by which a step of task i lowers the loss of task j. It is nan where one of
        them has no label in the batch, or the loss before is 0.
    """
    shared = [one for one in net.network.sharing.shared_parameters() if one.requires_grad]
    again = losses_again(net, batch)
    gradients, mass = _gradients(net, batch, shared)
    before = again()
    found = before.new_full((len(before), len(before)), torch.nan)
    kept = [one.detach().clone() for one in shared]
    rate = net.optimizer_.param_groups[0]["lr"]
    for task in torch.nonzero(mass > 0).flatten().tolist():
        with torch.no_grad():
            for one, was, gradient in zip(shared, kept, gradients, strict=True):
                one.copy_(was - rate * gradient[task])
        # A likelihood of numbers may be above 1, and its loss below 0: a fall is one of it there too.
        found[task] = (before - again()) / before.abs()
    with torch.no_grad():
        for one, was in zip(shared, kept, strict=True):
            one.copy_(was)
    found[:, mass <= 0] = torch.nan
    # Of a loss of 0 no share can fall.
    return torch.where(found.isfinite(), found, torch.nan)


def _gradients(net: Any, batch: Batch, shared: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Return the gradient of each task in each shared parameter, and the weight of each task's labels.

    Neither the generators nor the buffers of the module are changed.
    """
    device = torch.device(net.device)
    buffers = {name: value.clone() for name, value in net.network.named_buffers()}
    with GeneratorState.now(device).restored(device), torch.enable_grad():
        raw, _ = net.training_outputs(batch.copied())
        losses = net.criterion_.losses(batch.for_labels(raw), batch.y, batch.weight)
        gradients = task_gradients(losses, shared)
    with torch.no_grad():
        for name, value in buffers.items():
            net.network.get_buffer(name).copy_(value)
    return gradients, losses.mass
