"""Weights that are drawn at each step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sklearn_mtl.balancing.weighted_sum import WeightedSum, softmax_weights
from sklearn_mtl.messages import shown

# A linear congruential generator modulo 2^64 (Knuth 1997, "The Art of Computer Programming", vol. 2,
# section 3.3.4). Its state is a buffer, so that networks in a stack draw what each would draw alone.
MULTIPLIER = 6364136223846793005
INCREMENT = 1442695040888963407
# The upper 24 bits, which are its best, are as many as a float32 tells apart.
LOWER_BITS = 40
# That many draws there are between -1 and 1: one is this far from the next.
STEP = 2.0 ** (LOWER_BITS - 63)
DISTRIBUTIONS = ("dirichlet", "normal")


class RLW(WeightedSum):
    """Weights that are drawn anew at each step, a check on all methods that are more elaborate.

    Random loss weighting (Lin et al. 2022, "Reasonable Effectiveness of Random Weighting: A Litmus Test for
    Multi-Task Learning"): a softmax of numbers from a standard normal distribution, or a draw from the flat
    Dirichlet distribution; here times the number of tasks that take part and times the user's weight, so that
    the mean over many steps is the user's weight. That is what ``history_`` has.

    Choose it for comparison: a method that is not better than it has learned nothing of the tasks.

    Parameters
    ----------
    distribution : {"normal", "dirichlet"}, default="normal"
        What weights are drawn from.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import RLW
    >>> balancer = RLW().fresh(3)
    >>> first, second = (balancer.weigh(torch.ones(3), torch.ones(3)) for _ in range(2))
    >>> round(first.sum().item(), 5), round(second.sum().item(), 5), bool((first == second).any())
    (3.0, 3.0, False)
    """

    state: Tensor

    def __init__(self, distribution: str = "normal") -> None:
        super().__init__()
        self.distribution = distribution

    def start(self, n_tasks: int) -> None:
        """Draw the state of a generator for each task, from torch's global one."""
        if not isinstance(self.distribution, str) or self.distribution not in DISTRIBUTIONS:
            raise ValueError(
                f"`distribution` of RLW must be one of {list(DISTRIBUTIONS)}. "
                f"Found {shown(self.distribution)}."
            )
        self.register_buffer("state", torch.randint(2**62, (n_tasks,)))

    def weigh(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the next weights of the losses."""
        self.state.mul_(MULTIPLIER).add_(INCREMENT)
        # Between -1 and 1, and neither.
        uniform = (self.state >> LOWER_BITS) * STEP + 0.5 * STEP
        if self.distribution == "normal":
            return softmax_weights(math.sqrt(2) * torch.erfinv(uniform), weights)
        # Shares of exponential variables are from the flat Dirichlet distribution.
        return softmax_weights((-(0.5 * uniform + 0.5).log()).log(), weights)

    def effective_weights(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the mean over many steps: the user's weights."""
        return weights
