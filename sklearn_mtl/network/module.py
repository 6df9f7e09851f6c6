"""The network as a whole: blueprint, module and loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from sklearn_mtl.network.generators import draws_alone, is_known, seeded
from sklearn_mtl.network.heads import Heads, first_biases
from sklearn_mtl.network.linear_part import LinearPart
from sklearn_mtl.network.position_heads import PositionHeads
from sklearn_mtl.network.tree_part import TreePart
from sklearn_mtl.sharing import Sharing, SharingModule
from sklearn_mtl.tasks import Task, TaskLosses, TaskSet
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
    heads : Heads or PositionHeads
        Module that turns representations into raw outputs.
    head_width : int
        Outputs of all heads: where tasks have a label for each position, those for one position.
    """

    raw_scale: Tensor

    def __init__(self, sharing: SharingModule, heads: Heads | PositionHeads, head_width: int) -> None:
        super().__init__()
        self.sharing = sharing
        self.heads = heads
        # One over the temperature, 1 until calibrated, and what it is blended with: not used in training.
        self.register_buffer("raw_scale", torch.ones(head_width))
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
        """Return raw outputs divided by the temperatures, blended with those of what stands beside it.

        Where tasks have a label for each position, they are those of all positions that the rows have, NaN
        where a row has none.
        """
        if isinstance(self.heads, PositionHeads):
            return self._calibrated_positions(self.heads, inputs)
        # The network last: it may work on its inputs in place.
        beside = [(part, part(inputs)) for part in self.beside]
        raw = self.of_heads(inputs) * self.raw_scale
        for part, of_part in beside:
            raw = part.blended(raw, of_part)
        return self.sharing.joined(raw)

    def _calibrated_positions(self, heads: PositionHeads, inputs: Mapping[str, Tensor]) -> Tensor:
        # Before the network: it may work on its inputs in place.
        mask = self.sharing.mask(inputs)
        raw = heads.scaled(heads.of_every_position(self.sharing(inputs, heads)), self.raw_scale)
        return raw if mask is None else heads.marked(raw, mask)

    def represent(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the representation averaged over members, tasks side by side, (rows, width)."""
        representation: Tensor = self.sharing(inputs, self.heads)[..., : self.sharing.width]
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
        trunks = (self.trunk, *self.trunk.inner_trunks)
        recipes = (*trunks, self.sharing, self.balancing, *(group.loss for group in self.tasks.groups))
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

    def build(
        self, statistics: Mapping[str, Tensor], labels: Mapping[str, Tensor] = MappingProxyType({})
    ) -> MultiTaskModule:
        """Return a new network, its weights drawn from torch's global generator.

        Parameters
        ----------
        statistics : mapping of str to tensor
            The result of `fit_statistics`.
        labels : mapping of str to tensor, optional
            The ``"y"`` and ``"weight"`` of training rows: biases of heads begin at the log-odds of rare
            classes among them, and others are drawn.
        """
        found = statistics_of_sharing(statistics)
        of_trunk = {name: value for name, value in statistics.items() if not name.startswith(OF_SHARING)}

        self._check_positions()
        trunk = self.trunk.for_tasks(len(self.tasks))
        build = trunk.build_with_positions if self.tasks.n_positions else trunk.build

        def make_trunk() -> TrunkModule:
            built = build(self.spec, of_trunk)
            if built.per_task and not self.sharing.takes_per_task:
                raise ValueError(
                    "`sharing` must be None or HardSharing() for a `trunk` that has a representation for "
                    f"each task, such as {self.trunk!r}. Found {self.sharing!r}."
                )
            return built

        recipe = self.sharing.of_tasks(self.tasks.names).with_statistics(self.tasks.ordered, found)
        sharing = recipe.build(make_trunk, self.tasks.ordered, self.spec)
        heads = self._heads(sharing)
        if labels:
            biases = first_biases(self.tasks.groups, labels["y"], labels["weight"])
            # Such an output is joined with others to that of a task, and its own constant is not known.
            biases[list(sharing.joined_outputs)] = torch.nan
            heads.begin_at(biases)
        return MultiTaskModule(sharing, heads, len(self.tasks.of_heads))

    def _check_positions(self) -> None:
        """Raise a ``ValueError`` for a way of sharing that has no representation for each position."""
        if self.tasks.n_positions and not self.sharing.takes_positions:
            names = [task.name for task in self.tasks if task.position_axes]
            raise ValueError(
                "`sharing` must be one that gives a representation for each position, such as "
                "HardSharing(), where tasks have a label for each. "
                f"Found {shown(self.sharing)} with the tasks {shown(names)}."
            )

    def _heads(self, sharing: SharingModule) -> Heads | PositionHeads:
        """Return new heads: of tasks with a label for each position, and of the others, which come first."""
        hidden_sizes = dict(zip(self.tasks.names, self.head_hidden_sizes, strict=True))

        def heads(width: int, tasks: Sequence[Task]) -> Heads:
            return Heads(
                width,
                sharing.members,
                [task.head_width for task in tasks],
                [hidden_sizes[task.name] for task in tasks],
                per_task=sharing.per_task,
                constant=[task.constant_outputs for task in tasks],
                column_scale=sharing.column_scale,
            )

        of_rows = [task for task in self.tasks.ordered if not task.position_axes]
        if sharing.position_width is None:
            return heads(sharing.width, of_rows)
        of_positions = self.tasks.ordered[len(of_rows) :]
        return PositionHeads(
            heads(sharing.width, of_rows) if of_rows else None,
            heads(sharing.position_width, of_positions),
            sharing.width,
            sharing.position_width,
            [task.head_width for task in of_positions],
            self.tasks.n_positions,
            fixed=of_positions[0].position_axes > 1,
        )

    def renew(self, module: MultiTaskModule, loss: BalancedLoss) -> None:
        """Make a trained network and its loss ready to be trained on as those of this blueprint.

        Task weights may be others, and rows may have more positions with a label.

        Parameters
        ----------
        module : MultiTaskModule
            Built from a blueprint of the same recipes and tasks.
        loss : BalancedLoss
            Its loss, which keeps the baselines.
        """
        loss.weights.copy_(torch.tensor(self.task_weights))
        # Temperatures, and the shares of what stands beside it, belong to the weights of before.
        module.raw_scale.fill_(1.0)
        module.put_beside({})
        if isinstance(module.heads, PositionHeads):
            module.heads.n_positions = self.tasks.n_positions
            loss.losses = loss.losses.for_tasks(self.tasks)

    def can_validate_on(self, weight: Tensor) -> bool:
        """Whether held-out rows have a label of a task of positive weight.

        Parameters
        ----------
        weight : tensor of shape (n_rows, n_columns)
            Cell weights of the rows, 0 where a label is missing.
        """
        weights = torch.tensor(self.task_weights)[torch.tensor(self.tasks.column_task)]
        return bool((weight.cpu()[:, weights > 0] > 0).any())

    def epochs_to_wait(self) -> int:
        """Return the number of epochs before all tasks of positive weight are trained."""
        if type(self.balancing).epochs_to_wait is Balancer.epochs_to_wait:
            return 0
        with seeded(0, torch.device("cpu")):
            return self._new_balancer().epochs_to_wait(torch.tensor(self.task_weights))

    def _new_balancer(self) -> Balancer:
        balancer = self.balancing.fresh(len(self.tasks))
        balancer.note_tasks(self.tasks.tasks)
        return balancer

    def build_loss(self, y: Tensor, weight: Tensor, baseline: Tensor | None = None) -> BalancedLoss:
        """Return the loss, given the encoded targets and the cell weights of the training rows.

        Parameters
        ----------
        y, weight : tensor of shape (n_rows, n_columns)
            They determine the loss of each task's best constant prediction, by which its loss is divided.
        baseline : tensor of shape (n_tasks,), optional
            These losses, where they are known already.
        """
        balancer = self._new_balancer().to(y.dtype)
        weights = torch.tensor(self.task_weights, dtype=y.dtype, device=y.device)
        return BalancedLoss(TaskLosses(self.tasks, y, weight, baseline), balancer, weights)
