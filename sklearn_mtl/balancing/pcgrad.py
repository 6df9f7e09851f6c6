"""Projecting conflicting gradients."""

from __future__ import annotations

from torch import Tensor

from sklearn_mtl.balancing.gramian_balancer import GramianBalancer
from sklearn_mtl.balancing.torchjd_aggregation import torchjd


class PCGrad(GramianBalancer):
    """Each task's gradient without its part against those of the others: gradient surgery.

    For each task, the others are gone through in random order. Where the gradient, as it is by then, has a
    negative inner product with that of another, its projection onto that one is taken away (Yu et al. 2020,
    "Gradient Surgery for Multi-Task Learning", algorithm 1). The sum of what is left is followed, so that
    without conflict it is the plain sum. To choose where a few tasks pull against each other; of three or
    more the sum may still be in conflict with one. TorchJD computes it.

    Parameters
    ----------
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import PCGrad
    >>> gradients = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    >>> PCGrad().fresh(2)(gradients, torch.ones(2), torch.ones(2))
    tensor([0.5000, 1.5000])
    """

    def start(self, n_tasks: int) -> None:
        """Make TorchJD's weighting, which draws from torch's global generator."""
        super().start(n_tasks)
        self.weighting = torchjd().PCGradWeighting()

    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return the sums of the shares that each gradient has in the projected ones."""
        found: Tensor = self.weighting(gramian)
        return found
