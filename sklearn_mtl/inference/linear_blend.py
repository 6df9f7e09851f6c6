"""A linear model beside each net of a bag, at a share that the held-out rows of all nets choose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy

import torch
from torch import Tensor

from sklearn_mtl.data import Table
from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.inference.bag import TrainedNet
from sklearn_mtl.inference.linear_path import LinearModel, in_double, linear_path
from sklearn_mtl.inference.prediction import raw_outputs
from sklearn_mtl.network import LinearPart, in_default_modes
from sklearn_mtl.tasks import TaskSet

SHARES = torch.arange(11, dtype=torch.float64) / 10
# The losses of all tasks together count as so many labels beside those of a task: chosen by its own fifteen
# held-out labels alone, penalty and share have cost a task R² of 0.04.
LABELS_OF_ALL = 200
# Of a table with more numbers, the principal directions take too long to find.
MOST_NUMBERS = 10_000_000

# Losses and weights of all tasks, summed over rows: of shapes (n_choices, n_tasks) and (n_tasks,).
Sums = tuple[Tensor, Tensor]


def has_linear_part(spec: FeatureSpec, n_rows: int) -> bool:
    """Whether rows are of a kind that a linear model takes, a table of numbers, and not too many.

    Parameters
    ----------
    spec : FeatureSpec
        Blocks of the input and their shapes.
    n_rows : int
        Number of training rows.

    Examples
    --------
    >>> from sklearn_mtl.features import Block, FeatureSpec
    >>> from sklearn_mtl.inference import has_linear_part
    >>> has_linear_part(FeatureSpec((Block("table", (4,)),)), n_rows=300)
    True
    >>> has_linear_part(FeatureSpec((Block("image", (3, 8, 8)),)), n_rows=300)
    False
    """
    block = spec.blocks[0]
    is_table = len(spec.blocks) == 1 and len(block.shape) == 1 and block.kind == "float"
    return is_table and n_rows * block.shape[0] <= MOST_NUMBERS


@in_default_modes
def blend_linear(
    nets: Sequence[TrainedNet], tasks: TaskSet, parts: Sequence[tuple[Table, Table | None]]
) -> None:
    """Put a linear model beside each net, and let the held-out rows choose its share in the raw outputs.

    The model is fitted to the net's own training rows. How strongly it is penalised, and what its share is,
    is chosen for each task by the loss over the held-out rows of all nets, where each net and its model
    predict the rows that they have not seen. Where no row is held out there is no blend, and none for tasks
    of weight 0 or without a held-out label. Nor is there one where the way of sharing joins outputs of heads:
    such an output is not what a linear model of the task predicts.

    Parameters
    ----------
    nets : sequence of TrainedNet
        The bag. The ``linear`` of each network is set, whatever it was before.
    tasks : TaskSet
        The tasks.
    parts : sequence of tuple
        For each net its training rows, a table of one block, and the rows that it holds out or None.
    """
    # All is found before anything is set: another thread may predict with these nets.
    for net, part in zip(nets, _found(nets, tasks, parts), strict=True):
        net.evaluated.linear = None if part is None else part.to(net.evaluated.raw_scale).eval()


def _found(
    nets: Sequence[TrainedNet], tasks: TaskSet, parts: Sequence[tuple[Table, Table | None]]
) -> list[LinearPart | None]:
    """Return the linear part of each net, or None for all."""
    none: list[LinearPart | None] = [None] * len(nets)
    held_out = [valid for _, valid in parts if valid is not None]
    if not held_out:
        return none
    of_raw = torch.tensor(tasks.raw_task)
    is_whole = torch.ones(len(tasks), dtype=torch.bool)
    is_whole[of_raw[list(nets[0].evaluated.sharing.joined_outputs)]] = False
    paths = [list(linear_path(train, tasks)) for train, _ in parts]
    judged = [
        _HeldOut(net, path, valid, of_raw)
        for net, path, (_, valid) in zip(nets, paths, parts, strict=True)
        if valid is not None
    ]
    n_labels = _n_labels(held_out, tasks)
    takes_part = is_whole & (n_labels > 0) & (nets[0].criterion_.weights.cpu() > 0)
    strength = best_choice(
        _mean_losses(one.of_linear() for one in judged).where(takes_part, torch.nan), n_labels
    )
    losses = _mean_losses(one.of_blends(strength) for one in judged).where(takes_part, torch.nan)
    share = SHARES[best_choice(losses, n_labels)].where(losses[0].isfinite(), 0.0)
    if not share.any():
        return none
    return [LinearPart(*_of_strength(path, strength[of_raw]), share[of_raw]) for path in paths]


def best_choice(losses: Tensor, n_labels: Tensor) -> Tensor:
    """Return for each task which of some choices to take.

    Parameters
    ----------
    losses : tensor of shape (n_choices, n_tasks)
        Mean scale-free losses over the held-out labels; not finite for a task that takes no part.
    n_labels : tensor of shape (n_tasks,)
        Number of held-out labels of each task.

    Returns
    -------
    tensor of int, shape (n_tasks,)
        The choice of least loss, the first of equal ones. The losses of a task count as many labels as it
        has, and the mean losses of all tasks ``LABELS_OF_ALL``.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.inference.linear_blend import best_choice
    >>> losses = torch.tensor([[1.0, 0.5, 0.9], [0.7, 0.6, 0.8], [0.9, 0.9, 0.7]])
    >>> best_choice(losses, torch.tensor([0, 9000, 0]))
    tensor([1, 0, 1])
    """
    takes_part = losses.isfinite().all(0)
    if not takes_part.any():
        return torch.zeros(losses.shape[1], dtype=torch.int64)
    of_all = losses[:, takes_part].mean(1, keepdim=True)
    return (n_labels * losses.nan_to_num() + LABELS_OF_ALL * of_all).argmin(0)


class _HeldOut:
    """The held-out rows of one net, as it and the linear models of its training rows predict them.

    Parameters
    ----------
    net : TrainedNet
        The net.
    path : sequence of LinearModel
        The linear models, one for each strength of the penalty.
    table : Table
        The rows that the net holds out.
    of_raw : tensor of shape (raw_width,)
        Position of the task that each raw output belongs to.
    """

    def __init__(self, net: TrainedNet, path: Sequence[LinearModel], table: Table, of_raw: Tensor) -> None:
        x, self._y, self._weight = in_double(table)
        raw = raw_outputs(net.evaluated, table.blocks, calibrated=False) * net.evaluated.raw_scale
        self._network = raw.cpu().double()
        # Without an axis of members, of which there is one.
        self._linear = torch.stack([model(x) for model in path])
        self._losses = deepcopy(net.criterion_.losses).cpu().double()
        self._of_raw = of_raw

    def of_linear(self) -> Sums:
        """Return the losses for each linear model alone."""
        return self._sums(self._linear.unsqueeze(2))

    def of_blends(self, strength: Tensor) -> Sums:
        """Return the losses for each share of the linear model that has the given penalty for each task."""
        linear = _picked(self._linear, strength[self._of_raw], dim=2).unsqueeze(1)
        return self._sums((1 - share) * self._network + share * linear for share in SHARES)

    def _sums(self, raws: Iterable[Tensor]) -> Sums:
        sums = [
            self._losses.response_sums(self._losses.responses(raw), self._y, self._weight) for raw in raws
        ]
        return torch.stack([total for total, _ in sums]), sums[0][1]


def _mean_losses(sums: Iterable[Sums]) -> Tensor:
    """Return the losses over the rows of all nets, shape (n_choices, n_tasks); nan without a label."""
    totals, masses = zip(*sums, strict=True)
    found: Tensor = sum(totals) / sum(masses)
    return found


def _n_labels(tables: Sequence[Table], tasks: TaskSet) -> Tensor:
    """Return the number of each task's labels among the rows of tables that share what is stored."""
    rows = [table.blocks.index for table in tables]
    every = [row for row in rows if row is not None]
    # Rows that all nets stop by, the user's own, are all that are stored.
    stored = tables[0].stored_weight
    known = (stored if len(every) < len(rows) else stored[torch.cat(every).unique()]) > 0
    of_tasks = torch.zeros(len(tasks), dtype=torch.int64)
    return of_tasks.index_add(0, torch.as_tensor(tasks.column_task), known.sum(0).cpu())


def _of_strength(path: Sequence[LinearModel], choice: Tensor) -> tuple[Tensor, Tensor]:
    """Return the slopes and the biases of the chosen model for each raw output."""
    weights, biases = (
        torch.stack([model.weight for model in path]),
        torch.stack([model.bias for model in path]),
    )
    return _picked(weights, choice, dim=1), _picked(biases, choice, dim=1)


def _picked(stacked: Tensor, choice: Tensor, dim: int) -> Tensor:
    """Return, of tensors on a leading axis, for each entry of another axis that of the chosen one."""
    entries = stacked.movedim(dim, 1)[choice, torch.arange(len(choice))]
    return entries.movedim(0, dim - 1)
