"""The likelihood of a normal target, whose mean and variance are both learned."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_mtl.tasks.losses.regression import IntervalLoss
from sklearn_mtl.tasks.losses.row_loss import summed, weighted_mean


@dataclass(frozen=True)
class GaussianNLL(IntervalLoss):
    """Negative log-likelihood of a normal target, up to a constant: (log v + (y - m)² / v) / 2.

    Nix & Weigend (1994). The response is (m, v + m²): moments average over a mixture, variances
    do not.
    """

    @property
    def width(self) -> int:
        """Mean and log-variance."""
        return 2

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        mean, log_variance = raw[..., 0], _bounded(raw[..., 1])
        return 0.5 * (log_variance + (y - mean) ** 2 * (-log_variance).exp())

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the mean and the log-variance of the labels."""
        mean = weighted_mean(y, weight)
        variance = weighted_mean((y - mean) ** 2, weight).clamp_min(math.exp(_LOG_VARIANCE[0]))
        return torch.stack([mean, variance.log()], dim=-1)

    def reference(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return half of each column's weight: the loss of a standardised target under its own moments.

        The loss of the best constant is no scale: it is negative for labels that vary less.
        """
        return 0.5 * summed(weight, torch.float64)

    def response(self, raw: Tensor) -> Tensor:
        """Return the first two moments."""
        mean = raw[..., 0]
        return torch.stack([mean, _bounded(raw[..., 1]).exp() + mean**2], dim=-1)

    def link(self, response: Tensor) -> Tensor:
        """Return the mean and the log-variance."""
        mean = response[..., 0]
        variance = (response[..., 1] - mean**2).clamp_min(math.exp(_LOG_VARIANCE[0]))
        return torch.stack([mean, variance.log()], dim=-1)

    def decision(self, response: Tensor) -> Tensor:
        """Return the mean."""
        return response[..., 0]

    def interval(self, response: Tensor, coverage: float) -> Tensor:
        """Return the mean less and plus a multiple of the standard deviation."""
        mean = response[..., 0]
        deviation = (response[..., 1] - mean**2).clamp_min(0).sqrt()
        reach = torch.special.ndtri(response.new_tensor(0.5 + coverage / 2)) * deviation
        return torch.stack([mean - reach, mean + reach], dim=-1)


# A variance below e⁻¹² of that of the labels is a memorised row; its gradient would outweigh all others.
_LOG_VARIANCE = (-12.0, 12.0)


def _bounded(log_variance: Tensor) -> Tensor:
    return log_variance.clamp(*_LOG_VARIANCE)
