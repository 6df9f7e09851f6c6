"""Gradient sign dropout."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_mtl.balancing.gradient_method import GradientMethod
from sklearn_mtl.balancing.parameters import number_of
from sklearn_mtl.balancing.torchjd_aggregation import torchjd


class GradDrop(GradientMethod):
    """The sum of the gradients in which every number is of one sign, drawn at random.

    For each number of the gradient a sign is drawn, the positive one with the probability that is its share
    of the sizes of the tasks' numbers, and the numbers of the other sign are dropped (Chen et al. 2020, "Just
    Pick a Sign: Optimizing Deep Multitask Models with Gradient Sign Dropout", algorithm 1, lines 10 to 15).
    Task weights multiply the gradients before. To choose as a random counterpart of the projections. TorchJD
    computes it.

    Parameters
    ----------
    leak : float, default=0.0
        Share of a dropped number that is kept, from 0 to 1.
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says. The paper does so in the representation.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import GradDrop
    >>> gradients = torch.tensor([[1.0, 0.0], [2.0, 3.0]])
    >>> GradDrop().fresh(2)(gradients, torch.ones(2), torch.ones(2))
    tensor([3., 3.])
    """

    def __init__(self, leak: float = 0.0, *, at: str = "parameters") -> None:
        super().__init__(at=at)
        self.leak = leak

    def start(self, n_tasks: int) -> None:
        """Make TorchJD's aggregator, which draws from torch's global generator.

        Raises
        ------
        ValueError
            If a parameter is none of those it may be.
        """
        super().start(n_tasks)
        self.aggregator = torchjd().GradDrop(leak=torch.full((n_tasks,), number_of(self, "leak", most=1)))

    def forward(self, gradients: Tensor, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the sum of what is kept; a task that takes no part has numbers of no size."""
        self.aggregator.leak = self.aggregator.leak.to(gradients)
        kept: Tensor = self.aggregator(gradients * weights.unsqueeze(1))
        # Where no task has a size, there is no share of it.
        return torch.where((gradients == 0).all(0), 0.0, kept)
