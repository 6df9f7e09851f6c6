"""Losses of regression tasks, on targets that were scaled before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sklearn_mtl.tasks.row_loss import RowLoss, summed, weighted_mean


@dataclass(frozen=True)
class PointLoss(RowLoss):
    """A regression loss whose first response is the prediction; scored by R²."""

    metric: ClassVar[str] = "r2"

    @property
    def width(self) -> int:
        """Raw outputs for each target column."""
        return 1

    def score(self, response: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Return R² of each column; nan where the labels do not vary."""
        residual = weighted_mean((self.decision(response) - y) ** 2, weight)
        total = weighted_mean((y - weighted_mean(y, weight).unsqueeze(-2)) ** 2, weight)
        return torch.where(total > 0, 1 - residual / total, torch.nan)


@dataclass(frozen=True)
class _Direct(PointLoss):
    """A loss whose raw output is the prediction itself."""

    def response(self, raw: Tensor) -> Tensor:
        """Return the raw output."""
        return raw

    def link(self, response: Tensor) -> Tensor:
        """Return the response."""
        return response

    def decision(self, response: Tensor) -> Tensor:
        """Return the prediction."""
        return response[..., 0]


@dataclass(frozen=True)
class SquaredError(_Direct):
    """(raw - y)²: predicts the mean."""

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        return (raw[..., 0] - y) ** 2

    def with_slope(self, raw: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each cell, and twice the error."""
        error = raw - y.unsqueeze(-1)
        return (error * error).squeeze(-1), error + error

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the mean."""
        return weighted_mean(y, weight)[:, None]


@dataclass(frozen=True)
class AbsoluteError(_Direct):
    """|raw - y|: predicts the median."""

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        return (raw[..., 0] - y).abs()

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the median."""
        return weighted_quantile(y, weight, (0.5,))


@dataclass(frozen=True)
class Huber(_Direct):
    """Squared up to ``delta`` standard deviations of the target, absolute beyond."""

    delta: float = 1.0

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        error = (raw[..., 0] - y).abs()
        return torch.where(error <= self.delta, 0.5 * error**2, self.delta * (error - 0.5 * self.delta))

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return Huber's location, by iterated reweighting from the median."""
        centre = weighted_quantile(y, weight, (0.5,))[:, 0]
        for _ in range(50):
            shrink = self.delta / (y - centre).abs().clamp_min(self.delta)
            centre = weighted_mean(y, weight * shrink)
        return centre[:, None]


@dataclass(frozen=True)
class _LogLink(PointLoss):
    """A loss whose raw output is the logarithm of the prediction."""

    def response(self, raw: Tensor) -> Tensor:
        """Return the predicted mean."""
        return raw.exp()

    def link(self, response: Tensor) -> Tensor:
        """Return the logarithm of the mean."""
        return response.clamp_min(1e-30).log()

    def decision(self, response: Tensor) -> Tensor:
        """Return the predicted mean."""
        return response[..., 0]

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the logarithm of the mean."""
        return weighted_mean(y, weight).clamp_min(1e-12).log()[:, None]


@dataclass(frozen=True)
class PoissonDeviance(_LogLink):
    """Half the Poisson deviance, y log(y / m) - y + m, of non-negative targets."""

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        log_mean = raw[..., 0]
        return torch.special.xlogy(y, y) - y - y * log_mean + log_mean.exp()


@dataclass(frozen=True)
class GammaDeviance(_LogLink):
    """Half the gamma deviance, y / m - 1 - log(y / m), of positive targets."""

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        # A missing cell holds 0, whose logarithm would turn the masked sum into nan.
        log_ratio = y.clamp_min(1e-12).log() - raw[..., 0]
        return log_ratio.exp() - 1 - log_ratio


@dataclass(frozen=True)
class Pinball(PointLoss):
    """The pinball loss (Koenker & Bassett 1978), averaged over ``quantiles``."""

    quantiles: tuple[float, ...] = (0.05, 0.5, 0.95)

    @property
    def width(self) -> int:
        """One raw output for each quantile."""
        return len(self.quantiles)

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        # Filled in place: a copy from the host would hold up a GPU in every step.
        level = torch.cat([raw.new_full((1,), quantile) for quantile in self.quantiles])
        error = y.unsqueeze(-1) - raw
        return torch.maximum(level * error, (level - 1) * error).mean(-1)

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the quantiles of the labels."""
        return weighted_quantile(y, weight, self.quantiles)

    def response(self, raw: Tensor) -> Tensor:
        """Return the quantiles, in order (predicted ones may cross)."""
        return raw.sort(-1).values

    def link(self, response: Tensor) -> Tensor:
        """Return the quantiles."""
        return response

    def decision(self, response: Tensor) -> Tensor:
        """Return the quantile nearest the median."""
        nearest = min(range(self.width), key=lambda i: abs(self.quantiles[i] - 0.5))
        return response[..., nearest]


@dataclass(frozen=True)
class GaussianNLL(PointLoss):
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

        The constant's own loss is no scale: it is negative for labels that vary less than that.
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


# A variance below e⁻¹² of the target's own is a memorised row; its gradient would swamp the trunk.
_LOG_VARIANCE = (-12.0, 12.0)


def _bounded(log_variance: Tensor) -> Tensor:
    return log_variance.clamp(*_LOG_VARIANCE)


def weighted_quantile(y: Tensor, weight: Tensor, levels: tuple[float, ...]) -> Tensor:
    """Return the quantiles of each column, shape (columns, levels).

    The quantile is the mean of the two neighbours where the cumulated weight hits the level
    exactly, so that a row of weight two counts as two rows.
    """
    values, order = y.sort(0)
    cumulated = weight.gather(0, order).cumsum(0).T.contiguous()
    wanted = cumulated[:, -1:] * cumulated.new_tensor(levels)
    last = len(y) - 1
    # A rounding-sized slack decides ties, or equal weights would give other quantiles than ones.
    slack = 1e-9 * cumulated[:, -1:]
    low = torch.searchsorted(cumulated, wanted - slack).clamp_max(last)
    high = torch.searchsorted(cumulated, wanted + slack).clamp_max(last)
    columns = values.T
    return (columns.gather(1, low) + columns.gather(1, high)) / 2
