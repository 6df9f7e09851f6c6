"""Boosted trees of a table under the losses of the tasks, in numbers from few to many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.data import Table
from sklearn_mtl.inference.beside import Kind, Parts, Path
from sklearn_mtl.inference.scikit_learn_trees import MOST_ITERATIONS, Labelled, Nodes, grown
from sklearn_mtl.network import TreePart, numbers_in
from sklearn_mtl.tasks import TaskGroup, TaskSet
from sklearn_mtl.tasks.losses import BinaryCrossEntropy, CrossEntropy, RowLoss, SquaredError

# Numbers of trees of each raw output that are compared.
COUNTS = (4, 8, 14, 24, 40, 64, 100, 160, MOST_ITERATIONS)
# Of fewer labels, what trees and shares gain is within what the choice of them costs.
FEWEST_LABELS = 1_000
# Growing trees takes a time in proportion to raw outputs times columns; beyond this, longer than the nets.
MOST_WIDTHS = 2_000
# Predicting takes a time in proportion to raw outputs. A guess: 14 outputs gained nothing, 20 lost.
MOST_OUTPUTS = 16
# Trees that lower a task's held-out loss by less than this part of it cost more time than they are worth.
LEAST_GAIN = 0.005


@dataclass(frozen=True, eq=False)
class TreePath(Path):
    """The boosted trees of one net's rows.

    Parameters
    ----------
    start : ndarray of shape (raw_width,)
        What the trees add to.
    trees : sequence of sequence of Nodes
        The trees of each raw output, in the order in which they were grown.
    """

    start: np.ndarray
    trees: Sequence[Sequence[Nodes]]

    def raw(self, x: Tensor) -> Tensor:
        """Return the raw outputs for each number of trees, shape (n_models, rows, raw_width)."""
        n_trees = [len(own) for own in self.trees]
        part = self._part(n_trees, torch.zeros(len(self.start)))
        return torch.cat([self._sums(leaves.split(n_trees, dim=1)) for leaves in part.leaf_numbers(x)], dim=1)

    def _sums(self, of_outputs: Sequence[Tensor]) -> Tensor:
        """Return the raw outputs of some rows, given the leaves' numbers of each output's trees."""
        n_rows = len(of_outputs[0])
        found = of_outputs[0].new_empty((len(COUNTS), n_rows, len(of_outputs)))
        for output, numbers in enumerate(of_outputs):
            so_far = torch.cat([numbers.new_zeros(n_rows, 1), numbers.cumsum(1)], dim=1)
            for model, count in enumerate(COUNTS):
                found[model, :, output] = self.start[output] + so_far[:, min(count, numbers.shape[1])]
        return found

    def part(self, choice: Tensor, share: Tensor) -> TreePart:
        """Return so many trees of each raw output as were chosen, and none where their share is 0."""
        counts = [
            COUNTS[model] if of_output else 0
            for model, of_output in zip(choice.tolist(), share.tolist(), strict=True)
        ]
        return self._part(counts, share)

    def _part(self, counts: Sequence[int], share: Tensor) -> TreePart:
        """Return the first trees of each raw output."""
        kept = [own[:count] for own, count in zip(self.trees, counts, strict=True)]
        every = [nodes for own in kept for nodes in own]
        sizes = np.array([len(nodes.number) for nodes in every], dtype=np.int64)
        first = np.cumsum(sizes) - sizes
        children = [nodes.children + start for nodes, start in zip(every, first, strict=True)]
        return TreePart(
            column=_joined([nodes.column for nodes in every], (0,)).int(),
            number=_joined([nodes.number for nodes in every], (0,)).double(),
            below=_joined(children, (0, 2)).int(),
            root=torch.from_numpy(first).int(),
            n_trees=torch.tensor([len(own) for own in kept], dtype=torch.int32),
            start=torch.from_numpy(self.start),
            share=share,
        )


def _joined(arrays: Sequence[np.ndarray], shape_of_none: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays) if arrays else np.zeros(shape_of_none))


@dataclass(frozen=True)
class TreeModels(Kind):
    """Boosted trees of numbers under squared errors, and of classes and labels under cross-entropy.

    Parameters
    ----------
    fewest_labels : int
        Training labels that a task needs, in each of its columns, to have trees.
    most_outputs : int, optional
        Raw outputs that all tasks with trees may have together; of more, no task has trees.
    """

    fewest_labels: int = 1
    most_outputs: int | None = None

    name: ClassVar[str] = TreePart.name

    def takes_part(self, tasks: TaskSet, parts: Parts) -> Tensor:
        """Return the tasks of known losses and enough labels, of which every net has all classes."""
        usable = np.array([_is_known(group.loss) for group in tasks.groups for _ in _columns(group)])
        for train, held_out in parts:
            usable &= held_out is not None and self._have_labels(tasks, train, held_out)
        of_tasks = torch.tensor([bool(usable[tasks.column_task == task].all()) for task in range(len(tasks))])
        n_outputs = int(of_tasks[torch.as_tensor(tasks.raw_task)].sum())
        return of_tasks & (self.most_outputs is None or n_outputs <= self.most_outputs)

    def is_worth(self, before: Tensor, after: Tensor) -> Tensor:
        """Return the tasks whose loss falls by more than a small part of it."""
        return after <= (1 - LEAST_GAIN) * before

    def _have_labels(self, tasks: TaskSet, train: Table, held_out: Table) -> np.ndarray:
        """Return which columns have enough labels to learn from, of all classes, and one that is held out."""
        labels, known = train.y.cpu(), train.weight.cpu() > 0
        enough = (known.sum(0) >= self.fewest_labels) & (held_out.weight.cpu() > 0).any(0)
        for group in tasks.groups:
            n_classes = _n_classes(group.loss)
            for column in _columns(group) if n_classes else ():
                enough[column] &= len(labels[known[:, column], column].unique()) == n_classes
        return enough.numpy()

    def path(self, tasks: TaskSet, train: Table, held_out: Table | None, takes_part: Tensor) -> TreePath:
        """Return the trees beside one net, none for tasks that take no part."""
        assert held_out is not None
        rows, others = _arrays(train), _arrays(held_out)
        start: list[np.ndarray] = []
        trees: list[Sequence[Nodes]] = []
        for group in tasks.groups:
            for column in _columns(group):
                if takes_part[tasks.column_task[column]]:
                    own_start, own = grown(
                        _labelled(rows, column), _labelled(others, column), _n_classes(group.loss)
                    )
                else:
                    own_start, own = np.zeros(group.loss.width), [[] for _ in range(group.loss.width)]
                start.append(own_start)
                trees.extend(own)
        if rows[0].dtype == np.float32:
            trees = [[_rounded_down(nodes) for nodes in own] for own in trees]
        return TreePath(np.concatenate(start), trees)


def _is_known(loss: RowLoss) -> bool:
    """Whether scikit-learn's trees minimise this loss."""
    if type(loss) in (BinaryCrossEntropy, CrossEntropy):
        return not loss.label_smoothing and not loss.focusing  # type: ignore[attr-defined]
    return type(loss) is SquaredError


def _n_classes(loss: RowLoss) -> int | None:
    """Return the number of classes; None for numbers."""
    return None if type(loss) is SquaredError else max(loss.width, 2)


def _columns(group: TaskGroup) -> range:
    return range(group.columns.start, group.columns.stop)


# Encoded rows, targets and weights.
_Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def _arrays(table: Table) -> _Rows:
    x = numbers_in(table.inputs)
    return x.cpu().numpy(), table.y.cpu().double().numpy(), table.weight.cpu().double().numpy()


def _labelled(rows: _Rows, column: int) -> Labelled:
    x, y, weight = rows
    known = weight[:, column] > 0
    return Labelled(x[known], y[known, column], weight[known, column])


def _rounded_down(nodes: Nodes) -> Nodes:
    """Return a tree whose numbers are of single precision: rows of that go the same way as before.

    A value of single precision is at most a number just where it is at most the next one below it.
    """
    number = nodes.number.astype(np.float32)
    is_inner = nodes.children[:, 0] != np.arange(len(number))
    too_large = is_inner & (number > nodes.number)
    number[too_large] = np.nextafter(number[too_large], np.float32(-np.inf))
    return replace(nodes, number=number.astype(np.float64))
