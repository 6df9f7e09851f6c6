"""The network as a whole: blueprint, module, loss, and the heads of all tasks, like ones as one operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing import Balancer
from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.network.linear_part import LinearPart
from sklearn_mtl.network.torch_private import has_hooks
from sklearn_mtl.sharing import Sharing, SharingModule
from sklearn_mtl.tasks import TaskLosses, TaskSet
from sklearn_mtl.trunks import Trunk, TrunkModule
from sklearn_mtl.trunks.layers import MemberLinear, TaskLinear


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

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return raw outputs, shape (rows, members, raw_width)."""
        raw: Tensor = self.heads(self.sharing(inputs, self.heads))
        return raw

    def calibrated(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return raw outputs divided by the temperatures, blended with those of the linear part."""
        # The linear part first: the network may work on its inputs in place.
        beside = None if self.linear is None else self.linear(inputs)
        raw = self(inputs) * self.raw_scale
        return raw if self.linear is None or beside is None else self.linear.blended(raw, beside)

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

    @property
    def draws_alone(self) -> bool:
        """Whether building, and the losses, draw from a network's own generators alone: all is known."""
        recipes = (self.trunk, self.sharing, self.balancing, *(group.loss for group in self.tasks.groups))
        return all(map(_is_known, recipes)) and all(
            draws_alone(part)
            for recipe in recipes
            for part in (recipe, *vars(recipe).values())
            if isinstance(part, nn.Module)
        )

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


class Heads(nn.Module):
    """The heads of all tasks.

    Heads of equal shape are one batched product, so that the number of modules does not grow with
    the number of tasks. Linear heads on a shared representation are one product whatever their widths.

    Parameters
    ----------
    n_inputs : int
        Width of the representation.
    members : int
        Length of the ensemble axis; members have heads of their own.
    outputs : sequence of int
        Raw outputs of each task, in the order of the task columns.
    hidden_sizes : sequence of tuple of int
        Hidden layers of each task's own branch, in the same order.
    per_task : bool
        Whether every task reads a representation of its own.
    constant : sequence of sequence of int, optional
        Which of each task's outputs are the same for every row: parameters that its loss learns.
    """

    columns: Tensor | None
    constants: nn.Parameter | None

    def __init__(
        self,
        n_inputs: int,
        members: int,
        outputs: Sequence[int],
        hidden_sizes: Sequence[tuple[int, ...]],
        *,
        per_task: bool,
        constant: Sequence[Sequence[int]] = (),
    ) -> None:
        super().__init__()
        self.per_task = per_task
        constant = constant or [()] * len(outputs)
        totals, n_constant = outputs, sum(map(len, constant))
        # What a layer computes of the representation.
        outputs = [total - len(fixed) for total, fixed in zip(totals, constant, strict=True)]
        groups: dict[tuple[int, tuple[int, ...]], list[int]] = {}
        for task, (n_outputs, hidden) in enumerate(zip(outputs, hidden_sizes, strict=True)):
            # Plain linear heads on one representation need no equal widths: they are one matrix.
            alike = (0, ()) if not per_task and not hidden else (n_outputs, hidden)
            groups.setdefault(alike, []).append(task)
        self.tasks = [tuple(tasks) for tasks in groups.values()]
        self.branches = nn.ModuleList(
            MemberLinear(members, n_inputs, sum(outputs[task] for task in tasks))
            if hidden == () and not per_task
            else _branch(members, len(tasks), n_inputs, hidden, n_outputs)
            for (n_outputs, hidden), tasks in groups.items()
        )
        # On the device, so that no step has to copy an index to it.
        for number, tasks in enumerate(self.tasks):
            self.register_buffer(f"tasks_{number}", torch.tensor(tasks), persistent=False)
        # Adam moves a parameter by about the learning rate, and an output of a layer by many of them.
        self.constant_scale = n_inputs**0.5
        constants = nn.Parameter(torch.zeros(members, n_constant)) if n_constant else None
        self.register_parameter("constants", constants)
        self.register_buffer("columns", self._column_order(totals, constant), persistent=False)

    def forward(self, representation: Tensor) -> Tensor:
        """Return raw outputs, shape (rows, members, sum of outputs).

        Parameters
        ----------
        representation : tensor of shape (rows, members, n_inputs) or (rows, members, tasks, n_inputs)
            Shared, or one for each task.
        """
        raw = []
        for number, branch in enumerate(self.branches):
            if isinstance(branch, MemberLinear):
                raw.append(branch(representation))
                continue
            raw.append(branch(self._read_by(number, representation)).flatten(2))
        if self.constants is not None:
            raw.append((self.constant_scale * self.constants).expand(len(representation), -1, -1))
        joined = raw[0] if len(raw) == 1 else torch.cat(raw, dim=-1)
        return joined if self.columns is None else joined[..., self.columns]

    def _read_by(self, number: int, representation: Tensor) -> Tensor:
        """Return what the tasks of a branch read, (rows, members, tasks, n_inputs)."""
        if not self.per_task:
            return representation.unsqueeze(2).expand(-1, -1, len(self.tasks[number]), -1)
        # One branch has all tasks in their order: no copy is made, whose gradient costs most.
        if len(self.branches) == 1:
            return representation
        return representation.index_select(2, self.get_buffer(f"tasks_{number}"))

    def _column_order(self, totals: Sequence[int], constant: Sequence[Sequence[int]]) -> Tensor | None:
        """Columns of the branches and constants in the order of the tasks; None where they are so already."""
        of_branches = [
            (task, output)
            for tasks in self.tasks
            for task in tasks
            for output in range(totals[task])
            if output not in constant[task]
        ]
        fixed = [(task, output) for task, outputs in enumerate(constant) for output in sorted(outputs)]
        columns = [*of_branches, *fixed]
        if columns == sorted(columns):
            return None
        return torch.tensor(sorted(range(len(columns)), key=columns.__getitem__))


def _branch(members: int, n_tasks: int, n_inputs: int, hidden: tuple[int, ...], n_outputs: int) -> nn.Module:
    layers: list[nn.Module] = []
    n_in = n_inputs
    for size in hidden:
        layers += [TaskLinear(members, n_tasks, n_in, size), nn.ReLU()]
        n_in = size
    return nn.Sequential(*layers, TaskLinear(members, n_tasks, n_in, n_outputs))


def draws_alone(module: nn.Module) -> bool:
    """Whether a network draws from its own generators alone: it has known parts only, and no hooks.

    A module of the user's may draw anything, and so may torch's layers that drop units.
    """
    return all(
        (_is_known(part) or (type(part) in _DRAW_NOTHING and not _is_patched(part))) and not has_hooks(part)
        for part in module.modules()
    )


def _is_known(part: object) -> bool:
    """Whether all that an object does is written in this package."""
    return type(part).__module__.startswith(f"{__package__.partition('.')[0]}.") and not _is_patched(part)


def _is_patched(part: object) -> bool:
    """Whether an object has functions of its own in the place of those of its class."""
    return any(callable(getattr(type(part), name, None)) for name in vars(part))


_LAYERS = (nn.Linear, nn.LayerNorm, nn.Sequential, nn.ModuleList, nn.Identity)
_DRAW_NOTHING = frozenset([*_LAYERS, nn.ReLU, nn.GELU, nn.SiLU, nn.SELU, nn.Tanh])
