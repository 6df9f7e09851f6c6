"""Impartial multi-task learning, its part on gradients."""

from __future__ import annotations

from torch import Tensor

from sklearn_mtl.balancing.gramian_balancer import GramianBalancer
from sklearn_mtl.balancing.torchjd_aggregation import torchjd


class IMTLG(GramianBalancer):
    """The weighted sum of the gradients whose projections onto all of them are equally long.

    The weights sum to 1 and may be negative (Liu et al. 2021, "Towards Impartial Multi-task Learning",
    IMTL-G; for gradients that depend on each other as Quinton & Rey 2024 generalise it), and are multiplied
    by the number of tasks, so that the learning rate means what it does for static weights. Short gradients
    get large weights. To choose where tasks' gradients differ in length by much and each is to count alike.
    TorchJD computes it.

    Parameters
    ----------
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says. The paper does so in the representation.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import IMTLG
    >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    >>> IMTLG().fresh(2)(gradients, torch.ones(2), torch.ones(2))
    tensor([1.5000, 1.5000])
    """

    def start(self, n_tasks: int) -> None:
        """Make TorchJD's weighting."""
        super().start(n_tasks)
        self.weighting = torchjd().IMTLGWeighting()

    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return the weights, times the number of tasks."""
        found: Tensor = len(tasks) * self.weighting(gramian)
        return found
