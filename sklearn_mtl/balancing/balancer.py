"""The base of all balancing methods, and that of those that balance by losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, Self

import torch
from sklearn.base import BaseEstimator, clone
from torch import Tensor, nn
from torch.func import vmap

from sklearn_mtl.messages import shown
from sklearn_mtl.sharing import SharingModule
from sklearn_mtl.tasks import StepLosses, Task


class Balancer(BaseEstimator, nn.Module, ABC):
    """What both bases share: parameters as scikit-learn has them, state as torch has it.

    A balancer of your own derives from `LossBalancer` or `GradientBalancer`; from this class only if it needs
    both the losses and the graph behind them, as GradNorm does. All methods but `backward` are hooks.
    """

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def fresh(self, n_tasks: int) -> Self:
        """Return a copy with the same parameters, ready to balance ``n_tasks`` tasks.

        Raises
        ------
        TypeError
            If the ``__init__`` of a subclass does not call that of its base.
        """
        copy: Self = clone(self)
        if "_modules" not in vars(copy):
            name = type(self).__name__
            raise TypeError(
                f"`__init__` of {name} must call `super().__init__()` before it sets anything, as of any "
                "torch.nn.Module. Found no call of it."
            )
        copy.start(n_tasks)
        return copy

    def start(self, n_tasks: int) -> None:
        """Make learned parameters, and buffers for all that is remembered; a hook, by default none.

        Learned parameters are for a `LossBalancer`, or for a balancer whose own ``backward`` trains them.
        """

    def note_tasks(self, tasks: Sequence[Task]) -> None:
        """Take note of the tasks, before training; a hook, by default nothing.

        For parameters that speak of tasks by name, and for what depends on a task's loss. It is called once,
        after `start`. Names and plain numbers may be kept as attributes, what differs from task to task is
        best put into buffers; a task itself holds the scale of its labels, and would keep its network out of
        stacks.

        Parameters
        ----------
        tasks : sequence of Task
            In the order of the losses, which is the user's.

        Raises
        ------
        ValueError
            If the parameters are not for these tasks.
        """

    def without(self, names: Sequence[str]) -> Balancer:
        """Return the recipe for a fit that leaves tasks out; a hook, by default the recipe itself.

        Parameters
        ----------
        names : sequence of str
            Tasks that have no label in the rows of a fold, and which parameters may name.
        """
        return self

    def taking_part(self, weights: Tensor, mass: Tensor) -> Tensor:
        """Return the weights of the tasks that take part in a step, and 0 for a task without a label in it.

        Parameters
        ----------
        weights : tensor of shape (..., n_tasks)
            The task weights of the user; 0 says that a task takes no part.
        mass : tensor of shape (..., n_tasks)
            The weight of the labels in the step.
        """
        # Faster than a comparison, whose result would be converted.
        return weights * mass.sign()

    def looks_at(self, sharing: SharingModule) -> list[nn.Parameter]:
        """Return the parameters whose gradients ``backward`` looks at.

        A hook, by default all trained parameters that several tasks share.

        Parameters
        ----------
        sharing : SharingModule
            The part of the network between the inputs and the heads.

        Raises
        ------
        ValueError
            If it needs some and there are none.
        """
        return [parameter for parameter in sharing.shared_parameters() if parameter.requires_grad]

    @property
    def at_representation(self) -> bool:
        """Whether ``backward`` is given the representation that all tasks read, not parameters."""
        return False

    def param_groups(self) -> list[dict[str, Any]]:
        """Return how the learned parameters are optimized, in groups as a torch optimizer takes them.

        A hook, for a learning rate of their own. By default they have the network's rate, and no weight
        decay, which would draw them to 0. Parameters in no group are optimized like the network's.

        Returns
        -------
        list of dict
            Each with ``"params"``, a parameter or an iterable of them, and settings such as ``"lr"``; those
            that a group does not have are the network's. A group of the network's settings is optimized in
            one with the network's parameters.
        """
        parameters = list(self.parameters())
        return [{"params": parameters, "weight_decay": 0.0}] if parameters else []

    def after_step(self, losses: Callable[[], Tensor]) -> None:
        """Look at what a step of the optimizer has made of the losses; by default, nothing is looked at.

        A hook, called after each step without gradient. What it changes should be a buffer.

        Parameters
        ----------
        losses : callable
            Returns the scale-free losses, shape (n_tasks,), of the rows of the step under the new weights and
            the same dropout masks. It costs a forward pass.
        """

    @property
    def has_after_step(self) -> bool:
        """Whether the balancer has an `after_step` of its own."""
        return type(self).after_step is not Balancer.after_step

    def end_epoch(self, losses: Tensor) -> None:
        """Take note of the mean training losses of an epoch; a hook, by default nothing.

        Parameters
        ----------
        losses : tensor of shape (n_tasks,)
            Scale-free losses; nan for a task without a label in the epoch.
        """

    def epochs_to_wait(self, weights: Tensor) -> int:
        """Return the number of epochs before all tasks are trained; a hook, by default 0.

        Early stopping counts from there: no earlier epoch is the best, and training does not stop by then.

        Parameters
        ----------
        weights : tensor of shape (n_tasks,)
            The task weights of the user; a task of weight 0 is not waited for.
        """
        return 0

    def effective_weights(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return how much each loss counts, for the columns ``weight_…`` of ``history_``; it changes nothing.

        A hook, by default the user's weights, or of a `LossBalancer` the derivative of its ``forward``.

        Parameters
        ----------
        losses, weights : tensor of shape (n_tasks,)
            As in ``forward``, over an epoch: its mean losses.
        """
        return weights

    @abstractmethod
    def backward(
        self, losses: StepLosses, weights: Tensor, penalty: Tensor | None, shared: Sequence[Tensor]
    ) -> Tensor:
        """Put gradients on all parameters.

        Parameters
        ----------
        losses : StepLosses
            Scale-free losses.
        weights : tensor of shape (n_tasks,)
            The task weights of the user; `taking_part` makes of them what ``forward`` is given.
        penalty : tensor or None
            A scalar that is minimised along with the losses, however these are balanced.
        shared : sequence of tensor
            The result of `looks_at`, or the representation, for a balancer that is `at_representation`.

        Returns
        -------
        tensor
            The scalar that was minimised, without gradient.
        """


