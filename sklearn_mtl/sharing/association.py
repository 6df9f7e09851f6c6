"""How much of one task another explains, by their labels alone, and the order of tasks that follows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from sklearn_mtl.tasks import Task

# Numbers are compared by the bins that they are in, with as many labels in each.
N_BINS = 10
# Of more rows some are taken, evenly spaced: shares of a variance need no more.
MOST_ROWS = 10_000
# A task that explains less of another is not read: noise in few labels reaches this.
LEAST_SHARE = 0.05


def explained_shares(tasks: Sequence[Task], y: Tensor, weight: Tensor) -> Tensor:
    """Return what share of the variance of each task each other one explains.

    It is the correlation ratio of the encoded labels (Fisher 1925): the share of the variance that lies
    between classes of the other task, or between bins of its numbers, adjusted for how many of these there
    are. Rows that have labels of both tasks count. A task of several classes is one column of 0 and 1 for
    each, a mean over which is taken; of a task of several columns, the one that explains most.

    Parameters
    ----------
    tasks : sequence of Task
        In the order of their columns.
    y, weight : tensor of shape (n_rows, n_columns)
        Encoded targets and cell weights, 0 where a label is missing.

    Returns
    -------
    tensor of float64, shape (n_tasks, n_tasks)
        In [0, 1]; row t, column s: the share of task t that task s explains. It is 0 for s = t.
    """
    every = max(1, len(y) // MOST_ROWS)
    y, known = y[::every].double(), weight[::every] > 0
    of_column = [place for place, task in enumerate(tasks) for _ in range(task.n_columns)]
    bins, values = [], []
    for column, place in enumerate(of_column):
        has_classes = tasks[place].has_classes
        own = _indicators(y[:, column], known[:, column], None if has_classes else N_BINS)
        bins.append(own)
        values.append(own if has_classes and own.shape[1] > 2 else y[:, column : column + 1])
    widths = torch.tensor([own.shape[1] for own in values])
    mask = known.double().repeat_interleave(widths, dim=1)
    cells = torch.cat(values, 1) * mask
    cells = (cells - cells.sum(0) / mask.sum(0).clamp_min(1)) * mask
    task_of_cell = torch.tensor(of_column).repeat_interleave(widths)
    n_cells = torch.bincount(task_of_cell, minlength=len(tasks))
    shares = y.new_zeros(len(tasks), len(tasks))
    for own, place in zip(bins, of_column, strict=True):
        total = y.new_zeros(len(tasks)).index_add(0, task_of_cell, _between(own, cells, mask))
        shares[:, place] = torch.maximum(shares[:, place], total / n_cells)
    return shares.fill_diagonal_(0.0)


def best_ancestors(shares: Tensor, n_labels: Tensor) -> Tensor:
    """Return which tasks each one reads: the one that explains it best, and what that one reads.

    Links between tasks are taken from the strongest on, each that leads to a task which has none yet and
    makes no cycle: a forest, as in chains of classifiers along a tree (Sucar et al. 2014). A link counts
    the more, the larger the first task's share of the labels of both.

    Parameters
    ----------
    shares : tensor of shape (n_tasks, n_tasks)
        As `explained_shares` returns them.
    n_labels : tensor of shape (n_tasks,)
        Number of labels of each task.

    Returns
    -------
    tensor of uint8, shape (n_tasks, n_tasks)
        Row t, column s: 1 where task t reads task s.

    Examples
    --------
    The second task explains the first, and the third the second:

    >>> import torch
    >>> from sklearn_mtl.sharing.association import best_ancestors
    >>> shares = torch.tensor([[0.0, 0.9, 0.5], [0.1, 0.0, 0.8], [0.2, 0.3, 0.0]])
    >>> best_ancestors(shares, torch.tensor([100, 100, 100])).tolist()
    [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    """
    n_tasks = len(shares)
    of_both = (n_labels.unsqueeze(1) + n_labels).clamp_min(1)
    # Rounded, so that rounding does not decide between links of equal strength.
    strength = (shares * n_labels / of_both).round(decimals=6).where(shares >= LEAST_SHARE, 0.0)
    order = strength.flatten().argsort(descending=True, stable=True)
    parent = [-1] * n_tasks
    for link in order[: int((strength > 0).sum())].tolist():
        child, source = divmod(link, n_tasks)
        if parent[child] < 0 and child not in _way_up(parent, source):
            parent[child] = source
    found = torch.zeros(n_tasks, n_tasks, dtype=torch.uint8)
    for task in range(n_tasks):
        found[task, _way_up(parent, task)[1:]] = 1
    return found


def _way_up(parent: Sequence[int], task: int) -> list[int]:
    """Return a task, its parent, and so on."""
    way = [task]
    while parent[way[-1]] >= 0:
        way.append(parent[way[-1]])
    return way


def _indicators(y: Tensor, known: Tensor, n_bins: int | None = None) -> Tensor:
    """Return 0 and 1 for each distinct number, or each bin, of a column; 0 in rows without a label."""
    labels = y[known]
    if n_bins is None or len(labels) == 0:
        codes = torch.unique(labels, return_inverse=True)[1]
    else:
        ends = torch.quantile(labels, torch.arange(1, n_bins, dtype=y.dtype) / n_bins)
        codes = torch.bucketize(labels, torch.unique(ends), right=True)
        codes = torch.unique(codes, return_inverse=True)[1]
    found = y.new_zeros(len(y), int(codes.max()) + 1 if len(codes) else 1)
    found[known] = F.one_hot(codes, found.shape[1]).to(y.dtype)
    return found


def _between(bins: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Return the adjusted share of the variance of each column that lies between bins."""
    n, total, squares = (bins.T @ of_cells for of_cells in (mask, values, values**2))
    inside = (squares - total**2 / n.clamp_min(1)).sum(0)
    n_rows, n_bins = n.sum(0), (n > 0).sum(0)
    whole = squares.sum(0) - total.sum(0) ** 2 / n_rows.clamp_min(1)
    ratio = (inside / (n_rows - n_bins)) / (whole / (n_rows - 1))
    enough = (n_rows - n_bins >= N_BINS) & (whole > 1e-12 * n_rows)
    return torch.where(enough, 1 - ratio, 0.0).clamp(0, 1)
