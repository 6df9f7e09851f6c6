"""Independent component alignment."""

from __future__ import annotations

from torch import Tensor

from sklearn_mtl.balancing.gramian_balancer import GramianBalancer
from sklearn_mtl.balancing.parameters import check_parameter
from sklearn_mtl.balancing.torchjd_aggregation import torchjd

SCALES = ("min", "median", "rmse")


class AlignedMTL(GramianBalancer):
    """The sum of the gradients after they are made orthogonal and equally long.

    The principal components of the gradients' matrix are all given one singular value (Senushkin et al. 2023,
    "Independent Component Alignment for Multi-Task Learning", algorithm 1). The weights are multiplied by the
    number of tasks, so that orthogonal gradients of one length give the plain sum. The smallest singular
    value makes steps short where gradients are nearly alike. To choose where tasks both conflict and differ
    in the length of their gradients. TorchJD computes it.

    Parameters
    ----------
    scale_mode : {"min", "median", "rmse"}, default="min"
        Which singular value all are given: the smallest, as in the paper, the median, or the root of the mean
        square.
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import AlignedMTL
    >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    >>> AlignedMTL().fresh(2)(gradients, torch.ones(2), torch.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, scale_mode: str = "min", *, at: str = "parameters") -> None:
        super().__init__(at=at)
        self.scale_mode = scale_mode

    def start(self, n_tasks: int) -> None:
        """Make TorchJD's weighting.

        Raises
        ------
        ValueError
            If a parameter is none of those it may be.
        """
        super().start(n_tasks)
        check_parameter(
            self,
            "scale_mode",
            f"one of {SCALES}",
            lambda value: isinstance(value, str) and value in SCALES,
        )
        self.weighting = torchjd().AlignedMTLWeighting(scale_mode=self.scale_mode)

    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return the weights, times the number of tasks."""
        found: Tensor = len(tasks) * self.weighting(gramian)
        return found
