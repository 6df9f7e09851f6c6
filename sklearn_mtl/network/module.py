"""The network as a whole, its loss, and the blueprint that both are built from."""

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
    """The losses of all tasks, and the balancer that makes one update of them.

    Parameters
    ----------
    losses : TaskLosses
        Scale-free losses of the tasks.
    balancer : Balancer
        Its learned parameters are trained with the network.
    weights : tensor of shape (n_tasks,)
        The user's task weights.
    """

    weights: Tensor

    def __init__(self, losses: TaskLosses, balancer: Balancer, weights: Tensor) -> None:
        super().__init__()
        self.losses = losses
        self.balancer = balancer
        self.register_buffer("weights", weights)


@dataclass(frozen=True, eq=False)
class Blueprint:
    """Everything a network and its loss are built from.

    Parameters
    ----------
    spec : FeatureSpec
        Names, kinds and shapes of the input blocks.
    tasks : TaskSet
        The tasks, with the classes and scales of their labels.
    trunk : Trunk
        The recipe from inputs to representation.
    sharing : Sharing
        The recipe for how tasks share trunks.
    balancing : Balancer
        The recipe from per-task losses to one update.
    head_hidden_sizes : tuple of tuple of int
        Hidden layers of each task's own branch, in the user's order of tasks.
    task_weights : tuple of float
        Weight of each task, in the user's order of tasks.
    """

    spec: FeatureSpec
    tasks: TaskSet
    trunk: Trunk
    sharing: Sharing
    balancing: Balancer
    head_hidden_sizes: tuple[tuple[int, ...], ...]
    task_weights: tuple[float, ...]

    def fit_statistics(self, sample: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what the trunk must know of the encoded training rows before it is built."""
        return self.trunk.fit_statistics(self.spec, sample)

    def build(self, statistics: Mapping[str, Tensor]) -> MultiTaskModule:
        """Return a new network, its weights drawn from torch's global generator.

        Parameters
        ----------
        statistics : mapping of str to tensor
            The result of `fit_statistics`.
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
        """Whether held-out rows have a label of a task of positive weight.

        Parameters
        ----------
        weight : tensor of shape (n_rows, n_columns)
            Cell weights of the rows, 0 where a label is missing.
        """
        weights = torch.tensor(self.task_weights)[torch.tensor(self.tasks.column_task)]
        return bool((weight.cpu()[:, weights > 0] > 0).any())

    def build_loss(self, y: Tensor, weight: Tensor) -> BalancedLoss:
        """Return the loss, given the encoded targets and the cell weights of the training rows.

        Parameters
        ----------
        y, weight : tensor of shape (n_rows, n_columns)
            They determine the loss of each task's best constant prediction, by which its loss is divided.
        """
        balancer = self.balancing.fresh(len(self.tasks)).to(y.dtype)
        weights = torch.tensor(self.task_weights, dtype=y.dtype, device=y.device)
        return BalancedLoss(TaskLosses(self.tasks, y, weight), balancer, weights)
