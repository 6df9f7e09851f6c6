"""Fair resource allocation."""

from __future__ import annotations

from torch import Tensor

from sklearn_mtl.balancing.gramian_balancer import GramianBalancer
from sklearn_mtl.balancing.parameters import number_of
from sklearn_mtl.balancing.torchjd_aggregation import torchjd


class FairGrad(GramianBalancer):
    """The step of the largest utility, the sum of alpha-fair ones of how much each loss falls.

    The weights w are those with G w = w^(-1 / alpha), where G has the gradients' inner products (Ban & Ji
    2024, "Fair Resource Allocation in Multi-Task Learning", equation 4). With alpha = 1 every loss falls by
    what is proportionally fair, as in `NashMTL`; the larger alpha, the more the task counts whose loss falls
    least. The step has a length of its own, so the learning rate may need another value. TorchJD computes it,
    by least squares.

    Parameters
    ----------
    alpha : float, default=1.0
        The kind of fairness, at least 0; with 0 it is the mean. The default is proportional fairness.
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import FairGrad
    >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 4.0]])
    >>> FairGrad().fresh(2)(gradients, torch.ones(2), torch.ones(2)).round(decimals=3)
    tensor([1., 1.])
    """

    def __init__(self, alpha: float = 1.0, *, at: str = "parameters") -> None:
        super().__init__(at=at)
        self.alpha = alpha

    def start(self, n_tasks: int) -> None:
        """Make TorchJD's weighting.

        Raises
        ------
        ValueError
            If a parameter is none of those it may be.
        """
        super().start(n_tasks)
        self.weighting = torchjd().FairGradWeighting(number_of(self, "alpha"))

    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return the weights for gradients of this scale: they are in proportion to a power of it."""
        alpha = float(self.alpha)
        if alpha:
            # With the weights of orthogonal gradients as units all numbers are near 1. A solver that starts
            # from 1 does not come to those of a short gradient.
            units = gramian.diagonal() ** (-alpha / (1 + alpha))
            gramian = units.pow(1 / alpha).unsqueeze(1) * gramian * units
        found: Tensor = self.weighting(gramian)
        found = found * units if alpha else found
        return found * scale ** (-2 * alpha / (1 + alpha))
