"""From representations to raw outputs: the heads of all tasks, like ones as one tensor operation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
        self.pace = n_inputs**0.5
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
        for number, (tasks, branch) in enumerate(zip(self.tasks, self.branches, strict=True)):
            if isinstance(branch, MemberLinear):
                raw.append(branch(representation))
                continue
            own = (
                representation.index_select(2, self.get_buffer(f"tasks_{number}"))
                if self.per_task
                else representation.unsqueeze(2).expand(-1, -1, len(tasks), -1)
            )
            raw.append(branch(own).flatten(2))
        if self.constants is not None:
            raw.append((self.pace * self.constants).expand(len(representation), -1, -1))
        joined = raw[0] if len(raw) == 1 else torch.cat(raw, dim=-1)
        return joined if self.columns is None else joined[..., self.columns]

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


class MemberLinear(nn.Module):
    """A linear layer for each member: (rows, members, n_in) to (rows, members, n_out)."""

    def __init__(self, members: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(_uniform(n_in, members, n_out, n_in))
        self.bias = nn.Parameter(_uniform(n_in, members, n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        weight = self.weight if self.training else _two_columns(self.weight)
        n_out = self.weight.shape[1]
        if len(weight) > 1:
            product = torch.bmm(x.transpose(0, 1), weight.transpose(1, 2)).transpose(0, 1)
            return product[..., :n_out] + self.bias
        if weight is self.weight:
            return F.linear(x, weight.squeeze(0), self.bias.squeeze(0))
        return F.linear(x, weight.squeeze(0))[..., :n_out] + self.bias.squeeze(0)


class TaskLinear(nn.Module):
    """A linear layer for each member and task: (rows, members, tasks, n_in) to (…, n_out)."""

    def __init__(self, members: int, n_tasks: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(_uniform(n_in, members, n_tasks, n_out, n_in))
        self.bias = nn.Parameter(_uniform(n_in, members, n_tasks, n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        members, n_tasks = self.weight.shape[:2]
        by_layer = x.permute(1, 2, 0, 3).flatten(0, 1)
        weight = self.weight.flatten(0, 1)
        weight = weight if self.training else _two_columns(weight)
        product = torch.bmm(by_layer, weight.transpose(1, 2))[..., : self.weight.shape[2]]
        return product.unflatten(0, (members, n_tasks)).permute(2, 0, 1, 3) + self.bias


def _two_columns(weight: Tensor) -> Tensor:
    """Return weights, (layers, n_out, n_in), of which a single column of outputs has got a second.

    A product of one column rounds a row by its place among the others, and a prediction must not depend on
    it; to train, one column is three times as fast. Weights lie as a linear layer's do, rows of inputs: laid
    the other way, products of few columns round by the place too.
    """
    return weight.expand(-1, 2, -1) if weight.shape[1] == 1 else weight


def _branch(members: int, n_tasks: int, n_inputs: int, hidden: tuple[int, ...], n_outputs: int) -> nn.Module:
    layers: list[nn.Module] = []
    n_in = n_inputs
    for size in hidden:
        layers += [TaskLinear(members, n_tasks, n_in, size), nn.ReLU()]
        n_in = size
    return nn.Sequential(*layers, TaskLinear(members, n_tasks, n_in, n_outputs))


def _uniform(n_in: int, *shape: int) -> Tensor:
    """Uniform in ±1/√n_in, as torch draws the weights and biases of a linear layer."""
    return torch.empty(shape).uniform_(-1, 1) / max(n_in, 1) ** 0.5
