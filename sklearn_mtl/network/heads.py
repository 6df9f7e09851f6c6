"""The heads of all tasks, like ones as one operation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from sklearn_mtl.network.generators import is_known
from sklearn_mtl.tasks import ClassLoss, TaskGroup
from sklearn_mtl.tasks.losses import BinaryCrossEntropy
from sklearn_mtl.trunks.layers import MemberLinear, TaskLinear

# Nearer to 0 than this, a drawn bias is as good a beginning as the best: drawn outputs spread by about 0.3.
SMALLEST_CONSTANT = 1.0


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
    column_scale : tensor of shape (n_tasks, n_inputs), optional
        What the columns of a shared representation are multiplied by for each task.
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
        column_scale: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.per_task = per_task
        self.n_outputs = sum(outputs)
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
        self._task_of_output = [
            [task for task in tasks for _ in range(outputs[task])] for tasks in groups.values()
        ]
        self._task_of_constant = [task for task, fixed in enumerate(constant) for _ in fixed]
        self.branches = nn.ModuleList(
            _one_matrix(members, n_inputs, tasks, outputs, column_scale)
            if hidden == () and not per_task
            else _branch(members, tasks, n_inputs, hidden, n_outputs, column_scale)
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
            raw.append((self.constant_scale * self.constants).expand(representation.shape[0], -1, -1))
        joined = raw[0] if len(raw) == 1 else torch.cat(raw, dim=-1)
        return joined if self.columns is None else joined[..., self.columns]

    @torch.no_grad()
    def begin_at(self, first: Tensor) -> None:
        """Give the last layers other biases.

        Parameters
        ----------
        first : tensor of shape (n_outputs,)
            A number for each raw output, in the order of the tasks; where it is not finite, the bias stays.
        """
        if self.columns is not None:
            first = torch.empty_like(first).index_copy(0, self.columns, first)
        biases = [_last_bias(branch) for branch in self.branches]
        scales = [1.0] * len(biases)
        if self.constants is not None:
            biases.append(self.constants)
            scales.append(self.constant_scale)
        parts = first.split([bias[0].numel() for bias in biases])
        for bias, scale, part in zip(biases, scales, parts, strict=True):
            begin = (part / scale).to(bias).view_as(bias[0])
            bias.copy_(torch.where(begin.isfinite(), begin, bias))

    def tasks_of_parameters(self) -> dict[str, Tensor]:
        """Return which task each number of the parameters belongs to, by the names of these.

        Returns
        -------
        dict of str to tensor of int
            Positions of tasks, of shapes that are broadcast to those of the parameters.
        """
        found = {}
        for name, parameter in self.named_parameters():
            if name == "constants":
                found[name] = torch.tensor(self._task_of_constant)
                continue
            number = int(name.split(".")[1])
            if isinstance(self.branches[number], MemberLinear):
                tasks = torch.tensor(self._task_of_output[number])  # (members, outputs, ...)
            else:
                tasks = torch.tensor(self.tasks[number])  # (members, tasks, ...)
            found[name] = tasks.reshape(-1, *[1] * (parameter.ndim - 2))
        return found

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


def first_biases(groups: Sequence[TaskGroup], y: Tensor, weight: Tensor) -> Tensor:
    """Return the biases of rare classes that predict best without looking at the inputs: their log-odds.

    Parameters
    ----------
    groups : sequence of TaskGroup
        All tasks, in groups of one loss.
    y, weight : tensor of shape (n_rows, n_columns)
        Encoded targets and cell weights.

    Returns
    -------
    tensor of float64, shape (n_outputs,)
        A task with a label for each position has those of one position. They are nan where a drawn bias is as
        good: for common classes, for columns without labels, and for losses of other labels, or of a user's
        own, which may have no constant.
    """
    found = []
    for group in groups:
        labels, mass = y[:, group.columns], weight[:, group.columns]
        of_label = getattr(group.loss, "of_position", group.loss)
        if isinstance(of_label, BinaryCrossEntropy | ClassLoss) and is_known(of_label):
            found.append(group.loss.bounded_constant(labels, mass).flatten())
        else:
            n_columns = 1 if group.of_positions else group.n_columns
            found.append(torch.full((n_columns * group.loss.width,), torch.nan, dtype=torch.float64))
    constants = torch.cat(found)
    return constants.where(constants.abs() > SMALLEST_CONSTANT, torch.nan)


def _last_bias(branch: nn.Module) -> nn.Parameter:
    """Return the bias of the layer whose outputs are those of a branch."""
    bias = (branch[-1] if isinstance(branch, nn.Sequential) else branch).bias
    assert isinstance(bias, nn.Parameter)
    return bias


def _one_matrix(
    members: int, n_inputs: int, tasks: Sequence[int], outputs: Sequence[int], column_scale: Tensor | None
) -> nn.Module:
    """Return plain linear heads on a shared representation."""
    of_output = [task for task in tasks for _ in range(outputs[task])]
    scale = None if column_scale is None else column_scale[of_output]
    return MemberLinear(members, n_inputs, len(of_output), scale)


def _branch(
    members: int,
    tasks: Sequence[int],
    n_inputs: int,
    hidden: tuple[int, ...],
    n_outputs: int,
    column_scale: Tensor | None,
) -> nn.Module:
    """Return the layers of heads of equal shape."""
    scale = None if column_scale is None else column_scale[list(tasks)].unsqueeze(1)
    sizes = [n_inputs, *hidden, n_outputs]
    layers: list[nn.Module] = []
    for number, (n_in, n_out) in enumerate(pairwise(sizes)):
        layers += [nn.ReLU()] if number else []
        layers.append(TaskLinear(members, len(tasks), n_in, n_out, None if number else scale))
    return nn.Sequential(*layers)
