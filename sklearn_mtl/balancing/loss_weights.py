"""The base of methods that weigh losses by the gradients of the tasks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing.balancer import Balancer, checked, put_gradients
from sklearn_mtl.balancing.task_gradients import task_gradients
from sklearn_mtl.sharing import SharingModule
from sklearn_mtl.tasks import StepLosses


class LossWeights(Balancer):
    """From the losses of the tasks, and their gradients in shared parameters, to weights of the losses.

    All parameters, those of one task too, get the gradient of the weighted sum.
    """

    def looks_at(self, sharing: SharingModule) -> list[nn.Parameter]:
        """Return the trained parameters that several tasks share; a ``ValueError``, if there are none."""
        return some_shared(self, super().looks_at(sharing), sharing)

    def __call__(self, gradients: Tensor, losses: Tensor, weights: Tensor) -> Tensor:
        """Return what `forward` returns, checked.

        Raises
        ------
        TypeError
            If it is no tensor.
        ValueError
            If its shape is not (n_tasks,).
        """
        found = super().__call__(gradients, losses, weights)
        shape = tuple(losses.shape)
        return checked(found, shape, self, f"a weight for each task, a tensor of shape {shape}")

    @abstractmethod
    def forward(self, gradients: Tensor, losses: Tensor, weights: Tensor) -> Tensor:
        """Return what each loss is multiplied by, shape (n_tasks,), the user's weight included.

        Parameters
        ----------
        gradients : tensor of shape (n_tasks, n_parameters)
            The gradient of each task's loss in the parameters of `looks_at`, flattened.
        losses : tensor of shape (n_tasks,)
            Scale-free losses, without gradient; 0 for a task without labels in the batch.
        weights : tensor of shape (n_tasks,)
            The task weights of the user, and 0 for a task without labels in the batch. A task of weight 0
            takes no part, even where it has labels.
        """

    def backward(
        self, losses: StepLosses, weights: Tensor, penalty: Tensor | None, shared: Sequence[Tensor]
    ) -> Tensor:
        """Put the gradient of the weighted sum on all parameters."""
        weights = self.taking_part(weights, losses.mass)
        found = task_gradients(losses, shared)
        gradients = torch.cat([gradient.flatten(1) for gradient in found], dim=1)
        rates = self(gradients, losses.values, weights).detach()
        put_gradients(losses.raw, losses.gradient(rates), penalty)
        total = losses.values @ rates
        return total if penalty is None else total + penalty.detach()


def some_shared(balancer: Balancer, parameters: Sequence[Any], sharing: SharingModule) -> list[Any]:
    """Return parameters that a balancer looks at; raise a ``ValueError`` if there are none."""
    if parameters:
        return list(parameters)
    found = "with this `sharing` and `trunk`, each trained parameter is one task's own."
    if any(not parameter.requires_grad for parameter in sharing.shared_parameters()):
        found = (
            "what tasks share is frozen now. With `unfreeze_after` of ModuleTrunk, something that they "
            "share must be trained from the first epoch on: name the parts to freeze in `frozen`."
        )
    raise ValueError(
        f"`balancing` {type(balancer).__name__} goes by gradients of parameters that tasks share. "
        f"Found none: {found}"
    )


def mean_one(weights: Tensor, takes_part: Tensor) -> Tensor:
    """Return weights whose mean over the tasks that take part is 1, and 0 for the others.

    Parameters
    ----------
    weights : tensor of shape (n_tasks,)
        Not negative.
    takes_part : tensor of bool, shape (n_tasks,)
        Which tasks do.
    """
    counted = weights * takes_part
    return counted * (takes_part.sum() / counted.sum().clamp_min(torch.finfo(weights.dtype).tiny))
