"""Learned scales of the losses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing.balancer import LossBalancer
from sklearn_mtl.balancing.parameters import number_of


class IMTLL(LossBalancer):
    """Learned scales draw all scaled losses to one size, Σ w_t (e^{s_t} L_t - s_t).

    The balance of losses of impartial multi-task learning (Liu et al. 2021, "Towards Impartial Multi-task
    Learning", IMTL-L): where a scale has arrived, its loss times e^s is 1. Scales start at s = 0. The user's
    weight w multiplies the whole term of a task, so that it changes nothing of where its scale goes to.

    Choose it where losses end far apart and all are to fall in proportion. Losses start near 1 here, so that
    at first it does nothing.

    Parameters
    ----------
    lr : float, optional
        Learning rate of the scales; None for that of the network.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import IMTLL
    >>> IMTLL().fresh(2)(torch.tensor([1.0, 0.5]), torch.ones(2)).item()
    1.5
    """

    def __init__(self, lr: float | None = None) -> None:
        super().__init__()
        self.lr = lr

    def start(self, n_tasks: int) -> None:
        """Start from scales of 1."""
        if self.lr is not None:
            number_of(self, "lr", above=True)
        self.log_scale = nn.Parameter(torch.zeros(n_tasks))

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the logarithms of the scales, never decayed, with a rate of their own if asked for."""
        return [
            {**group, **({} if self.lr is None else {"lr": float(self.lr)})}
            for group in super().param_groups()
        ]

    def forward(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the sum of the scaled losses, less the logarithms of the scales."""
        return (self.log_scale.exp() * losses - self.log_scale) @ weights
