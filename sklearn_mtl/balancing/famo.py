"""Weights by which all losses fall at one pace."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sklearn_mtl.balancing.parameters import number_of
from sklearn_mtl.balancing.weighted_sum import WeightedSum, softmax_weights

# That of the authors' code: losses of 0 have a logarithm.
SMALLEST_LOSS = 1e-8
# Adam's, as torch has them.
BETAS = (0.9, 0.999)
EPSILON = 1e-8


class FAMO(WeightedSum):
    """Weights are learned from what each step has made of the losses, so that all fall at one pace.

    Fast adaptive multitask optimization (Liu et al. 2023, "FAMO: Fast Adaptive Multitask Optimization"): the
    loss L_t weighs z_t / L_t by the sum of these over the tasks, where z is a softmax of learned logits.
    After each step the logits move, by Adam, so that tasks count more whose logarithmic loss fell less than
    others'; here the weight is times the number of tasks that take part and times the user's weight, and the
    logits of tasks without a label in the batch stay as they are.

    The losses of a step are computed once more after it: a forward pass more, with which a step takes up to
    twice as long.

    Choose it where some tasks are learned long before others, and none may be left behind.

    Parameters
    ----------
    lr : float, default=0.025
        Learning rate of the logits. The default is the paper's.
    decay : float, default=0.001
        Weight decay of the logits, γ in the paper, which draws weights together. The default is that of most
        of the authors' experiments.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import FAMO
    >>> balancer = FAMO().fresh(2)
    >>> balancer.weigh(torch.tensor([1.0, 0.25]), torch.ones(2))
    tensor([0.4000, 1.6000])
    >>> balancer.after_step(lambda: torch.tensor([1.0, 0.2]))
    >>> balancer.weigh(torch.tensor([1.0, 0.25]), torch.ones(2))
    tensor([0.4162, 1.5838])
    """

    logits: Tensor
    first: Tensor
    second: Tensor
    steps: Tensor
    before: Tensor
    counted: Tensor

    def __init__(self, lr: float = 0.025, decay: float = 0.001) -> None:
        super().__init__()
        self.lr = lr
        self.decay = decay

    def start(self, n_tasks: int) -> None:
        """Start from equal logits."""
        number_of(self, "lr", above=True)
        number_of(self, "decay")
        for name in ("logits", "first", "second", "steps", "before"):
            self.register_buffer(name, torch.zeros(n_tasks))
        self.register_buffer("counted", torch.zeros(n_tasks, dtype=torch.bool))

    def weigh(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the weights of the losses, by the logits and in inverse proportion to the losses."""
        logs = _logs(losses)
        self.before.copy_(logs)
        self.counted.copy_(weights > 0)
        return softmax_weights(self.logits - logs, weights)

    def after_step(self, losses: Callable[[], Tensor]) -> None:
        """Move the logits by a step of Adam, by how much the logarithm of each loss fell."""
        counted, ones = self.counted, torch.ones_like(self.logits)
        shares = softmax_weights(self.logits, torch.where(counted, ones, 0.0))
        shares = shares / counted.sum(-1).clamp_min(1)
        fallen = torch.where(counted, self.before - _logs(losses()), 0.0)
        gradient = shares * (fallen - shares @ fallen) + self.decay * self.logits
        steps = self.steps + 1
        first = torch.lerp(gradient, self.first, BETAS[0])
        second = torch.lerp(gradient.square(), self.second, BETAS[1])
        unbiased = (second / (1 - BETAS[1] ** steps)).sqrt() + EPSILON
        logits = self.logits - self.lr * first / (1 - BETAS[0] ** steps) / unbiased
        # Tasks that took no part stay as they were.
        found = {"logits": logits, "first": first, "second": second, "steps": steps}
        for name, value in found.items():
            setattr(self, name, torch.where(counted, value, getattr(self, name)))


def _logs(losses: Tensor) -> Tensor:
    # Losses that are likelihoods may be negative.
    return (losses.clamp_min(0.0) + SMALLEST_LOSS).log()
