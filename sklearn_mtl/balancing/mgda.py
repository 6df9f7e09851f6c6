"""The multiple-gradient descent algorithm."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from sklearn_mtl.balancing.gramian_balancer import GramianBalancer, root_of


class MGDA(GramianBalancer):
    """The shortest of all weighted means of the gradients: no task's loss rises with a small step.

    The weights, on the simplex, minimise the norm of the mean (Désidéri 2012, "Multiple-gradient descent
    algorithm (MGDA) for multiobjective optimization"; Sener & Koltun 2018, "Multi-Task Learning as
    Multi-Objective Optimization", section 3), and are multiplied by the number of tasks, so that the learning
    rate means what it does for static weights. They are found exactly, by non-negative least squares: the
    steps of Frank and Wolfe, which the paper and TorchJD take, end where some task's loss may still rise.
    Short gradients, those of tasks that are learned already, get most of the weight, and where gradients
    cancel out nothing moves. To choose where no task may get worse, rather than for the best mean.

    Parameters
    ----------
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says. ``"representation"`` is MGDA-UB.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import MGDA
    >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    >>> MGDA().fresh(2)(gradients, torch.ones(2), torch.ones(2))
    tensor([1.8000, 0.6000])
    """

    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return the weights of the shortest mean, times the number of tasks."""
        n_tasks = len(tasks)
        # Where s multiplies a mean of squared norm q, the least of q s² + (s - 1)² is q / (1 + q): so least
        # squares in the two together have the shortest mean.
        rows = np.vstack([root_of(gramian).T.numpy(), np.ones(n_tasks)])
        shares, _ = nnls(rows, np.eye(n_tasks + 1)[n_tasks])
        return torch.from_numpy(n_tasks * shares / shares.sum())
