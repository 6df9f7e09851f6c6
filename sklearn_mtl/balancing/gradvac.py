"""Gradient vaccine."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_mtl.balancing.gramian_balancer import GramianBalancer
from sklearn_mtl.balancing.parameters import number_of
from sklearn_mtl.balancing.torchjd_aggregation import torchjd


class GradVac(GramianBalancer):
    """Gradients turned towards each other until they are as alike as they have been before.

    For each task, the others are gone through in random order. Where the cosine with the gradient of another
    is below its moving average over the steps, a share of that gradient is added, so that the cosine is this
    average (Wang et al. 2021, "Gradient Vaccine", algorithm 1 and equation 4). The sum of what comes out is
    followed. With an average of 0 it is `PCGrad`. To choose where tasks are alike, and conflicts are rare.
    TorchJD computes it. Of tasks that take no part in a step the averages stay as they are.

    Parameters
    ----------
    beta : float, default=0.5
        Share of the cosine of a step in the moving average, from 0 to 1.
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import GradVac
    >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    >>> GradVac().fresh(2)(gradients, torch.ones(2), torch.ones(2))
    tensor([1., 3.])
    """

    averages: Tensor

    def __init__(self, beta: float = 0.5, *, at: str = "parameters") -> None:
        super().__init__(at=at)
        self.beta = beta

    def start(self, n_tasks: int) -> None:
        """Make TorchJD's weighting, which draws from torch's global generator, and the averages.

        Raises
        ------
        ValueError
            If a parameter is none of those it may be.
        """
        super().start(n_tasks)
        self.weighting = torchjd().GradVacWeighting(number_of(self, "beta", most=1))
        self.register_buffer("averages", torch.zeros(n_tasks, n_tasks))

    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return the sums of the shares that each gradient has in the turned ones."""
        weighting, place = self.weighting, tuple(torch.meshgrid(tasks, tasks, indexing="ij"))
        # TorchJD begins anew where the number of rows changes: it is lent the averages of the tasks at hand.
        weighting._phi_t = self.averages[place].to(gramian)
        weighting._state_key = (len(tasks), gramian.dtype)
        found: Tensor = weighting(gramian)
        self.averages[place] = weighting._phi_t.to(self.averages)
        weighting.reset()
        return found