class LossBalancer(Balancer):
    """From the losses of the tasks to one loss.

    Its learned parameters are trained along with the network.
    """

    def __call__(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return what `forward` returns, checked.

        Raises
        ------
        TypeError
            If it is no tensor.
        ValueError
            If its shape is not ().
        """
        return checked(super().__call__(losses, weights), (), self, "one loss, a scalar tensor")

    @abstractmethod
    def forward(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the loss to be minimised, a scalar.

        Parameters
        ----------
        losses : tensor of shape (n_tasks,)
            Scale-free losses, by which the result is differentiated; 0 for a task without labels in the
            batch.
        weights : tensor of shape (n_tasks,)
            The task weights of the user, and 0 for a task without labels in the batch. A task of weight 0
            takes no part, even where it has labels: it counts in no mean, and nothing is learned of it.
        """

    def effective_weights(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the derivative of the balanced loss in each loss."""
        with torch.enable_grad():
            # A copy, as a step may change buffers.
            return deepcopy(self).differentiate(losses, weights)[1]

    def backward(
        self, losses: StepLosses, weights: Tensor, penalty: Tensor | None, shared: Sequence[Tensor]
    ) -> Tensor:
        """Put the gradient of the balanced loss on all parameters."""
        total, rates = self.differentiate(losses.values, self.taking_part(weights, losses.mass))
        put_gradients(losses.raw, losses.gradient(rates), penalty)
        return total if penalty is None else total + penalty.detach()

    def differentiate(self, losses: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the balanced loss, and its derivative in each loss.

        Its gradient in learned parameters is added to theirs.

        Parameters
        ----------
        losses, weights : tensor of shape (n_tasks,) or (n_networks, n_tasks)
            As in `forward`, for one network or for several, which this balancer then serves alike.

        Returns
        -------
        total : tensor of shape () or (n_networks,)
        rates : tensor, shaped as the losses
        """
        of_one = losses.ndim == 1
        return differentiated(lambda own: self(own, weights) if of_one else vmap(self)(own, weights), losses)


def differentiated(balance: Callable[[Tensor], Tensor], losses: Tensor) -> tuple[Tensor, Tensor]:
    """Return a function of losses, and its derivative in each; parameters in it get their gradients.

    Parameters
    ----------
    balance : callable
        From losses to a scalar, or to a scalar for each network.
    losses : tensor of shape (n_tasks,) or (n_networks, n_tasks)
        Not changed.
    """
    leaf = losses.detach().requires_grad_()
    # A copy, which may be worked on in place.
    total = balance(leaf.clone())
    total.sum().backward()
    return total.detach(), torch.zeros_like(losses) if leaf.grad is None else leaf.grad


def checked(found: Any, shape: tuple[int, ...], balancer: Balancer, expected: str) -> Tensor:
    """Return what a balancer's ``forward`` has returned; raise an error if it is no tensor of this shape."""
    rule = f"`forward` of {type(balancer).__name__} must return {expected}."
    if not isinstance(found, Tensor):
        raise TypeError(f"{rule} Found {shown(found)}, of type {type(found).__name__}.")
    if found.shape != shape:
        raise ValueError(f"{rule} Found a tensor of shape {tuple(found.shape)}.")
    return found


def put_gradients(raw: Tensor, gradient: Tensor, penalty: Tensor | None) -> None:
    """Put gradients on the parameters of a network.

    Parameters
    ----------
    raw, gradient : tensor of one shape
        The network's outputs, and the gradient in them.
    penalty : tensor or None
        A scalar, or one for each network, that is minimised along with the losses; it may be a constant.
    """
    if penalty is None or not penalty.requires_grad:
        raw.backward(gradient)
    else:
        torch.autograd.backward([raw, penalty], [gradient, torch.ones_like(penalty)])
