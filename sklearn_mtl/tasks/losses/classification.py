"""Losses of classification and multilabel tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from sklearn_mtl.tasks.losses.constants import best_logits
from sklearn_mtl.tasks.losses.row_loss import ProbabilityLoss, summed, weighted_mean


@dataclass(frozen=True)
class BinaryCrossEntropy(ProbabilityLoss):
    """Cross-entropy of a 0/1 column, one logit each.

    Parameters
    ----------
    label_smoothing : float
        Share of the label that is spread evenly over both classes (Szegedy et al. 2016).
    focusing : float
        The exponent of the focal loss, (1 - p)^focusing times the cross-entropy (Lin et al. 2017,
        eq. 4); 0 is the cross-entropy itself.
    """

    label_smoothing: float = 0.0
    focusing: float = 0.0

    metric: ClassVar[str] = "accuracy"

    @property
    def width(self) -> int:
        """One logit."""
        return 1

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        logit = raw[..., 0]
        y = y.expand_as(logit)
        loss = F.binary_cross_entropy_with_logits(logit, self._smoothed(y), reduction="none")
        if self.focusing == 0:
            return loss
        wrong = torch.sigmoid(torch.where(y > 0.5, -logit, logit))
        return wrong**self.focusing * loss

    def with_slope(self, raw: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each cell, and how far the probability is from the label."""
        if self.focusing:
            return super().with_slope(raw, y)
        target = self._smoothed(y).unsqueeze(-1).expand_as(raw)
        loss = F.binary_cross_entropy_with_logits(raw, target, reduction="none")
        return loss.squeeze(-1), raw.sigmoid().sub_(target)

    def _smoothed(self, y: Tensor) -> Tensor:
        """Return the probability that the label stands for."""
        return y * (1 - self.label_smoothing) + 0.5 * self.label_smoothing if self.label_smoothing else y

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the log-odds of the smoothed prior; with focusing, the result of a search from there."""
        prior = weighted_mean(y, weight)
        logit = self._smoothed(prior).clamp(1e-6, 1 - 1e-6).logit()[:, None]
        return best_logits(self, logit, torch.stack([1 - prior, prior])) if self.focusing else logit

    def condensed(self, y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return two rows, one a class."""
        of_one = (y * weight).sum(0, dtype=torch.float64)
        mass = torch.stack([summed(weight, torch.float64) - of_one, of_one])
        return mass.new_tensor([[0.0], [1.0]]).expand_as(mass), mass

    def response(self, raw: Tensor) -> Tensor:
        """Return the probability of the second class."""
        return raw.sigmoid()

    def log_response(self, raw: Tensor) -> Tensor:
        """Return the log-probabilities of both classes."""
        return torch.cat([F.logsigmoid(-raw), F.logsigmoid(raw)], dim=-1)

    def decision(self, response: Tensor) -> Tensor:
        """Return whether it is the second class."""
        return response[..., 0] > 0.5

    def link(self, response: Tensor) -> Tensor:
        """Return the log-odds."""
        return response.logit(eps=smallest(response))

    def log_loss(self, response: Tensor, y: Tensor) -> Tensor:
        """Return minus the log-probability of each label."""
        return F.binary_cross_entropy(response[..., 0], y, reduction="none")

    def score(self, response: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Return the accuracy of each column."""
        return weighted_mean((self.decision(response) == (y > 0.5)).to(weight.dtype), weight)


@dataclass(frozen=True)
class ShiftedBinaryCrossEntropy(BinaryCrossEntropy):
    """Cross-entropy of weighted classes, for a logit of the probability in the data.

    Where the second class counts w times as much as the first, the cross-entropy is least at a probability q
    whose odds are w times those in the data (Elkan 2001). Here the raw output is the log-odds in the data,
    and the loss that of the raw output plus log w. `BinaryCrossEntropy` has the same loss at the log-odds of
    q. The responses, which are averaged over members and networks, are those in the data; the decision is
    the class of the larger q.

    Parameters
    ----------
    label_smoothing, focusing : float
        The same as in `BinaryCrossEntropy`.
    shift : float
        The logarithm of w.
    """

    shift: float = 0.0

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        return super().__call__(raw + self.shift, y)

    def with_slope(self, raw: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each cell, and its derivative."""
        return self._unshifted.with_slope(raw + self.shift, y)

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the best log-odds of q, less the shift."""
        return self._unshifted.constant(y, weight) - self.shift

    def decision(self, response: Tensor) -> Tensor:
        """Return whether it is the second class by q."""
        return response[..., 0] > 1 / (1 + math.exp(self.shift))

    def log_loss(self, response: Tensor, y: Tensor) -> Tensor:
        """Return minus the logarithm of the q of each label."""
        logit = self.link(response)[..., 0] + self.shift
        return F.binary_cross_entropy_with_logits(logit, y.expand_as(logit), reduction="none")

    @property
    def _unshifted(self) -> BinaryCrossEntropy:
        return BinaryCrossEntropy(self.label_smoothing, self.focusing)


@dataclass(frozen=True)
class CodeLoss(ProbabilityLoss):
    """A loss of class codes, whose responses are the probabilities of all classes.

    Parameters
    ----------
    n_classes : int, default=2
        Number of classes, by keyword only; the kind of task sets it.
    """

    # By keyword only, so that the first argument of a subclass is a parameter of its own.
    n_classes: int = field(default=2, kw_only=True)

    metric: ClassVar[str] = "accuracy"

    @property
    def width(self) -> int:
        """One raw output for each class."""
        return self.n_classes

    def of_classes(self, n_classes: int) -> Self:
        """Return the loss of the same parameters for so many classes."""
        return replace(self, n_classes=n_classes)

    def prior(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the share of each class, (columns, n_classes)."""
        member = F.one_hot(y.long(), self.n_classes).to(weight.dtype)
        return weighted_mean(member.movedim(-1, 0), weight).T.contiguous()

    def condensed(self, y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return one row a class."""
        mass = weight.new_zeros((self.n_classes, y.shape[1]), dtype=torch.float64)
        mass.scatter_add_(0, y.long(), weight.double())
        code = torch.arange(self.n_classes, device=y.device, dtype=torch.float64)
        return code[:, None].expand_as(mass), mass

    def log_loss(self, response: Tensor, y: Tensor) -> Tensor:
        """Return minus the log-probability of each label."""
        right = response.gather(-1, y.long().unsqueeze(-1))[..., 0]
        return -right.clamp_min(1e-30).log()


@dataclass(frozen=True)
class ClassLoss(CodeLoss):
    """A loss of class codes with one logit for each class; the base of one's own for `Classification`.

    All that must be written is the loss of each cell. ``fit`` sets the number of classes; two classes have
    two logits. `constant` is one more hook; by default a search finds the best constant.

    Parameters
    ----------
    n_classes : int, default=2
        Number of classes, by keyword only; `Classification` sets it.

    Examples
    --------
    The cross-entropy plus a multiple of 1 - p (Leng et al. 2022, "PolyLoss"):

    >>> from dataclasses import dataclass
    >>> from sklearn_mtl.tasks import Classification, ClassLoss
    >>> @dataclass(frozen=True)
    ... class PolyLoss(ClassLoss):
    ...     epsilon: float = 1.0
    ...
    ...     def __call__(self, raw, y):
    ...         log_p = raw.log_softmax(-1)
    ...         right = y.long().expand(raw.shape[:-1]).unsqueeze(-1)
    ...         log_p = log_p.gather(-1, right).squeeze(-1)
    ...         return -log_p + self.epsilon * (1 - log_p.exp())
    >>> Classification(loss=PolyLoss(epsilon=2.0))
    Classification(loss=PolyLoss(n_classes=2, epsilon=2.0))
    """

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the result of a search from the logarithm of the prior."""
        prior = self.prior(y, weight)
        return best_logits(self, prior.clamp_min(1e-6).log(), prior.T)

    def bounded_constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the best constants, whose mean is 0: only their differences matter."""
        found = super().bounded_constant(y, weight)
        return found - found.mean(-1, keepdim=True)

    def response(self, raw: Tensor) -> Tensor:
        """Return the class probabilities."""
        return raw.softmax(-1)

    def decision(self, response: Tensor) -> Tensor:
        """Return the code of the most probable class."""
        return response.argmax(-1)

    def link(self, response: Tensor) -> Tensor:
        """Return the log-probabilities."""
        return response.clamp_min(smallest(response)).log()

    def score(self, response: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Return the accuracy of each column."""
        return weighted_mean((self.decision(response) == y.long()).to(weight.dtype), weight)


@dataclass(frozen=True)
class CrossEntropy(ClassLoss):
    """Cross-entropy of a column of class codes, one logit for each class.

    Parameters
    ----------
    label_smoothing, focusing : float
        The same as in `BinaryCrossEntropy`.
    """

    label_smoothing: float = 0.0
    focusing: float = 0.0

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each cell."""
        code = y.long().expand(raw.shape[:-1])
        flat = raw.reshape(-1, self.n_classes)
        loss = F.cross_entropy(
            flat, code.reshape(-1), reduction="none", label_smoothing=self.label_smoothing
        ).view(code.shape)
        if self.focusing == 0:
            return loss
        right = raw.softmax(-1).gather(-1, code.unsqueeze(-1))[..., 0]
        return (1 - right) ** self.focusing * loss

    def with_slope(self, raw: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each cell, and how far the probabilities are from the label."""
        if self.focusing:
            return super().with_slope(raw, y)
        code = y.long().unsqueeze(-1).expand(*raw.shape[:-1], 1)
        log_probability = raw.log_softmax(-1)
        loss = log_probability.gather(-1, code).squeeze(-1).neg_()
        slope = log_probability.exp()
        if self.label_smoothing:
            loss.mul_(1 - self.label_smoothing).sub_(log_probability.mean(-1), alpha=self.label_smoothing)
            slope.sub_(self.label_smoothing / self.n_classes)
        return loss, slope.scatter_(-1, code, self.label_smoothing - 1, reduce="add")

    def log_response(self, raw: Tensor) -> Tensor:
        """Return the log-probabilities of the classes."""
        return raw.log_softmax(-1)

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the logarithm of the smoothed prior; with focusing, the result of a search from there."""
        prior = self.prior(y, weight)
        smooth = prior * (1 - self.label_smoothing) + self.label_smoothing / self.n_classes
        logits = smooth.clamp_min(1e-6).log()
        return best_logits(self, logits, prior.T) if self.focusing else logits


def smallest(probability: Tensor) -> float:
    """Return the smallest distance from 0 and 1 at which a probability differs from them."""
    return torch.finfo(probability.dtype).eps / 2
