"""Conflict-averse gradient descent."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_mtl.balancing.gramian_balancer import GramianBalancer
from sklearn_mtl.balancing.parameters import number_of
from sklearn_mtl.balancing.torchjd_aggregation import torchjd

# Of the mean that helps the least helped task, relative to the gradients. A task that is all but learned
# makes it short: TorchJD's own bound, 1e-4, would end the training of all tasks.
SMALLEST_NORM = 1e-7


class CAGrad(GramianBalancer):
    """The step near the mean gradient that helps the task it helps least as much as can be.

    Among all steps within c times the length of the mean gradient from it, that with the largest smallest
    inner product with the tasks' gradients (Liu et al. 2021, "Conflict-Averse Gradient Descent for Multi-task
    Learning", algorithm 1). The weights are multiplied by the number of tasks, so that with c = 0 it is the
    plain sum. To choose as a middle way between the mean and `MGDA`. TorchJD computes it, and needs a solver
    for it: ``pip install "torchjd[cagrad]"``.

    Parameters
    ----------
    c : float, default=0.4
        How far the step may be from the mean gradient, at least 0. The default is that of the authors'
        runs on NYU-v2.
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import CAGrad
    >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    >>> CAGrad(c=0.0).fresh(2)(gradients, torch.ones(2), torch.ones(2))
    tensor([1., 3.])
    """

    def __init__(self, c: float = 0.4, *, at: str = "parameters") -> None:
        super().__init__(at=at)
        self.c = c

    def start(self, n_tasks: int) -> None:
        """Make TorchJD's weighting.

        Raises
        ------
        ValueError
            If a parameter is none of those it may be.
        ImportError
            If the solver is not installed.
        """
        super().start(n_tasks)
        self.weighting = torchjd().CAGradWeighting(number_of(self, "c"), norm_eps=SMALLEST_NORM)

    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return the weights, times the number of tasks."""
        found: Tensor = len(tasks) * self.weighting(gramian)
        # As in the authors' code: below the smallest norm TorchJD makes no step at all.
        return found if found.any() else torch.ones_like(found)
