"""The loss of ordinal tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from sklearn_mtl.tasks.losses.classification import CodeLoss, smallest
from sklearn_mtl.tasks.losses.row_loss import weighted_mean

# Thresholds nearer to each other than this leave no room for a class between them.
SMALLEST_GAP = 1e-6


@dataclass(frozen=True)
class CumulativeLink(CodeLoss):
    """Minus the log-likelihood of the proportional odds model, P(y <= k) = sigmoid(theta_k - f).

    McCullagh (1980), "Regression Models for Ordinal Data", section 2. The raw outputs of a column are f,
    which depends on the row, and n_classes - 1 thresholds, which do not: they are parameters of the model.
    The thresholds are sorted, and are added to those of equal shares of the classes, so that raw outputs of 0
    mean that all classes are equally probable.
    """

    metric: ClassVar[str] = "d2"

    @property
    def n_constant(self) -> int:
        """The thresholds."""
        return self.n_classes - 1

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        logit = self._cumulative(raw)
        code = y.long().expand(raw.shape[:-1])
        upper = logit.gather(-1, code.clamp_max(self.n_classes - 2).unsqueeze(-1)).squeeze(-1)
        lower = logit.gather(-1, (code - 1).clamp_min(0).unsqueeze(-1)).squeeze(-1)
        is_last, is_first = code == self.n_classes - 1, code == 0
        # log(sigmoid(a) - sigmoid(b)) = log sigmoid(a) + log sigmoid(-b) + log(1 - exp(b - a))
        gap = (upper - lower).clamp_min(SMALLEST_GAP)
        between = -torch.log(-torch.expm1(-gap))
        loss = torch.where(is_last, 0, F.softplus(-upper)) + torch.where(is_first, 0, F.softplus(lower))
        return loss + torch.where(is_first | is_last, 0, between)

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return f = 0 and the thresholds of the shares of the classes."""
        return self.link(self.prior(y, weight))

    def response(self, raw: Tensor) -> Tensor:
        """Return the class probabilities."""
        below = self._cumulative(raw).sigmoid()
        return torch.diff(
            below,
            dim=-1,
            prepend=below.new_zeros(1).expand_as(below[..., :1]),
            append=below.new_ones(1).expand_as(below[..., :1]),
        )

    def log_response(self, raw: Tensor) -> Tensor:
        """Return the log-probabilities of the classes."""
        logit = self._cumulative(raw)
        below, above = F.logsigmoid(logit), F.logsigmoid(-logit)
        # As in the loss; classes without room between their thresholds have the smallest number there is.
        gap = logit.diff(dim=-1).clamp_min(torch.finfo(raw.dtype).tiny)
        between = below[..., 1:] + above[..., :-1] + torch.log(-torch.expm1(-gap))
        return torch.cat([below[..., :1], between, above[..., -1:]], dim=-1)

    def link(self, response: Tensor) -> Tensor:
        """Return f = 0 and the thresholds of the cumulated probabilities."""
        below = response.cumsum(-1)[..., :-1]
        thresholds = below.logit(eps=smallest(response)) - self._even(response)
        return torch.cat([torch.zeros_like(response[..., :1]), thresholds], dim=-1)

    def decision(self, response: Tensor) -> Tensor:
        """Return the code of the median class, which has the least expected distance."""
        return (response.cumsum(-1)[..., :-1] < 0.5).sum(-1)

    def score(self, response: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Return the share of the absolute distance from the median class that is explained."""
        code = torch.arange(self.n_classes, device=y.device)
        up_to = ((y.unsqueeze(-1) <= code) * weight.unsqueeze(-1)).sum(-3)
        median = (up_to < weight.sum(-2).unsqueeze(-1) / 2).sum(-1)
        residual = weighted_mean((self.decision(response) - y).abs(), weight)
        total = weighted_mean((median.unsqueeze(-2) - y).abs(), weight)
        return torch.where(total > 0, 1 - residual / total, torch.nan)

    def _cumulative(self, raw: Tensor) -> Tensor:
        """Return the log-odds of each class or one below it, the last one left out."""
        thresholds = (raw[..., 1:] + self._even(raw)).sort(-1).values
        return thresholds - raw[..., :1]

    def _even(self, like: Tensor) -> Tensor:
        """Return the thresholds of equal shares."""
        share = torch.arange(1, self.n_classes, dtype=like.dtype, device=like.device) / self.n_classes
        return share.logit()
