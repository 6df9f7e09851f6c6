"""The loss of a network: those of all tasks, and what makes one update of them."""

from __future__ import annotations

from torch import Tensor, nn

from sklearn_mtl.balancing import Balancer
from sklearn_mtl.tasks import TaskLosses


class BalancedLoss(nn.Module):
    """The losses of all tasks, and the balancer that makes one update of them.

    Parameters
    ----------
    losses : TaskLosses
        Scale-free losses of the tasks.
    balancer : Balancer
        Its learned parameters are trained with the network.
    weights : tensor of shape (n_tasks,)
        The user's task weights.
    """

    weights: Tensor

    def __init__(self, losses: TaskLosses, balancer: Balancer, weights: Tensor) -> None:
        super().__init__()
        self.losses = losses
        self.balancer = balancer
        self.register_buffer("weights", weights)
