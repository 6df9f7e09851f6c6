"""Multi-task learning as a bargaining game."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_mtl.balancing.gramian_balancer import GramianBalancer, directions_of
from sklearn_mtl.balancing.parameters import number_of

# Added to the inner products of directions, each 1 with itself: where these cancel out there is no solution.
SMALLEST_VALUE = 1e-6
MOST_STEPS = 100


class NashMTL(GramianBalancer):
    """The Nash bargaining solution: the step for which the product of the tasks' progress is largest.

    The weights a are those with G a = 1 / a, where G has the gradients' inner products (Navon et al. 2022,
    "Multi-Task Learning as a Bargaining Game", algorithm 1). They are where a'G a / 2 - sum log a is
    smallest, which is found by Newton's method, to rounding and in little time; the paper and TorchJD
    approach them by a sequence of convex programs. The step does not depend on the scale of any task's loss,
    and is cut to a length of its own, so the learning rate may need another value. To choose where losses are
    of very different scales.

    Parameters
    ----------
    max_norm : float, default=1.0
        Length of the longest step, 0 for no bound. The default is that of the authors' code.
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import NashMTL
    >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 4.0]])
    >>> NashMTL(max_norm=0).fresh(2)(gradients, torch.ones(2), torch.ones(2)).round(decimals=3)
    tensor([1., 1.])
    """

    def __init__(self, max_norm: float = 1.0, *, at: str = "parameters") -> None:
        super().__init__(at=at)
        self.max_norm = max_norm

    def start(self, n_tasks: int) -> None:
        """Make what remembers the weights of an epoch.

        Raises
        ------
        ValueError
            If a parameter is none of those it may be.
        """
        super().start(n_tasks)
        number_of(self, "max_norm")

    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return the bargaining solution, cut to the longest step, for gradients of this scale."""
        lengths, directions = directions_of(gramian)
        weights = bargained(directions + SMALLEST_VALUE * torch.eye(len(gramian)).to(gramian)) / lengths
        length = float(weights @ gramian @ weights) ** 0.5
        cut = self.max_norm / length if 0 < self.max_norm < length else 1.0
        return weights * (cut / scale)


def bargained(gramian: Tensor) -> Tensor:
    """Return the positive weights a with G a = 1 / a, by damped Newton steps.

    Parameters
    ----------
    gramian : tensor of shape (n, n), float64
        Positive definite.
    """
    weights = gramian.diagonal().rsqrt()
    for _ in range(MOST_STEPS):
        slope = gramian @ weights - 1 / weights
        step = torch.linalg.solve(gramian + (weights**-2).diag(), slope)
        # The function is self-concordant: a step so damped stays above 0, and comes to the minimum.
        decrement = float((slope @ step).clamp_min(0)) ** 0.5
        weights = weights - step / (1 + decrement if decrement > 0.25 else 1)
        if decrement < 1e-9:
            break
    return weights
