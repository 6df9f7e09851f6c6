"""The scale-free losses and the metrics of all tasks, as tensor expressions."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from sklearn_mtl.tasks.task_set import TaskGroup, TaskSet

# A task whose labels hardly vary has a baseline near 0; dividing by it would let it drown the rest.
SMALLEST_BASELINE = 1e-3


class TaskLosses(nn.Module):
    """The loss of each task, divided by the loss of its best constant prediction.

    With cell weights s, the loss of task t over a batch is Σ s·l / (b_t Σ s) over the task's
    labelled cells, where b_t is Σ s·l / Σ s of the best constant prediction on the training rows:
    each loss starts near 1 and reads as the share left unexplained.

    Shapes below may have further axes in front, one network each: ``baseline`` then has them too.

    Parameters
    ----------
    tasks : TaskSet
        The tasks.
    y, weight : tensor of shape (n_rows, n_columns)
        Encoded targets and cell weights of the training rows.
    """

    column_task: Tensor
    baseline: Tensor

    def __init__(self, tasks: TaskSet, y: Tensor, weight: Tensor) -> None:
        super().__init__()
        self.groups = tasks.groups
        self.n_tasks = len(tasks)
        # Where each task has one column, in the tasks' order, there is nothing to add up.
        self.in_order = tasks.column_task.tolist() == list(range(len(tasks)))
        self.register_buffer("column_task", torch.tensor(tasks.column_task, device=y.device))
        baseline = self._baselines(y.double(), weight.double())
        self.register_buffer("baseline", baseline.to(y.dtype))

    def with_baseline(self, baseline: Tensor) -> TaskLosses:
        """Return these losses with other baselines.

        Parameters
        ----------
        baseline : tensor of shape (n_tasks,) or (n_networks, n_tasks)
            What the losses are divided by.
        """
        other = deepcopy(self)
        other.baseline = baseline
        return other

    def sums(self, raw: Tensor, y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return each task's weighted loss and weight, summed over the rows.

        Parameters
        ----------
        raw : tensor of shape (rows, members, raw_width)
            Raw outputs; the loss is averaged over members.
        y, weight : tensor of shape (rows, n_columns)
            Encoded targets and cell weights.

        Returns
        -------
        loss, weight : tensor of shape (n_tasks,)
            ``loss / weight`` is the scale-free loss of each task.
        """
        cells = []
        for group in self.groups:
            cell = group.loss(self._of_group(raw, group), y[..., None, group.columns])
            cells.append(_over_members(cell, -2))
        return self._sums(cells, weight)

    def response_sums(self, responses: list[Tensor], y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `sums` does, for predictions that were averaged: the loss of the average.

        It is lower than the members' average loss, and goes on falling after that has begun to rise.

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
        cell = cells[0] if len(cells) == 1 else torch.cat(cells, dim=-1)
        total = self._by_task((cell * weight).sum(-2))
        return total / self.baseline, self._by_task(weight.sum(-2))

    def forward(self, raw: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Return the scale-free loss of each task; 0, without gradient, where a task has no label.

        Parameters and shapes are those of `sums`.

        Returns
        -------
        tensor of shape (n_tasks,)
        """
        loss, mass = self.sums(raw, y, weight)
        return loss / torch.where(mass > 0, mass, 1.0)

    def responses(self, raw: Tensor) -> list[Tensor]:
        """Return what each group predicts, averaged over members.

        Parameters
        ----------
        raw : tensor of shape (rows, members, raw_width)
            Raw outputs.

        Returns
        -------
        list of tensor of shape (rows, group.n_columns, loss.width)
        """
        # Contiguous, so that the same instructions serve every row: strided ones round by its place.
        return [
            _over_members(group.loss.response(self._of_group(raw, group).contiguous()), -3)
            for group in self.groups
        ]

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
        usable = (weight.sum(-2) > 0) & ~scores.isnan()
        total = self._by_task(torch.where(usable, scores, 0.0))
        return total / self._by_task(usable.to(scores.dtype))

    def _baselines(self, y: Tensor, weight: Tensor) -> Tensor:
        cells = [group.loss.reference(y[:, group.columns], weight[:, group.columns]) for group in self.groups]
        total = self._by_task((torch.cat(cells, dim=-1) * weight).sum(0))
        return (total / self._by_task(weight.sum(0)).clamp_min(1e-30)).clamp_min(SMALLEST_BASELINE)

    @staticmethod
    def _of_group(raw: Tensor, group: TaskGroup) -> Tensor:
        outputs = raw[..., group.raw]
        return outputs.view(*outputs.shape[:-1], group.n_columns, group.loss.width)

    def _by_task(self, columns: Tensor) -> Tensor:
        if self.in_order:
            return columns
        of_tasks = columns.new_zeros((*columns.shape[:-1], self.n_tasks))
        return of_tasks.index_add(-1, self.column_task, columns)


def _over_members(values: Tensor, axis: int) -> Tensor:
    """Return the mean over members; of a single one no copy is made."""
    return values.squeeze(axis) if values.shape[axis] == 1 else values.mean(axis)
