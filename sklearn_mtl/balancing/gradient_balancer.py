"""The base of methods that balance by gradients."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing.balancer import Balancer, checked
from sklearn_mtl.balancing.loss_weights import some_shared
from sklearn_mtl.balancing.task_gradients import task_gradients
from sklearn_mtl.messages import shown
from sklearn_mtl.sharing import SharingModule
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

    def looks_at(self, sharing: SharingModule) -> list[nn.Parameter]:
        """Return the trained parameters that several tasks share; a ``ValueError``, if there are none."""
        found = some_shared(self, super().looks_at(sharing), sharing)
        if self.at_representation and sharing.per_task:
            raise ValueError(
                f"`at` of {type(self).__name__} must be 'parameters' where each task has a representation "
                f"of its own, as with this `sharing`. Found {shown(getattr(self, 'at', None))}."
            )
        return found

    def backward(
        self, losses: StepLosses, weights: Tensor, penalty: Tensor | None, shared: Sequence[Tensor]
    ) -> Tensor:
        """Put the balanced gradient on what is shared, and that of the weighted sum on all else."""
        weights = self.taking_part(weights, losses.mass)
        # A frozen trunk, or one without layers, has nothing to balance.
        shared = [tensor for tensor in shared if tensor.requires_grad]
        own = leaves_beside(losses.raw, shared)
        balanced = self._balanced(losses, weights, shared) if shared else []
        if own:
            retain = penalty is not None or any(not tensor.is_leaf for tensor in shared)
            losses.raw.backward(losses.gradient(weights), retain_graph=retain, inputs=own)
        inner, slopes = [], []
        for tensor, gradient in zip(shared, balanced, strict=True):
            if tensor.is_leaf:
                tensor.grad = gradient
            else:
                inner.append(tensor)
                slopes.append(gradient)
        if penalty is not None and penalty.requires_grad:
            inner.append(penalty)
            slopes.append(torch.ones_like(penalty))
        if inner:
            torch.autograd.backward(inner, slopes)
        total = losses.values @ weights
        return total if penalty is None else total + penalty.detach()

    def _balanced(self, losses: StepLosses, weights: Tensor, shared: Sequence[Tensor]) -> list[Tensor]:
        found = [gradient.flatten(1) for gradient in task_gradients(losses, shared)]
        gradients = torch.cat(found, dim=1).to(losses.values)
        balanced = self(gradients, losses.values, weights).split([tensor.numel() for tensor in shared])
        return [flat.view_as(tensor).to(tensor) for flat, tensor in zip(balanced, shared, strict=True)]


def leaves_beside(raw: Tensor, shared: Sequence[Tensor]) -> list[Tensor]:
    """Return the parameters that outputs depend on by a way that does not lead through what is shared.

    Parameters
    ----------
    raw : tensor
        Outputs with a graph.
    shared : sequence of tensor
        Parameters, or tensors within the graph.
    """
    found = []
    seen: set[Any] = {tensor.grad_fn for tensor in shared} | {None}
    passed = {id(tensor) for tensor in shared}
    nodes: list[Any] = [raw.grad_fn]
    while nodes:
        node = nodes.pop()
        if node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None and id(leaf) not in passed:
            found.append(leaf)
        nodes.extend(following for following, _ in node.next_functions)
    return found
