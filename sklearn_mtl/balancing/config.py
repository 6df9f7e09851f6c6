"""Conflict-free inverse gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_mtl.balancing.gramian_balancer import GramianBalancer, root_of
from sklearn_mtl.balancing.torchjd_aggregation import torchjd


class ConFIG(GramianBalancer):
    """The direction that has one and the same cosine with every task's gradient.

    Its length is the sum of the gradients' projections onto it (Liu et al. 2024, "ConFIG: Towards
    Conflict-free Training of Physics Informed Neural Networks", equation 2). It raises no task's loss, and
    looks at directions alone, not at lengths. To choose where losses of different kinds pull against each
    other. TorchJD computes it.

    Parameters
    ----------
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import ConFIG
    >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    >>> ConFIG().fresh(2)(gradients, torch.ones(2), torch.ones(2)).round(decimals=3)
    tensor([2., 2.])
    """

    def start(self, n_tasks: int) -> None:
        """Make TorchJD's aggregator."""
        super().start(n_tasks)
        self.aggregator = torchjd().ConFIG()

    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return the weights of the gradients in the direction, times its length."""
        # Rows with these inner products, short ones: the direction is a sum of rows, and turns with them.
        rows = root_of(gramian)
        found: Tensor = self.aggregator(rows) @ torch.linalg.pinv(rows)
        return found
