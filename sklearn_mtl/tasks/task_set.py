"""All tasks of one estimator, laid out side by side as the columns of a few tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column
from sklearn_mtl.tasks.losses.row_loss import RowLoss
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
    of_positions : bool
        Whether the columns are positions of a row, of which a row to predict may have another number.
    """

    loss: RowLoss
    columns: slice
    raw: slice
    of_positions: bool = False

    @property
    def n_columns(self) -> int:
        """Target columns of the group."""
        return self.columns.stop - self.columns.start


@dataclass(frozen=True, eq=False)
class TaskSet:
    """Tasks in the user's order, and the columns of each in the tensors of all.

    Tasks of equal loss lie next to each other, so that a thousand binary tasks are one group. Tasks with a
    label for each position come last, each a group of its own; all have as many columns, those of the longest
    row of any.

    Parameters
    ----------
    tasks : tuple of Task
        The tasks in the user's order.

    Attributes
    ----------
    groups : tuple of TaskGroup
        The groups of tasks of one loss.
    order : tuple of int
        Positions of the tasks in the order of their columns.
    column_task : ndarray of int, shape (n_columns,)
        Position of the task that each column belongs to.
    places : dict
        For each task's name, the number of its group and its columns within that group.
    """

    tasks: tuple[Task, ...]
    groups: tuple[TaskGroup, ...] = field(init=False)
    order: tuple[int, ...] = field(init=False)
    column_task: np.ndarray = field(init=False)
    places: Mapping[str, tuple[int, slice]] = field(init=False)

    def __post_init__(self) -> None:
        """Lay the tasks out."""
        object.__setattr__(self, "tasks", with_equal_positions(self.tasks))
        by_loss = self._by_loss()
        order = [position for members in by_loss.values() for position in members]
        groups, column, raw = [], 0, 0
        for loss, members in by_loss.items():
            n_columns = sum(self.tasks[position].n_columns for position in members)
            n_raw = n_columns * loss.width
            of_positions = self.tasks[members[0]].position_axes > 0
            places = slice(column, column + n_columns), slice(raw, raw + n_raw)
            groups.append(TaskGroup(loss, *places, of_positions))
            column, raw = column + n_columns, raw + n_raw
        object.__setattr__(self, "groups", tuple(groups))
        object.__setattr__(self, "order", tuple(order))
        counts = [self.tasks[position].n_columns for position in order]
        object.__setattr__(self, "column_task", np.repeat(order, counts))
        object.__setattr__(self, "places", dict(self._places(by_loss.values())))

    def _by_loss(self) -> dict[RowLoss, list[int]]:
        """Return the positions of the tasks of each loss."""
        # Losses are compared by their parameters, which takes time: first those that are one object.
        by_object: dict[int, list[int]] = {}
        for position, task in enumerate(self.tasks):
            by_object.setdefault(id(task.loss), []).append(position)
        by_loss: dict[RowLoss, list[int]] = {}
        for same in by_object.values():
            by_loss.setdefault(self.tasks[same[0]].loss, []).extend(same)
        found = {loss: sorted(positions) for loss, positions in by_loss.items()}
        return dict(sorted(found.items(), key=lambda group: self.tasks[group[1][0]].position_axes > 0))

    def _places(self, groups: Iterable[list[int]]) -> Iterator[tuple[str, tuple[int, slice]]]:
        """Yield each task's name, the number of its group and its columns of that group."""
        for group, members in enumerate(groups):
            start = 0
            for task in (self.tasks[position] for position in members):
                # Of positions, a row to predict may have more or fewer.
                stop = None if task.position_axes else start + task.n_columns
                yield task.name, (group, slice(start, stop))
                start += task.n_columns

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

    @property
    def n_positions(self) -> int:
        """Number of columns of the tasks with a label for each position; 0 where there are none."""
        last = self.tasks[self.order[-1]]
        return last.n_columns if last.position_axes else 0

    @property
    def of_heads(self) -> np.ndarray:
        """Places of the raw outputs that stand for those of the heads, those of the first position; ints."""
        of_first = [np.arange(task.width) < task.head_width for task in self.ordered]
        return np.flatnonzero(np.concatenate(of_first))

    def for_positions(self, n_positions: int) -> TaskSet:
        """Return the tasks with at least so many columns for the positions of a row.

        Parameters
        ----------
        n_positions : int
            Positions of the longest row.
        """
        longer = tuple(_resized(task, max(n_positions, task.n_columns)) for task in self.tasks)
        return TaskSet(longer)

    @property
    def raw_task(self) -> np.ndarray:
        """Position of the task that each raw output belongs to, int of shape (raw_width,)."""
        return np.repeat(self.order, [task.width for task in self.ordered])

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
            Sample weight times class weight; 0 where there is no label. One column, broadcast, where all
            cells of a row weigh the same.
        """
        n_columns = len(self.column_task)
        # Written by columns, as labels come, and then copied: a batch needs the cells of a row together.
        by_column = np.empty((n_columns, len(weight)))
        factors: dict[int, np.ndarray] = {}
        start = 0
        for task in self.ordered:
            column = columns[task.name]
            task.check_shape(column)
            encoded = task.encode(column)
            by_column[start : start + task.n_columns] = encoded.T
            factor = task.cell_weight(encoded)
            if isinstance(factor, np.ndarray):
                factors[start] = factor
            start += task.n_columns
        y = np.ascontiguousarray(by_column.T)
        missing = np.isnan(y)
        if n_columns > 1 and weight.shape[1] == 1 and not factors and not missing.any():
            return y, np.broadcast_to(weight, y.shape)
        cell_weight = np.empty_like(y)
        cell_weight[:] = weight if weight.shape[1] == 1 else weight[:, self.column_task]
        for start, factor in factors.items():
            cell_weight[:, start : start + factor.shape[1]] *= factor
        y[missing] = 0.0
        cell_weight[missing] = 0.0
        return y, cell_weight

    def as_array(self, columns: Mapping[str, Column]) -> np.ndarray:
        """Return all labels as numbers, for a transformer that takes y.

        Parameters
        ----------
        columns : mapping of str to Column
            Labels of each task.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_columns)
            The columns of the tasks in the user's order, each as its loss is given it: a class as its
            position among the classes, a number standardised. Integers where all are classes and none is
            missing, otherwise floats, NaN where a label is missing.
        """
        y = np.hstack([task.encode(columns[task.name]) for task in self.tasks])
        if all(task.has_classes for task in self.tasks) and not np.isnan(y).any():
            y = y.astype(np.int64)
        return y[:, 0] if y.shape[1] == 1 else y

    def split(self, responses: Sequence[np.ndarray]) -> Responses:
        """Return each task's share of the groups' responses.

        Parameters
        ----------
        responses : sequence of ndarray, each of shape (n_rows, group.n_columns, loss.width)
            One for each group.
        """
        return Responses(self, responses)

    def decode(self, decisions: Sequence[np.ndarray]) -> dict[str, Any]:
        """Return what each task predicts, in its labels' own units and dtype.

        Neighbours of one class and one loss are decoded together.

        Parameters
        ----------
        decisions : sequence of ndarray, each of shape (n_rows, group.n_columns)
            One for each group.
        """
        found: dict[str, Any] = {}
        for group, columns, tasks in self._runs:
            decision = decisions[group][:, columns]
            first = tasks[0]
            decoded = first.decode_all(tasks, decision) if len(tasks) > 1 else [first.decode(decision)]
            found.update(zip((task.name for task in tasks), decoded, strict=True))
        return {name: found[name] for name in self.names}

    @cached_property
    def _runs(self) -> list[tuple[int, slice, list[Task]]]:
        """Neighbours of one class and one loss, with the number of their group and their columns in it."""
        runs, places = [], self.places
        for (group, _), run in groupby(self.ordered, lambda task: (places[task.name][0], type(task))):
            tasks = list(run)
            columns = slice(places[tasks[0].name][1].start, places[tasks[-1].name][1].stop)
            runs.append((group, columns, tasks))
        return runs


def with_equal_positions(tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """Return tasks such that those with a label for each position have the columns of the longest row of any.

    Parameters
    ----------
    tasks : tuple of Task
        The tasks.

    Raises
    ------
    ValueError
        If some have labels for steps, and others for pixels.
    """
    of_positions = [task for task in tasks if task.position_axes]
    if not of_positions:
        return tasks
    axes = {task.name: task.position_axes for task in of_positions}
    if len(set(axes.values())) > 1:
        raise ValueError(
            "Tasks with a label for each position must all have one for each step, or all for each pixel. "
            f"Found tasks of so many axes: {shown(axes)}."
        )
    n_positions = max(task.n_columns for task in of_positions)
    return tuple(_resized(task, n_positions) for task in tasks)


def _resized(task: Any, n_positions: int) -> Any:
    return task.resized(n_positions) if task.position_axes else task


class Responses(Mapping[str, np.ndarray]):
    """The averaged response for each task by name, of shape (n_rows, task.n_columns, loss.width).

    Parameters
    ----------
    tasks : TaskSet
        The tasks.
    groups : sequence of ndarray of float64, each of shape (n_rows, group.n_columns, loss.width)
        The response for each group, averaged over members and networks.
    """

    def __init__(self, tasks: TaskSet, groups: Sequence[np.ndarray]) -> None:
        self.tasks = tasks
        self.groups = groups

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the response for one task."""
        group, columns = self.tasks.places[name]
        return self.groups[group][:, columns]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the tasks."""
        return iter(self.tasks.names)

    def __len__(self) -> int:
        """Return the number of tasks."""
        return len(self.tasks)
