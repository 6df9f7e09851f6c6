"""Losses of regression tasks, on targets that were scaled before."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.messages import shown
from sklearn_mtl.tasks.losses.constants import best_point
from sklearn_mtl.tasks.losses.row_loss import RowLoss, weighted_mean, weighted_quantile


class RegressionLoss(RowLoss):
    """A loss of a number.

    Hooks besides those of `RowLoss` are `width` (1), `score` (R²) and `has_interval`. A loss that gives
    intervals also defines ``interval(response, coverage)``, as an `IntervalLoss` does.

    Attributes
    ----------
    support : {"real", "non-negative", "positive"}
        The labels that the loss takes. Real ones are standardised, all others divided by their mean.
    predicts_quantile : bool
        Whether a prediction is a quantile, which the exponential of a logarithm's is too; or else a mean.
    interval : callable
        Only of a loss that `has_interval`; see `IntervalLoss.interval`.
    """

    metric: ClassVar[str] = "r2"
    support: ClassVar[Literal["real", "non-negative", "positive"]] = "real"
    predicts_quantile: ClassVar[bool] = False
    interval: Callable[[Tensor, float], Tensor]

    @property
    def width(self) -> int:
        """Number of raw outputs for each target column."""
        return 1

    @property
    def has_interval(self) -> bool:
        """Whether the loss has ``interval(response, coverage)``."""
        return hasattr(self, "interval")

    def score(self, response: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Return R² of each column; nan where the labels do not vary."""
        residual = weighted_mean((self.decision(response) - y) ** 2, weight)
        total = weighted_mean((y - weighted_mean(y, weight).unsqueeze(-2)) ** 2, weight)
        return torch.where(total > 0, 1 - residual / total, torch.nan)


class IntervalLoss(RegressionLoss):
    """A loss of a number that also gives intervals."""

    @abstractmethod
    def interval(self, response: Tensor, coverage: float) -> Tensor:
        """Return the central interval of each prediction.

        Parameters
        ----------
        response : tensor of shape (..., columns, width)
            Averaged responses.
        coverage : float
            Share of labels that the interval should hold, between 0 and 1.

        Returns
        -------
        tensor of shape (..., columns, 2)
            Lower and upper end.

        Raises
        ------
        ValueError
            If the loss has no interval of this coverage.
        """


class PointLoss(RegressionLoss):
    """A loss whose raw output is the prediction; the base of one's own for `Regression`.

    All that must be written is the loss of each cell, of standardised labels: 0 or more, and 0 at the
    label. `constant` is one more hook; by default a search finds the best constant.

    Examples
    --------
    >>> import torch
    >>> from dataclasses import dataclass
    >>> from sklearn_mtl.tasks import PointLoss, Regression
    >>> @dataclass(frozen=True)
    ... class LogCosh(PointLoss):
    ...     def __call__(self, raw, y):
    ...         return torch.log(torch.cosh(raw[..., 0] - y))
    >>> Regression(loss=LogCosh())
    Regression(loss=LogCosh())
    """

    def response(self, raw: Tensor) -> Tensor:
        """Return the raw output."""
        return raw

    def link(self, response: Tensor) -> Tensor:
        """Return the response."""
        return response

    def decision(self, response: Tensor) -> Tensor:
        """Return the prediction."""
        return response[..., 0]

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the result of a search over the range of the labels."""
        return best_point(self, y, weight)[:, None]


@dataclass(frozen=True)
class SquaredError(PointLoss):
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
class AbsoluteError(PointLoss):
    """``|raw - y|``: predicts the median."""

    predicts_quantile: ClassVar[bool] = True

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        return (raw[..., 0] - y).abs()

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the median."""
        return weighted_quantile(y, weight, (0.5,))


@dataclass(frozen=True)
class Huber(PointLoss):
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


class LogLinkLoss(RegressionLoss):
    """A loss whose raw output is the logarithm of the prediction; for labels that are not negative.

    All that must be written is the loss of each cell, of labels that were divided by their mean: 0 or
    more, and 0 at the label. `constant` is one more hook: the default is right where the mean of the labels
    is the best constant, as for every deviance, and must be overridden for other losses.
    """

    support: ClassVar[Literal["real", "non-negative", "positive"]] = "non-negative"

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
class PoissonDeviance(LogLinkLoss):
    """Half the Poisson deviance, y log(y / m) - y + m, of non-negative targets."""

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        log_mean = raw[..., 0]
        return torch.special.xlogy(y, y) - y - y * log_mean + log_mean.exp()


