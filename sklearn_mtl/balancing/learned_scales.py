"""The base of methods that learn a scale for each loss."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing.balancer import LossBalancer
from sklearn_mtl.balancing.parameters import number_of


class LearnedScales(LossBalancer):
    """Each loss is divided by a learned scale, whose logarithm is added: Σ w_t (c_t L_t / e^{s_t} + r s_t).

    Parameters
    ----------
    lr : float, optional
        Learning rate of the logarithms s; None for that of the network.

    Attributes
    ----------
    log_scale : Parameter of shape (n_tasks,)
        The logarithms s, from 0 on.
    factor : tensor of shape (n_tasks,)
        The constants c, 1 unless a method sets them.
    share_of_logs : float
        The constant r.
    """

    share_of_logs: ClassVar[float] = 1.0
    factor: Tensor

    def __init__(self, lr: float | None = None) -> None:
        super().__init__()
        self.lr = lr

    def start(self, n_tasks: int) -> None:
        """Start from scales of 1."""
        if self.lr is not None:
            number_of(self, "lr", above=True)
        self.log_scale = nn.Parameter(torch.zeros(n_tasks))
        self.register_buffer("factor", torch.ones(n_tasks))

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the logarithms of the scales, never decayed, with a rate of their own if asked for."""
        own = {} if self.lr is None else {"lr": float(self.lr)}
        return [{**group, **own} for group in super().param_groups()]

    def forward(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the sum of the scaled losses and of the logarithms of the scales."""
        scaled = self.factor * torch.exp(-self.log_scale) * losses
        return (scaled + self.share_of_logs * self.log_scale) @ weights

    def differentiate(self, losses: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the objective, and its derivative in each loss; that in the logarithms is put on them.

        Written out it takes a third of the time of automatic differentiation, which a stack does once for
        all of its networks.
        """
        if losses.ndim > 1 or type(self).forward is not LearnedScales.forward:
            return super().differentiate(losses, weights)
        with torch.no_grad():
            rates = weights * self.factor * torch.exp(-self.log_scale)
            logs = self.share_of_logs * weights
            slope = logs - rates * losses
            total = rates @ losses + logs @ self.log_scale
            self.log_scale.grad = slope if self.log_scale.grad is None else self.log_scale.grad + slope
        return total, rates
