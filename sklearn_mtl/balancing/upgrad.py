"""Jacobian descent with unconflicting projections of the gradients."""

from __future__ import annotations

from torch import Tensor

from sklearn_mtl.balancing.gramian_balancer import GramianBalancer, directions_of
from sklearn_mtl.balancing.torchjd_aggregation import projector


class UPGrad(GramianBalancer):
    """The sum of each task's gradient after it is changed so little that it is in conflict with none.

    Each gradient is projected onto the dual cone of all, the steps that raise no task's loss (Quinton & Rey
    2024, "Jacobian Descent for Multi-Objective Optimization", section 3). The weights are multiplied by the
    number of tasks, so that without conflict it is the plain sum. To choose as the first of these methods: at
    equal task weights it is never in conflict with a task, and keeps the length of the gradients otherwise.
    TorchJD computes it.

    Parameters
    ----------
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import UPGrad
    >>> gradients = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    >>> UPGrad().fresh(2)(gradients, torch.ones(2), torch.ones(2)).round(decimals=2)
    tensor([0.5000, 1.5000])
    """

    def start(self, n_tasks: int) -> None:
        """Make TorchJD's projector.

        Raises
        ------
        ValueError
            If a parameter is none of those it may be.
        """
        super().start(n_tasks)
        self.projector = projector()

    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return the projected weights; the cone does not depend on the lengths of the gradients."""
        lengths, directions = directions_of(gramian)
        found: Tensor = self.projector(lengths.diag(), directions).sum(0) / lengths
        return found
