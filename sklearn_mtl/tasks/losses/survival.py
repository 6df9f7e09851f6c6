"""The loss of survival tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from sklearn_mtl.tasks.losses.classification import smallest
from sklearn_mtl.tasks.losses.row_loss import ProbabilityLoss, weighted_mean


@dataclass(frozen=True)
class DiscreteHazards(ProbabilityLoss):
    """Minus the log-likelihood of right-censored times, by the hazard of each of several intervals.

    A row that survived j intervals and had the event in the next one contributes
    -log h_j - Σ_{i<j} log(1 - h_i), a censored one the sum alone (Gensheimer & Narasimhan 2019, "A scalable
    discrete-time survival model for neural networks", eq. 3). A target is ``2 * j + event``. Raw outputs are
    the log-odds of the hazards, less those that make the event equally probable in each interval and after
    the last. The responses, which are averaged, are the probabilities to survive each interval; they are the
    decision too, since the task knows the times.

    Parameters
    ----------
    n_intervals : int
        Number of intervals.
    """

    n_intervals: int

    metric: ClassVar[str] = "log_likelihood"

    @property
    def width(self) -> int:
        """One hazard for each interval."""
        return self.n_intervals

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        logit = raw + self._even(raw)
        survived, ended = self._known(raw, y)
        return (F.softplus(logit) * survived + F.softplus(-logit) * ended).sum(-1)

    def with_slope(self, raw: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each cell, and how far the hazards are from what is known."""
        logit = raw + self._even(raw)
        survived, ended = self._known(raw, y)
        loss = (F.softplus(logit) * survived + F.softplus(-logit) * ended).sum(-1)
        return loss, logit.sigmoid() * (survived + ended) - ended

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the log-odds of the hazards of all rows together, events by rows at risk."""
        like = weight.unsqueeze(-1).expand(*y.shape, self.n_intervals)
        survived, ended = self._known(like, y)
        events = (ended * weight.unsqueeze(-1)).sum(0)
        at_risk = events + (survived * weight.unsqueeze(-1)).sum(0)
        hazard = torch.where(at_risk > 0, events / at_risk.clamp_min(1e-30), 0.5)
        return hazard.logit(eps=1e-9) - self._even(like)

    def response(self, raw: Tensor) -> Tensor:
        """Return the probability to survive each interval."""
        return (-F.softplus(raw + self._even(raw))).cumsum(-1).exp()

    def link(self, response: Tensor) -> Tensor:
        """Return the log-odds of the hazards."""
        survival = response.clamp_min(torch.finfo(response.dtype).tiny)
        before = torch.cat([torch.ones_like(survival[..., :1]), survival[..., :-1]], dim=-1)
        return -(survival / before).logit(eps=smallest(response)) - self._even(response)

    def decision(self, response: Tensor) -> Tensor:
        """Return the response."""
        return response

    def log_loss(self, response: Tensor, y: Tensor) -> Tensor:
        """Return minus the log-likelihood of each row."""
        return self(self.link(response), y)

    def score(self, response: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Return the mean log-likelihood of each column."""
        return -weighted_mean(self(self.link(response), y), weight)

    def _known(self, like: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return whether each interval is known to be survived, and to hold the event, as 0 and 1."""
        code = y.long().unsqueeze(-1)
        count, event = code // 2, code % 2
        interval = torch.arange(self.n_intervals, device=y.device)
        return (interval < count).to(like.dtype), ((interval == count) & (event == 1)).to(like.dtype)

    def _even(self, like: Tensor) -> Tensor:
        """Return the log-odds of the hazards that make the event equally probable everywhere."""
        return -torch.arange(self.n_intervals, 0, -1, dtype=like.dtype, device=like.device).log()
