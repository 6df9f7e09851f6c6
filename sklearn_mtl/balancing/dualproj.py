"""The mean gradient, projected onto the dual cone of the tasks' gradients."""

from __future__ import annotations

from torch import Tensor

from sklearn_mtl.balancing.gramian_balancer import GramianBalancer, directions_of
from sklearn_mtl.balancing.torchjd_aggregation import projector


class DualProj(GramianBalancer):
    """The sum of the gradients, changed so little that it is in conflict with none.

    The sum is projected onto the dual cone of all gradients, the steps that raise no task's loss (Lopez-Paz &
    Ranzato 2017, "Gradient Episodic Memory for Continual Learning", section 3, for the tasks of a batch;
    called so by Quinton & Rey 2024). TorchJD has it divided by the number of tasks; here, without
    conflict it is the plain sum. To choose instead of `UPGrad` for less work: one projection, not one for
    each task. TorchJD computes it.

    Parameters
    ----------
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import DualProj
    >>> gradients = torch.tensor([[1.0, 0.0], [-3.0, 1.0]])
    >>> DualProj().fresh(2)(gradients, torch.ones(2), torch.ones(2)).round(decimals=2)
    tensor([0., 1.])
    """

    def start(self, n_tasks: int) -> None:
        """Make TorchJD's projector."""
        super().start(n_tasks)
        self.projector = projector()

    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return the projected weights; the cone does not depend on the lengths of the gradients."""
        lengths, directions = directions_of(gramian)
        found: Tensor = self.projector(lengths, directions) / lengths
        return found
