"""Fixed task weights."""

from __future__ import annotations

from torch import Tensor

from sklearn_mtl.balancing.balancer import LossBalancer


class StaticWeights(LossBalancer):
    """The weighted sum of the losses, Σ w_t L_t.

    With tuned weights it matches the elaborate methods (Kurin et al. 2022, "In Defense of the Unitary
    Scalarization for Deep Multi-Task Learning", eq. 1; Xin et al. 2022).

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import StaticWeights
    >>> StaticWeights()(torch.tensor([1.0, 0.5]), torch.tensor([1.0, 2.0]))
    tensor(2.)
    """

    def forward(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted sum."""
        return losses @ weights

    @property
    def _is_own_sum(self) -> bool:
        """Whether this is a user's subclass with a sum of its own."""
        return type(self).forward is not StaticWeights.forward

    def taking_part(self, weights: Tensor, mass: Tensor) -> Tensor:
        """Return the weights as they are: a loss that is 0, as it has no label, adds nothing to a sum."""
        return super().taking_part(weights, mass) if self._is_own_sum else weights

    def differentiate(self, losses: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted sum, and the weights."""
        if self._is_own_sum:
            return super().differentiate(losses, weights)
        total = losses @ weights if losses.ndim == 1 else (losses * weights).sum(-1)
        return total, weights

    def effective_weights(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the weights."""
        return weights if type(self) is StaticWeights else super().effective_weights(losses, weights)
