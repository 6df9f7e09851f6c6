"""The geometric mean of the losses."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_mtl.balancing.weighted_sum import WeightedSum

# The loss of a task that is learned to the last digit; its weight is then finite.
SMALLEST_LOSS = 1e-8


class GLS(WeightedSum):
    """The geometric mean of the losses, by which all fall in proportion, whatever their size.

    The geometric loss strategy (Chennupati et al. 2019, "MultiNet++"): (Π L_t)^{1/n}. Its gradient weighs the
    loss L_t by G / (n L_t), where G is the geometric mean; here by w_t G / L_t, with the user's weight w_t
    and times the number n of tasks, so that equal losses have a mean weight of 1. A task without a label in
    the batch is not in the mean.

    Choose it where no loss may be neglected for being small. A task that is nearly learned counts ever more.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import GLS
    >>> GLS().fresh(2).weigh(torch.tensor([1.0, 0.25]), torch.ones(2))
    tensor([0.5000, 2.0000])
    """

    def weigh(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the weights of the losses, in inverse proportion to them."""
        taking_part = weights > 0
        # Losses that are likelihoods may be negative, and have no geometric mean.
        logs = torch.where(taking_part, losses.clamp_min(SMALLEST_LOSS).log(), 0.0)
        mean = logs.sum(-1) / taking_part.sum(-1).clamp_min(1)
        return weights * torch.exp(mean - logs)
