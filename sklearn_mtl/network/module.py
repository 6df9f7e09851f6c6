"""The network, whole: a way of sharing, and heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing import Balancer
from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.network.heads import Heads
from sklearn_mtl.sharing import Sharing, SharingModule
from sklearn_mtl.tasks import TaskLosses, TaskSet
from sklearn_mtl.trunks import Trunk, TrunkModule


class MultiTaskModule(nn.Module):
    """From inputs to the raw outputs of all tasks.

    Parameters
    ----------
    sharing : SharingModule
        From inputs to representations.
    heads : Heads
        From representations to raw outputs.
    raw_width : int
        Raw outputs of all tasks.
    """

    raw_scale: Tensor

    def __init__(self, sharing: SharingModule, heads: Heads, raw_width: int) -> None:
        super().__init__()
        self.sharing = sharing
        self.heads = heads
        # One over the temperature; 1 until calibrated, and not used in training.
        self.register_buffer("raw_scale", torch.ones(raw_width))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return raw outputs, shape (rows, members, raw_width)."""
        raw: Tensor = self.heads(self.sharing(inputs, self.heads))
        return raw

    def calibrated(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return raw outputs divided by the temperatures."""
        return self(inputs) * self.raw_scale

    def represent(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the representation averaged over members, tasks side by side, (rows, width)."""
        representation: Tensor = self.sharing(inputs, self.heads)
        return representation.mean(1).flatten(1)


class BalancedLoss(nn.Module):
    """Per-task losses, and what the balancer makes of them.

    Parameters
    ----------
    losses : TaskLosses
        Scale-free losses of the tasks.
    balancer : Balancer
        Makes one update of them; its learned parameters are trained with the network.
    weights : tensor of shape (n_tasks,)
        The task weights of the user.
    """

    weights: Tensor

    def __init__(self, losses: TaskLosses, balancer: Balancer, weights: Tensor) -> None:
        super().__init__()
        self.losses = losses
        self.balancer = balancer
        self.register_buffer("weights", weights)


@dataclass(frozen=True, eq=False)
class Blueprint:
    """Everything a network is built from.

    Parameters
    ----------
    spec : FeatureSpec
        The inputs.
    tasks : TaskSet
        The tasks.
    trunk, sharing, balancing
        The recipes.
    head_hidden_sizes : tuple of tuple of int
        Hidden layers of each task's branch, in the user's order of tasks.
    task_weights : tuple of float
        In the user's order of tasks.
    """

    spec: FeatureSpec
    tasks: TaskSet
    trunk: Trunk
    sharing: Sharing
    balancing: Balancer
    head_hidden_sizes: tuple[tuple[int, ...], ...]
    task_weights: tuple[float, ...]

    def fit_statistics(self, sample: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what the trunk must know of the encoded training rows, to be built."""
        return self.trunk.fit_statistics(self.spec, sample)

    def build(self, statistics: Mapping[str, Tensor]) -> MultiTaskModule:
        """Return a new network, drawn from torch's global generator.

        Parameters
        ----------
        statistics : mapping of str to tensor
            What `fit_statistics` returned.
        """

        def make_trunk() -> TrunkModule:
            return self.trunk.build(self.spec, statistics)

        sharing = self.sharing.build(make_trunk, self.tasks.ordered, self.spec)
        heads = Heads(
            sharing.width,
            sharing.members,
            [task.width for task in self.tasks.ordered],
            [self.head_hidden_sizes[position] for position in self.tasks.order],
            per_task=sharing.per_task,
            constant=[task.constant_outputs for task in self.tasks.ordered],
        )
        return MultiTaskModule(sharing, heads, self.tasks.raw_width)

    def can_validate_on(self, weight: Tensor) -> bool:
        """Whether rows of these cell weights have a label of a task of positive weight."""
        weights = torch.tensor(self.task_weights)[torch.tensor(self.tasks.column_task)]
        return bool((weight.cpu()[:, weights > 0] > 0).any())

    def build_loss(self, y: Tensor, weight: Tensor) -> BalancedLoss:
        """Return the loss for the encoded targets and cell weights of the training rows."""
        balancer = self.balancing.fresh(len(self.tasks))
        weights = torch.tensor(self.task_weights, dtype=y.dtype, device=y.device)
        return BalancedLoss(TaskLosses(self.tasks, y, weight), balancer, weights)
