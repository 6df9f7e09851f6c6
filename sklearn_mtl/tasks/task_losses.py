"""The scale-free losses and the metrics of all tasks, as tensor expressions."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from sklearn_mtl.tasks.losses.row_loss import summed
from sklearn_mtl.tasks.task_set import TaskSet

# A task without a label in a batch has a loss and a mass of 0. The loss is divided by this instead, which
# must not be so small that a large task weight, divided by it and by the smallest baseline, exceeds float32.
SMALLEST_MASS = 1e-25
# A task whose labels hardly vary has a baseline near 0; divided by it, its loss would outweigh all others.
SMALLEST_BASELINE = 1e-3


@dataclass(frozen=True, eq=False)
class StepLosses:
    """The losses of the tasks over the rows of one step, and their gradient without a graph.

    Each loss is a mean over cells, so its gradient in the raw outputs is the slope of each cell's loss times
    the cell's weight: two products, whatever is made of the losses. With automatic differentiation it would
    take some thirty operations.

    Shapes may have a leading axis, one entry for each network of a stack.

    Parameters
    ----------
    raw : tensor of shape (rows, members, raw_width)
        The network's outputs, with gradient.
    total, mass : tensor of shape (n_tasks,)
        Scale-free losses and cell weights, summed over the rows.
    slope : tensor of shape (rows, members, raw_width)
        Derivative of each cell's loss.
    weight : tensor of shape (rows, n_columns)
        Cell weights.
    losses : TaskLosses
        The losses that computed this step.
    """

    raw: Tensor
    total: Tensor
    mass: Tensor
    slope: Tensor
    weight: Tensor
    losses: TaskLosses

    @cached_property
    def _divisor(self) -> Tensor:
        return self.mass.clamp_min(SMALLEST_MASS)

    @cached_property
    def values(self) -> Tensor:
        """The loss of each task, shape (n_tasks,); 0 where it has no label."""
        return self.total / self._divisor

    def gradient(self, rates: Tensor) -> Tensor:
        """Return the gradient of an objective in the raw outputs, of their shape.

        Parameters
        ----------
        rates : tensor of shape (n_tasks,)
            Derivative of the objective in the loss of each task; of several objectives, axes before that.
        """
        members = self.slope.shape[-2]
        share = rates / (self._divisor if members == 1 else self._divisor * members)
        return self.slope * self.losses.spread(share, self.weight).unsqueeze(-2)


class TaskLosses(nn.Module):
    """The loss of each task, divided by the loss of its best constant prediction.

    With cell weights s, the loss of task t over a batch is Σ s·l / (b_t Σ s) over the task's
    labelled cells, where b_t is Σ s·l / Σ s of the best constant prediction on the training rows:
    each loss starts near 1 and reads as the share left unexplained.

    Shapes may have a leading axis, one entry for each network of a stack; ``baseline`` then has it too.

    Parameters
    ----------
    tasks : TaskSet
        The tasks.
    y, weight : tensor of shape (n_rows, n_columns)
        Encoded targets and cell weights of the training rows.
    baseline : tensor of shape (n_tasks,), optional
        The loss of each task's best constant prediction, where it is known already.
    """

    column_task: Tensor
    raw_column: Tensor | None
    baseline: Tensor

    def __init__(self, tasks: TaskSet, y: Tensor, weight: Tensor, baseline: Tensor | None = None) -> None:
        super().__init__()
        self._lay_out(tasks, y.device)
        found = self._baselines(y, weight).to(y.dtype) if baseline is None else baseline.clone()
        self.register_buffer("baseline", found)

    def _lay_out(self, tasks: TaskSet, device: torch.device) -> None:
        self.groups = tasks.groups
        self.n_tasks = len(tasks)
        # Where each task has one column, in the order of the tasks, columns need not be added up.
        self.in_order = tasks.column_task.tolist() == list(range(len(tasks)))
        self.register_buffer("column_task", torch.tensor(tasks.column_task, device=device))
        self.register_buffer("raw_column", self._raw_columns(device), persistent=False)

    def for_tasks(self, tasks: TaskSet) -> TaskLosses:
        """Return these losses for the same tasks with columns for more positions of a row.

        Parameters
        ----------
        tasks : TaskSet
            The tasks.
        """
        other = deepcopy(self)
        other._lay_out(tasks, self.baseline.device)
        return other

    def with_baseline(self, baseline: Tensor) -> TaskLosses:
        """Return these losses with other baselines.

        Parameters
        ----------
        baseline : tensor of shape (n_tasks,) or (n_networks, n_tasks)
            The numbers that the losses are divided by.
        """
        other = deepcopy(self)
        other.baseline = baseline
        return other

    def forward(self, raw: Tensor, y: Tensor, weight: Tensor) -> StepLosses:
        """Return the loss of each task over some rows, and its gradient in the raw outputs.

        Parameters
        ----------
        raw : tensor of shape (rows, members, raw_width)
            Raw outputs; the loss is averaged over members.
        y, weight : tensor of shape (rows, n_columns)
            Encoded targets and cell weights.

        Returns
        -------
        StepLosses
            A task without a label has a loss of 0, and no gradient.
        """
        cells, slopes = [], []
        labels = y.unsqueeze(-2).split([group.n_columns for group in self.groups], -1)
        for group, outputs, own in zip(self.groups, self._cut(raw.detach()), labels, strict=True):
            cell, slope = group.loss.with_slope(outputs, own)
            cells.append(_over_members(cell, -2))
            slopes.append(slope.flatten(-2))
        total, mass = self._sums(cells, weight)
        return StepLosses(raw, total, mass, _joined(slopes), weight, self)

    def spread(self, of_tasks: Tensor, weight: Tensor) -> Tensor:
        """Return a number for each raw output: that of its task, by the baseline, times the cell weight.

        Parameters
        ----------
        of_tasks : tensor of shape (n_tasks,)
            A number for each task.
        weight : tensor of shape (rows, n_columns)
            Cell weights.

        Returns
        -------
        tensor of shape (rows, raw_width)
        """
        of_tasks = of_tasks / self.baseline
        of_columns = of_tasks if self.in_order else of_tasks.index_select(-1, self.column_task)
        cells = weight * of_columns.unsqueeze(-2)
        return cells if self.raw_column is None else cells.index_select(-1, self.raw_column)

    def response_sums(self, responses: list[Tensor], y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return each task's loss and weight, summed over the rows, for averaged responses.

        The loss of the average is lower than the average loss of the members, and goes on falling when that
        has begun to rise.

        Parameters
        ----------
        responses : list of tensor of shape (rows, group.n_columns, loss.width)
            One for each group.
        y, weight : tensor of shape (rows, n_columns)
            Encoded targets and cell weights.
        """
        cells = [
            group.loss(group.loss.link(response), y[..., group.columns])
            for group, response in zip(self.groups, responses, strict=True)
        ]
        return self._sums(cells, weight)

    def _sums(self, cells: list[Tensor], weight: Tensor) -> tuple[Tensor, Tensor]:
        total = self._by_task((_joined(cells) * weight).sum(-2))
        return total / self.baseline, self._by_task(summed(weight))

    def responses(self, raw: Tensor) -> list[Tensor]:
        """Return the response of each group, averaged over members.

        Parameters
        ----------
        raw : tensor of shape (rows, members, raw_width)
            Raw outputs.

        Returns
        -------
        list of tensor of shape (rows, group.n_columns, loss.width)
        """
        # Contiguous, or a row would be rounded differently by its place among the others.
        return [
            _over_members(group.loss.response(outputs.contiguous()), -3)
            for group, outputs in zip(self.groups, self._cut(raw), strict=True)
        ]

    def log_responses(self, raw: Tensor) -> list[Tensor]:
        """Return the logarithm of the response of each group, where that is a probability.

        Parameters
        ----------
        raw : tensor of shape (rows, members, raw_width)
            Raw outputs.

        Returns
        -------
        list of tensor of shape (rows, group.n_columns, loss.width or more)
            Logarithms of the averages over members, as `RowLoss.log_response` has them.
        """
        logs = [
            group.loss.log_response(outputs.contiguous())
            for group, outputs in zip(self.groups, self._cut(raw), strict=True)
        ]
        return [log.logsumexp(-3) - math.log(log.shape[-3]) for log in logs]

    def decisions(self, responses: list[Tensor]) -> list[Tensor]:
        """Return the decisions of each group by its averaged responses, shape (rows, group.n_columns)."""
        return [group.loss.decision(response) for group, response in zip(self.groups, responses, strict=True)]

    def scores(self, responses: list[Tensor], y: Tensor, weight: Tensor) -> Tensor:
        """Return the metric of each task: the mean over its columns of R² or accuracy.

        Parameters
        ----------
        responses : list of tensor of shape (rows, group.n_columns, loss.width)
            One for each group.
        y, weight : tensor of shape (rows, n_columns)
            Encoded targets and cell weights.

        Returns
        -------
        tensor of shape (n_tasks,)
            nan for a task without labels in these rows.
        """
        scores = torch.cat(
            [
                group.loss.score(response, y[..., group.columns], weight[..., group.columns])
                for group, response in zip(self.groups, responses, strict=True)
            ],
            dim=-1,
        )
        usable = (summed(weight) > 0) & ~scores.isnan()
        total = self._by_task(torch.where(usable, scores, 0.0))
        return total / self._by_task(usable.to(scores.dtype))

    def constant_responses(self, y: Tensor, weight: Tensor, n_rows: int) -> list[Tensor]:
        """Return the response of each group that is the best constant for some rows, given for others.

        Parameters
        ----------
        y, weight : tensor of shape (rows, n_columns)
            Encoded targets and cell weights of the rows that the constants are the best for.
        n_rows : int
            Number of rows of the responses.

        Returns
        -------
        list of tensor of shape (n_rows, group.n_columns, loss.width)
        """
        found = []
        for group in self.groups:
            labels, mass = y[:, group.columns].double(), weight[:, group.columns].double()
            response = group.loss.response(group.loss.constant(labels, mass))
            found.append(response.to(y.dtype).expand(n_rows, -1, -1))
        return found

    def _baselines(self, y: Tensor, weight: Tensor) -> Tensor:
        totals = [
            group.loss.reference(y[:, group.columns], weight[:, group.columns]) for group in self.groups
        ]
        mass = self._by_task(summed(weight, torch.float64))
        return (self._by_task(torch.cat(totals)) / mass.clamp_min(1e-30)).clamp_min(SMALLEST_BASELINE)

    def _raw_columns(self, device: torch.device) -> Tensor | None:
        """Return the target column of each raw output; None where every target has one raw output."""
        widths = [group.loss.width for group in self.groups for _ in range(group.n_columns)]
        if all(width == 1 for width in widths):
            return None
        columns = torch.arange(len(widths), device=device)
        return columns.repeat_interleave(torch.tensor(widths, device=device))

    def _cut(self, raw: Tensor) -> list[Tensor]:
        """Return the raw outputs of each group, (rows, members, group.n_columns, loss.width).

        Rows to predict may have another number of positions than those of ``fit``.
        """
        shapes = self._shapes(raw.shape[-1])
        parts = raw.split([n_columns * width for n_columns, width in shapes], -1)
        return [part.view(*raw.shape[:-1], *shape) for part, shape in zip(parts, shapes, strict=True)]

    def _shapes(self, raw_width: int) -> list[tuple[int, int]]:
        """Return the number of columns and the width of each group, in raw outputs of so many in all."""
        shapes = [(group.n_columns, group.loss.width) for group in self.groups]
        if raw_width == self.groups[-1].raw.stop:
            return shapes
        of_row = sum(group.n_columns * group.loss.width for group in self.groups if not group.of_positions)
        of_position = sum(group.loss.width for group in self.groups if group.of_positions)
        n_positions = (raw_width - of_row) // of_position
        return [
            (n_positions if group.of_positions else n_columns, width)
            for group, (n_columns, width) in zip(self.groups, shapes, strict=True)
        ]

    def _by_task(self, columns: Tensor) -> Tensor:
        if self.in_order:
            return columns
        of_tasks = columns.new_zeros((*columns.shape[:-1], self.n_tasks))
        return of_tasks.index_add(-1, self.column_task, columns)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def _over_members(values: Tensor, axis: int) -> Tensor:
    """Return the mean over members, without a copy where there is one."""
    return values.squeeze(axis) if values.shape[axis] == 1 else values.mean(axis)
