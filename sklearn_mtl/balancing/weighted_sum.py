"""The base of methods that are a weighted sum, whose weights are computed and not differentiated."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from sklearn_mtl.balancing.balancer import LossBalancer


class WeightedSum(LossBalancer):
    """A sum of the losses by weights that follow from the losses, the epoch or chance.

    A method of your own of this form defines `weigh` and nothing else; it costs no automatic differentiation.
    """

    @abstractmethod
    def weigh(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return what each loss is multiplied by, shape (n_tasks,), the user's weight included.

        Parameters
        ----------
        losses : tensor of shape (n_tasks,)
            Scale-free losses, without gradient; 0 for a task without labels in the batch.
        weights : tensor of shape (n_tasks,)
            As in ``forward``: 0 for a task that takes no part.
        """

    def forward(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the sum of the losses by their weights, which count as constants."""
        return losses @ self.weigh(losses.detach(), weights)

    def differentiate(self, losses: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted sum, and the weights."""
        if losses.ndim > 1 or type(self).forward is not WeightedSum.forward:
            return super().differentiate(losses, weights)
        rates = self.weigh(losses, weights)
        return losses @ rates, rates


def softmax_weights(logits: Tensor, weights: Tensor) -> Tensor:
    """Return the user's weights times a softmax over the tasks that take part, times their number.

    Where all logits are equal, these are the user's weights.

    Parameters
    ----------
    logits : tensor of shape (n_tasks,)
        Any finite numbers.
    weights : tensor of shape (n_tasks,)
        The user's weights, 0 for a task that takes no part.
    """
    taking_part = weights > 0
    # A finite number, as without any task there is no softmax over minus infinity.
    shares = torch.where(taking_part, logits, torch.finfo(logits.dtype).min).softmax(-1)
    return weights * shares * taking_part.sum(-1)
