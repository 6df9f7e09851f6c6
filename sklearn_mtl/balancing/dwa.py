"""Weights by how slowly the losses fall."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_mtl.balancing.parameters import number_of
from sklearn_mtl.balancing.weighted_sum import WeightedSum, softmax_weights

# Two losses of 0 have the ratio 1.
SMALLEST_LOSS = 1e-8


class DWA(WeightedSum):
    """A loss counts more, the less it fell from the last epoch but one to the last.

    Dynamic weight average (Liu, Johns & Davison 2019, "End-to-End Multi-Task Learning with Attention"): the
    weight of task t is n e^{r_t / T} / Σ_k e^{r_k / T}, where r_t is the ratio of its mean losses in the last
    two epochs, times the user's weight. It is 1 in the first two epochs. In a batch where some tasks have no
    label, sum and number n are those of the others; a task without a label in an epoch keeps its ratio.

    Choose it where tasks are learned at different paces. Ratios soon are near 1, and weights with them.

    Parameters
    ----------
    temperature : float, default=2.0
        T: the larger it is, the more alike are the weights. The default is the paper's.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import DWA
    >>> balancer = DWA().fresh(2)
    >>> balancer.end_epoch(torch.tensor([1.0, 1.0]))
    >>> balancer.end_epoch(torch.tensor([0.2, 0.8]))
    >>> balancer.weigh(torch.ones(2), torch.ones(2))
    tensor([0.8511, 1.1489])
    """

    last: Tensor
    ratio: Tensor

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__()
        self.temperature = temperature

    def start(self, n_tasks: int) -> None:
        """Start without a last loss."""
        number_of(self, "temperature", above=True)
        self.register_buffer("last", torch.full((n_tasks,), torch.nan))
        self.register_buffer("ratio", torch.ones(n_tasks))

    def end_epoch(self, losses: Tensor) -> None:
        """Take note of the ratio of the losses to those of the epoch before."""
        ratio = (losses + SMALLEST_LOSS) / (self.last + SMALLEST_LOSS)
        self.ratio.copy_(torch.where(ratio.isfinite(), ratio, self.ratio))
        self.last.copy_(torch.where(losses.isfinite(), losses, self.last))

    def weigh(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the weights of the losses, by the ratios of the last two epochs."""
        return softmax_weights(self.ratio / self.temperature, weights)
