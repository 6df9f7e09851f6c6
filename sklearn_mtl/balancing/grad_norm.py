"""GradNorm."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing.loss_weights import LossWeights, mean_one, some_shared
from sklearn_mtl.balancing.parameters import number_of
from sklearn_mtl.sharing import SharingModule

# Below 0 a weight would turn its task against itself, and the norm of the gradient would draw it further.
SMALLEST_WEIGHT = 1e-3
# A loss may begin at 0, and a log-likelihood below it.
SMALLEST_LOSS = 1e-8


class GradNorm(LossWeights):
    r"""Learned weights that let all tasks train at one pace, by the norms of their gradients.

    Chen, Badrinarayanan, Lee & Rabinovich (2018), algorithm 1. The norm of the gradient of a weighted loss in
    the last layer W that tasks share, :math:`G_t = \|\nabla_W w_t L_t\|`, is drawn to the mean norm
    :math:`\bar G` times a power of how slowly the task has trained:

    .. math::

        L_\mathrm{grad} = \sum_t \left| G_t - \bar G\, r_t^\alpha \right|, \qquad
        r_t = \tilde L_t / \bar{\tilde L}, \qquad \tilde L_t = L_t / L_t(0)

    with bars for means over tasks, and the targets held constant. The weights follow the gradient of
    :math:`L_\mathrm{grad}` by a learning rate of their own, and are then scaled to the number of tasks.

    Choose it where some tasks learn much faster than others, and stop the others from learning. A step costs
    a backward pass through the heads and one layer more for each task.

    Parameters
    ----------
    alpha : float, default=1.5
        How much more the gradient of a task that trains slowly is to count; 0 makes all norms equal.
    lr : float, default=0.025
        Learning rate of the weights, for the optimizer of the network. As the network's, it falls by the
        ``lr_schedule``.

    Notes
    -----
    The last shared layer is `SharingModule.last_shared_layer`. Where nothing is shared there is nothing to
    balance, which is a ``ValueError``.

    :math:`L_t(0)` is the loss in the first batch with a label of the task. The user's task weights do not
    take part in the norms: they multiply the learned weights. Of a batch without a label of some task, the
    learned weights of the others have the mean 1. No weight falls below 0.001: one below 0 would be drawn
    away from 0. A loss that can fall below 0, as a Gaussian log-likelihood, counts as 0 there.

    References
    ----------
    .. [1] Chen, Badrinarayanan, Lee & Rabinovich (2018), "GradNorm: Gradient Normalization for Adaptive Loss
       Balancing in Deep Multitask Networks" (ICML).

    Examples
    --------
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.balancing import GradNorm
    >>> from sklearn_mtl.datasets import make_multitask
    >>> X, Y = make_multitask(n_samples=100, n_regression=2, random_state=0)
    >>> est = MultiTaskRegressor(balancing=GradNorm(alpha=1.0), n_bags=1, max_epochs=3, random_state=0)
    >>> weights = est.fit(X, Y).history_[["weight_regression0", "weight_regression1"]]
    >>> bool((abs(weights.sum(axis=1) - 2) < 1e-5).all())
    True
    """

    first: Tensor

    def __init__(self, alpha: float = 1.5, lr: float = 0.025) -> None:
        super().__init__()
        self.alpha = alpha
        self.lr = lr

    def start(self, n_tasks: int) -> None:
        """Make a weight of 1 for each task, and room for the first losses.

        Raises
        ------
        ValueError
            If a parameter is not what it has to be.
        """
        number_of(self, "alpha")
        number_of(self, "lr", above=True)
        self.weight = nn.Parameter(torch.ones(n_tasks))
        # nan before a task is seen for the first time.
        self.register_buffer("first", torch.full((n_tasks,), torch.nan))

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the weights, with their learning rate."""
        return [{"params": [self.weight], "lr": float(self.lr), "weight_decay": 0.0}]

    def looks_at(self, sharing: SharingModule) -> list[nn.Parameter]:
        """Return the parameters of the last layer that tasks share; a ``ValueError``, if there is none."""
        return some_shared(self, sharing.last_shared_layer(), sharing)

    @torch.no_grad()
    def forward(self, gradients: Tensor, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the weights, and put on them the gradient by which they are moved after that."""
        takes_part = weights > 0
        # What the optimizer has made of them in the step before is scaled here, before they are used.
        scaled = self.weight.clamp_min(SMALLEST_WEIGHT)
        self.weight.copy_(scaled * (len(scaled) / scaled.sum()))
        used = mean_one(self.weight, takes_part)
        self.first.copy_(torch.where(self.first.isnan() & takes_part, losses, self.first))
        norms = gradients.norm(dim=1)
        far = used * norms - self._targets(used * norms, losses, takes_part)
        # A task that takes no part has no norm, and is not moved.
        self.weight.grad = far.sign() * norms * takes_part
        return weights * used

    def effective_weights(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the learned weights times the user's."""
        return weights * mean_one(self.weight.detach().clamp_min(SMALLEST_WEIGHT), weights > 0)

    def _targets(self, norms: Tensor, losses: Tensor, takes_part: Tensor) -> Tensor:
        """Return what the norms of the weighted gradients are to be."""
        # A loss of 0 in the first batch would make all that comes after infinite.
        left = losses.clamp_min(0) / self.first.nan_to_num(1.0).clamp_min(SMALLEST_LOSS)
        pace = mean_one(left, takes_part)
        return norms.sum() / takes_part.sum().clamp_min(1) * pace**self.alpha
