"""Priority-constrained descent."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_mtl.balancing.gramian_balancer import GramianBalancer
from sklearn_mtl.balancing.parameters import check_parameter, number_of
from sklearn_mtl.balancing.torchjd_aggregation import torchjd
from sklearn_mtl.recipes import is_number


class PCD(GramianBalancer):
    """The gradient of the first task, changed only as far as each other task must make some progress.

    The step is the one nearest to the first task's gradient along which every other task gets at least the
    share tau of the progress of a step along its own gradient, all gradients being divided by a moving
    average of their norms; it is as long as the first task's gradient ("Not All Objectives Are Born Equal:
    Priority-Constrained Descent", 2026, arXiv:2606.29521). To choose where one task is what matters and the
    others are there to help it. Where no step is found that gives all their share, the first task's gradient
    is followed alone. TorchJD computes it. In a step without the first task, the next that takes part stands
    in for it.

    Parameters
    ----------
    tau : float, default=0.02
        Share of the progress, from 0 to 1.
    beta : float, default=0.999
        Decay of the moving average of the squared norms, at least 0 and below 1.
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import PCD
    >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    >>> PCD(tau=0.0).fresh(2)(gradients, torch.ones(2), torch.ones(2))
    tensor([1., 0.])
    """

    norms: Tensor
    steps: Tensor

    def __init__(self, tau: float = 0.02, beta: float = 0.999, *, at: str = "parameters") -> None:
        super().__init__(at=at)
        self.tau = tau
        self.beta = beta

    def start(self, n_tasks: int) -> None:
        """Make TorchJD's weighting, and the moving averages.

        Raises
        ------
        ValueError
            If a parameter is none of those it may be.
        """
        super().start(n_tasks)
        check_parameter(
            self,
            "beta",
            "a number of at least 0, below 1",
            lambda value: is_number(value) and 0 <= value < 1,
        )
        self.weighting = torchjd().PCDWeighting(number_of(self, "tau", most=1), float(self.beta))
        # Roots of the averages: a square may be larger than any number of this dtype.
        self.register_buffer("norms", torch.zeros(n_tasks))
        self.register_buffer("steps", torch.zeros(n_tasks))

    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return 1 for the first task, and what its gradient needs of the others, times one length."""
        weighting, gramian = self.weighting, gramian * scale**2
        now, steps = (1 - self.beta) * gramian.diagonal(), self.steps[tasks] + 1
        after = self.beta * self.norms[tasks].to(gramian) ** 2 + now
        # TorchJD begins anew where the number of rows changes: it is lent averages of the tasks at hand that
        # come to the right ones, as if all had taken part in as many steps as the first.
        gone = 1 - self.beta ** steps.to(gramian)
        weighting._sq_norm_ema = (after / gone * gone[0] - now) / (self.beta or 1)
        weighting._n_steps, weighting._state_key = steps[0].cpu() - 1, len(tasks)
        found: Tensor = weighting(gramian)
        weighting.reset()
        self.norms[tasks], self.steps[tasks] = after.sqrt().to(self.norms), steps
        return found
