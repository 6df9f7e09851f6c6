"""The base of methods that balance by gradients."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing.balancer import Balancer, checked
from sklearn_mtl.tasks import StepLosses


class GradientBalancer(Balancer):
    """From the gradients of the tasks to one gradient of the shared parameters.

    Parameters that one task alone trains get the gradient of its weighted loss. Learned parameters are for a
    `LossBalancer`: here they get no gradient, and stay as they are.
    """

    def __call__(self, gradients: Tensor, losses: Tensor, weights: Tensor) -> Tensor:
        """Return what `forward` returns, checked.

        Raises
        ------
        TypeError
            If it is no tensor.
        ValueError
            If its shape is not (n_parameters,).
        """
        shape = tuple(gradients.shape[1:])
        found = super().__call__(gradients, losses, weights)
        return checked(found, shape, self, f"one gradient, a tensor of shape {shape}")

    @abstractmethod
    def forward(self, gradients: Tensor, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the gradient to follow, shape (n_parameters,).

        Parameters
        ----------
        gradients : tensor of shape (n_tasks, n_parameters)
            The gradient of each task's loss in the shared parameters, flattened.
        losses : tensor of shape (n_tasks,)
            Scale-free losses, without gradient; 0 for a task without labels in the batch.
        weights : tensor of shape (n_tasks,)
            The task weights of the user, and 0 for a task without labels in the batch. A task of weight 0
            takes no part, even where it has labels.
        """

    def backward(
        self, losses: StepLosses, weights: Tensor, penalty: Tensor | None, shared: Sequence[nn.Parameter]
    ) -> Tensor:
        """Put the balanced gradient on the shared parameters, and that of the weighted sum on all others."""
        weights = self.taking_part(weights, losses.mass)
        shared = [parameter for parameter in shared if parameter.requires_grad]
        # A frozen trunk, or one without layers, has nothing to balance.
        gradients = self._per_task(losses, shared) if shared else None
        total = losses.values @ weights
        losses.raw.backward(losses.gradient(weights), retain_graph=penalty is not None)
        if gradients is not None:
            balanced = self(gradients, losses.values, weights)
            sizes = [parameter.numel() for parameter in shared]
            for parameter, flat in zip(shared, balanced.split(sizes), strict=True):
                parameter.grad = flat.view_as(parameter).clone()
        if penalty is not None and penalty.requires_grad:
            penalty.backward()
        return total if penalty is None else total + penalty.detach()

    @staticmethod
    def _per_task(losses: StepLosses, shared: Sequence[nn.Parameter]) -> Tensor:
        rows = []
        for task in torch.diag_embed(torch.ones_like(losses.values)):
            found = torch.autograd.grad(
                losses.raw, shared, losses.gradient(task), retain_graph=True, materialize_grads=True
            )
            rows.append(torch.cat([gradient.flatten() for gradient in found]))
        return torch.stack(rows)