@dataclass(frozen=True)
class GammaDeviance(LogLinkLoss):
    """Half the gamma deviance, y / m - 1 - log(y / m), of positive targets."""

    support: ClassVar[Literal["real", "non-negative", "positive"]] = "positive"

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        # A missing cell holds 0, whose logarithm would turn the masked sum into nan.
        log_ratio = y.clamp_min(1e-12).log() - raw[..., 0]
        return log_ratio.exp() - 1 - log_ratio


@dataclass(frozen=True)
class Pinball(IntervalLoss):
    """The pinball loss (Koenker & Bassett 1978), averaged over ``quantiles``."""

    predicts_quantile: ClassVar[bool] = True
    quantiles: tuple[float, ...] = (0.05, 0.5, 0.95)

    @property
    def width(self) -> int:
        """One raw output for each quantile."""
        return len(self.quantiles)

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        # Filled on the device: a copy from the host would make a GPU wait in every step.
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
        return response[..., self._nearest(0.5)]

    def interval(self, response: Tensor, coverage: float) -> Tensor:
        """Return the pair of quantiles that spans the coverage."""
        wanted = (0.5 - coverage / 2, 0.5 + coverage / 2)
        ends = [self._nearest(level) for level in wanted]
        if any(abs(self.quantiles[end] - level) > 1e-6 for end, level in zip(ends, wanted, strict=True)):
            low, high = (float(f"{level:.6g}") for level in wanted)
            spanned = ", ".join(f"coverage={share:.6g}" for share in self._coverages) or "none"
            raise ValueError(
                f"`coverage` must be spanned by two of the quantiles {self.quantiles}, which span {spanned}. "
                f"Found {coverage}, which needs the quantiles {low} and {high}: "
                f"Regression(loss='quantile', quantiles={(low, 0.5, high)})."
            )
        return response[..., ends]

    @property
    def _coverages(self) -> list[float]:
        """The shares of labels between two quantiles at equal distance from the median."""
        return [high - low for low, high in combinations(self.quantiles, 2) if abs(low + high - 1) <= 1e-6]

    def _nearest(self, level: float) -> int:
        return min(range(self.width), key=lambda i: abs(self.quantiles[i] - level))


_SUPPORT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "non-negative": lambda y: y >= 0,
    "positive": lambda y: y > 0,
}


def standardisation(
    name: str, given: Any, loss: RegressionLoss, values: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return location and scale of each column under the sample weights.

    Parameters
    ----------
    name : str
        The task.
    given : object
        The loss as it was given, for messages.
    loss : RegressionLoss
        The loss, which says what labels it takes.
    values, weight : ndarray of float64, shape (n_rows, n_columns)
        Labels, nan where missing, and the weight of each.
    """
    filled = np.nan_to_num(values)
    total = np.maximum(weight.sum(axis=0), 1e-300)
    mean = (weight * filled).sum(axis=0) / total
    if loss.support in _SUPPORT:
        holds = _SUPPORT[loss.support]
        wrong = values[(weight > 0) & ~np.where(weight > 0, holds(values), True)]
        if len(wrong):
            raise ValueError(
                f"Task {shown(name)} with loss {shown(given)} needs {loss.support} labels. Found "
                f"{len(wrong)} others, "
                f"the first {wrong[0]:g}."
            )
        return np.zeros_like(mean), np.where(mean > 0, mean, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = np.sqrt((weight * (filled - mean) ** 2).sum(axis=0) / total)
    if not np.isfinite(deviation).all():
        raise ValueError(
            f"Task {shown(name)} needs labels whose squares are finite. "
            f"Found labels up to {np.abs(filled).max():.3g}; divide them by a constant."
        )
    # Rounding leaves a constant column a deviation of some 1e-16 of its size.
    constant = deviation <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
    return mean, np.where(constant, 1.0, deviation)
