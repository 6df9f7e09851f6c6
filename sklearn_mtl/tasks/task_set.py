"""All tasks of one estimator, laid out side by side as the columns of a few tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sklearn_mtl.targets import Column
from sklearn_mtl.tasks.row_loss import RowLoss
from sklearn_mtl.tasks.task import Task


@dataclass(frozen=True)
class TaskGroup:
    """Neighbouring tasks of one loss, computed as one tensor expression.

    Parameters
    ----------
    loss : RowLoss
        The loss of every cell of the group.
    columns : slice
        The group's columns of the target tensor.
    raw : slice
        The group's columns of the network's raw output, ``loss.width`` for each target column.
    """

    loss: RowLoss
    columns: slice
    raw: slice

    @property
    def n_columns(self) -> int:
        """Target columns of the group."""
        return self.columns.stop - self.columns.start


@dataclass(frozen=True, eq=False)
class TaskSet:
    """Tasks in the user's order, and where each one's columns lie.

    Tasks of equal loss lie next to each other, so that a thousand binary tasks are one group.

    Parameters
    ----------
    tasks : tuple of Task
        In the user's order.
    """

    tasks: tuple[Task, ...]
    groups: tuple[TaskGroup, ...] = field(init=False)
    order: tuple[int, ...] = field(init=False)
    column_task: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Lay the tasks out."""
        by_loss: dict[RowLoss, list[int]] = {}
        for position, task in enumerate(self.tasks):
            by_loss.setdefault(task.loss, []).append(position)
        order = [position for members in by_loss.values() for position in members]
        groups, column, raw = [], 0, 0
        for loss, members in by_loss.items():
            n_columns = sum(self.tasks[position].n_columns for position in members)
            n_raw = n_columns * loss.width
            groups.append(TaskGroup(loss, slice(column, column + n_columns), slice(raw, raw + n_raw)))
            column, raw = column + n_columns, raw + n_raw
        object.__setattr__(self, "groups", tuple(groups))
        object.__setattr__(self, "order", tuple(order))
        counts = [self.tasks[position].n_columns for position in order]
        object.__setattr__(self, "column_task", np.repeat(order, counts))

    def __len__(self) -> int:
        """Return the number of tasks."""
        return len(self.tasks)

    def __iter__(self) -> Iterator[Task]:
        """Iterate over the tasks in the user's order."""
        return iter(self.tasks)

    @property
    def names(self) -> list[str]:
        """Names of the tasks in the user's order."""
        return [task.name for task in self.tasks]

    @property
    def ordered(self) -> list[Task]:
        """The tasks in the order of their columns."""
        return [self.tasks[position] for position in self.order]

    @property
    def raw_width(self) -> int:
        """Raw outputs of the network over all tasks."""
        return self.groups[-1].raw.stop

    def encode(self, columns: Mapping[str, Column], weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all labels as numbers, and what each cell weighs.

        Parameters
        ----------
        columns : mapping of str to Column
            Labels of each task.
        weight : ndarray of float64, shape (n_rows, 1) or (n_rows, n_tasks)
            Sample weights, tasks in the user's order.

        Returns
        -------
        y : ndarray of float64, shape (n_rows, n_columns)
            0 where there is no label.
        cell_weight : ndarray of float64, shape (n_rows, n_columns)
            Sample weight times class weight; 0 where there is no label.
        """
        n_rows = len(weight)
        y = np.empty((n_rows, len(self.column_task)))
        cell_weight = np.empty_like(y)
        weight = np.broadcast_to(weight, (n_rows, len(self.tasks)))
        start = 0
        for position, task in zip(self.order, self.ordered, strict=True):
            block = slice(start, start + task.n_columns)
            start = block.stop
            y[:, block] = task.encode(columns[task.name])
            cell_weight[:, block] = weight[:, position, None] * task.cell_weight(y[:, block])
        missing = np.isnan(y)
        y[missing] = 0.0
        cell_weight[missing] = 0.0
        return y, cell_weight

    def split(self, responses: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Return each task's share of the groups' responses.

        Parameters
        ----------
        responses : sequence of ndarray, each of shape (n_rows, group.n_columns, loss.width)
            One for each group.

        Returns
        -------
        dict of str to ndarray of shape (n_rows, task.n_columns, loss.width)
            In the user's order.
        """
        parts: dict[str, np.ndarray] = {}
        tasks = iter(self.ordered)
        for group, response in zip(self.groups, responses, strict=True):
            start = 0
            while start < group.n_columns:
                task = next(tasks)
                parts[task.name] = response[:, start : start + task.n_columns]
                start += task.n_columns
        return {name: parts[name] for name in self.names}
