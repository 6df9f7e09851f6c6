"""Weights by how well each task does."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_mtl.balancing.parameters import number_of
from sklearn_mtl.balancing.weighted_sum import WeightedSum

# The performance of a task that is no better than a constant, or without error: its weight is then finite.
WORST, BEST = 0.01, 1.0


class DTP(WeightedSum):
    """Difficult tasks first: a loss counts more, the worse its task does.

    Dynamic task prioritization (Guo et al. 2018, "Dynamic Task Prioritization for Multitask Learning"): the
    weight of task t is that of a focal loss, -(1 - κ_t)^γ log κ_t, times the user's weight. κ_t is a moving
    average, by epoch, of how well the task does, from 0 to 1. The paper leaves the measure to the user; here
    it is 1 - L_t at the epoch's mean training loss, the share that is explained: R² of a regression, and at
    least 0.01. The weights are the paper's own, and do not add up to anything: all fall as tasks are learned.
    In the first epoch, where nothing is known, they are the user's.

    Choose it where easy tasks are learned at the cost of difficult ones. It leaves tasks that go well, and
    stays with tasks that can't be learned.

    Parameters
    ----------
    gamma : float, default=1.0
        γ: the larger it is, the less count tasks that go well.
    alpha : float, default=0.5
        α: the share of the last epoch in the moving average, above 0 and at most 1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import DTP
    >>> balancer = DTP().fresh(2)
    >>> balancer.end_epoch(torch.tensor([0.9, 0.2]))
    >>> balancer.weigh(torch.ones(2), torch.ones(2))
    tensor([2.0723, 0.0446])
    """

    performance: Tensor
    priority: Tensor

    def __init__(self, gamma: float = 1.0, alpha: float = 0.5) -> None:
        super().__init__()
        self.gamma = gamma
        self.alpha = alpha

    def start(self, n_tasks: int) -> None:
        """Start from equal priorities."""
        number_of(self, "gamma")
        number_of(self, "alpha", above=True, most=1.0)
        self.register_buffer("performance", torch.full((n_tasks,), torch.nan))
        self.register_buffer("priority", torch.ones(n_tasks))

    def end_epoch(self, losses: Tensor) -> None:
        """Take note of how well each task does; one without a label in the epoch stays as it is."""
        now = (1 - losses).clamp(WORST, BEST)
        before = torch.where(self.performance.isnan(), now, self.performance)
        average = torch.where(now.isnan(), self.performance, torch.lerp(before, now, float(self.alpha)))
        self.performance.copy_(average)
        priority = -((1 - average) ** self.gamma) * average.log()
        self.priority.copy_(torch.where(average.isnan(), self.priority, priority))

    def weigh(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the priorities of the tasks times the user's weights."""
        return weights * self.priority
