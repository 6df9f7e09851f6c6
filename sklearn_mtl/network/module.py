"""The network as a whole: blueprint, module and loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing import Balancer
from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.network.balanced_loss import BalancedLoss
from sklearn_mtl.network.beside import ModelBeside
from sklearn_mtl.network.generators import draws_alone, is_known
from sklearn_mtl.network.heads import Heads
from sklearn_mtl.network.linear_part import LinearPart
from sklearn_mtl.network.tree_part import TreePart
from sklearn_mtl.sharing import Sharing, SharingModule
from sklearn_mtl.tasks import TaskLosses, TaskSet
from sklearn_mtl.trunks import Trunk, TrunkModule

# All that may stand beside a network, in the order in which it is blended.
PARTS: tuple[type[ModelBeside], ...] = (LinearPart, TreePart)

# Statistics of the way of sharing have this before their names, to tell them from those of the trunk.
OF_SHARING = "sharing."


def statistics_of_sharing(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the `Blueprint.fit_statistics` that are the way of sharing's, by its own names."""
    return {
        name.removeprefix(OF_SHARING): value
        for name, value in statistics.items()
        if name.startswith(OF_SHARING)
    }


def _tensors_of(recipe: object, found: Any) -> Mapping[str, Tensor]:
    """Return what a recipe found in the training rows; a ``TypeError`` unless it is tensors by name."""
    rule = f"`fit_statistics` of {type(recipe).__name__} must return a dict of tensors."
    if not isinstance(found, Mapping):
        raise TypeError(f"{rule} Found {shown(found)}, of type {type(found).__name__}.")
    for name, value in found.items():
        if not isinstance(value, Tensor):
            of_type = f"of type {type(value).__name__}"
            raise TypeError(f"{rule} Found {shown(value)}, {of_type}, for {shown(name)}.")
    return found


class MultiTaskModule(nn.Module):
    """From inputs to the raw outputs of all tasks.

    Parameters
    ----------
    sharing : SharingModule
        Module that turns inputs into representations.
    heads : Heads
        Module that turns representations into raw outputs.
    raw_width : int
        Raw outputs of all tasks.
    """

    raw_scale: Tensor

    def __init__(self, sharing: SharingModule, heads: Heads, raw_width: int) -> None:
        super().__init__()
        self.sharing = sharing
        self.heads = heads
        # One over the temperature, 1 until calibrated, and what it is blended with: not used in training.
        self.register_buffer("raw_scale", torch.ones(raw_width))
        self.linear: LinearPart | None = None
        self.trees: TreePart | None = None

    @property
    def beside(self) -> list[ModelBeside]:
        """What stands beside the network, in the order in which it is blended."""
        found = (getattr(self, part.name) for part in PARTS)
        return [part for part in found if part is not None]

    def put_beside(self, parts: Mapping[str, ModelBeside | None]) -> None:
        """Put models beside the network, in the place of all that stood there.

        Parameters
        ----------
        parts : mapping of str to ModelBeside or None
            The models by the names that the network has for them.
        """
        for part in PARTS:
            setattr(self, part.name, parts.get(part.name))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return raw outputs, shape (rows, members, raw_width)."""
        return self.sharing.joined(self.of_heads(inputs))

    def of_heads(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the outputs of the heads, before the way of sharing joins them, of the same shape."""
        raw: Tensor = self.heads(self.sharing(inputs, self.heads))
        return raw

    def noting(self, noted: list[Tensor], inputs: Mapping[str, Tensor]) -> Tensor:
        """Return what `forward` does; the list then holds the representation that the heads read."""
        noted[:] = [self.sharing(inputs, self.heads)]
        return self.sharing.joined(self.heads(*noted))

    def calibrated(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return raw outputs divided by the temperatures, blended with those of what stands beside it."""
        # The network last: it may work on its inputs in place.
        beside = [(part, part(inputs)) for part in self.beside]
        raw = self.of_heads(inputs) * self.raw_scale
        for part, of_part in beside:
            raw = part.blended(raw, of_part)
        return self.sharing.joined(raw)

    def represent(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the representation averaged over members, tasks side by side, (rows, width)."""
        representation: Tensor = self.sharing(inputs, self.heads)
        return representation.mean(1).flatten(1)


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

    @property
    def draws_alone(self) -> bool:
        """Whether building, and the losses, draw from a network's own generators alone: all is known."""
        recipes = (self.trunk, self.sharing, self.balancing, *(group.loss for group in self.tasks.groups))
        return all(map(is_known, recipes)) and all(
            draws_alone(part)
            for recipe in recipes
            for part in (recipe, *vars(recipe).values())
            if isinstance(part, nn.Module)
        )

    def fit_statistics(
        self, sample: Mapping[str, Tensor], labels: Mapping[str, Tensor] = MappingProxyType({})
    ) -> dict[str, Tensor]:
        """Return what trunk and sharing must know of the encoded training rows before they are built.

        Parameters
        ----------
        sample : mapping of str to tensor
            Input blocks of some rows, for the trunk.
        labels : mapping of str to tensor, optional
            Their ``"y"`` and ``"weight"``, for the way of sharing.

        Raises
        ------
        TypeError
            If a recipe returns anything but tensors by name.
        """
        of_trunk = _tensors_of(self.trunk, self.trunk.fit_statistics(self.spec, sample))
        found = _tensors_of(self.sharing, self.sharing.fit_statistics(self.tasks.ordered, labels))
        return {**of_trunk, **{OF_SHARING + name: value for name, value in found.items()}}

    def build(self, statistics: Mapping[str, Tensor]) -> MultiTaskModule:
        """Return a new network, its weights drawn from torch's global generator.

        Parameters
        ----------
        statistics : mapping of str to tensor
            The result of `fit_statistics`.
        """
        found = statistics_of_sharing(statistics)
        of_trunk = {name: value for name, value in statistics.items() if not name.startswith(OF_SHARING)}

        def make_trunk() -> TrunkModule:
            return self.trunk.build(self.spec, of_trunk)

        recipe = self.sharing.of_tasks(self.tasks.names).with_statistics(self.tasks.ordered, found)
        sharing = recipe.build(make_trunk, self.tasks.ordered, self.spec)
        heads = Heads(
            sharing.width,
            sharing.members,
            [task.width for task in self.tasks.ordered],
            [self.head_hidden_sizes[position] for position in self.tasks.order],
            per_task=sharing.per_task,
            constant=[task.constant_outputs for task in self.tasks.ordered],
            column_scale=sharing.column_scale,
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
        balancer = self.balancing.fresh(len(self.tasks))
        balancer.note_tasks(self.tasks.tasks)
        balancer = balancer.to(y.dtype)
        weights = torch.tensor(self.task_weights, dtype=y.dtype, device=y.device)
        return BalancedLoss(TaskLosses(self.tasks, y, weight), balancer, weights)
