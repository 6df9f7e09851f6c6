"""The weights of several clients as those of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Update(NamedTuple):
    """What a client sends after it has trained.

    Parameters
    ----------
    weights : list of ndarray
        The shared weights.
    n_rows : int
        Rows with a label.
    n_labels : list of int
        Labels of each task, in the order of the tasks.
    """

    weights: list[np.ndarray]
    n_rows: int
    n_labels: list[int]


def average(
    updates: Sequence[Update], before: Sequence[np.ndarray], tasks: Sequence[np.ndarray | None]
) -> list[np.ndarray]:
    """Return the mean of the clients' weights (McMahan et al. 2017, Algorithm 1).

    A client counts for as many rows as it has: w = Σ_k n_k w_k / Σ_k n_k. In the head of a task it counts for
    as many labels of that task as it has, so those that lack the task do not count. A head that no client has
    labels of stays as it was before.

    Parameters
    ----------
    updates : sequence of Update
        What the clients have sent.
    before : sequence of ndarray
        The weights before the round.
    tasks : sequence of ndarray of int or None
        For each array the task that each number belongs to, as `tasks_of_weights` returns it.

    Examples
    --------
    >>> first, second = Update([np.array([0.0, 1.0])], 1, [1, 1]), Update([np.array([4.0, 9.0])], 3, [3, 0])
    >>> average([first, second], [np.zeros(2)], [None])
    [array([3., 7.])]
    >>> average([first, second], [np.zeros(2)], [np.array([0, 1])])
    [array([3., 1.])]
    """
    rows = np.array([update.n_rows for update in updates], dtype=np.float64)
    labels = np.array([update.n_labels for update in updates], dtype=np.float64)
    found = []
    for place, (old, of_task) in enumerate(zip(before, tasks, strict=True)):
        counts = rows if of_task is None else np.moveaxis(labels.T[of_task], -1, 0)
        arrays = [update.weights[place] for update in updates]
        found.append(_mean(arrays, counts, old))
    return found


def _mean(arrays: Sequence[np.ndarray], counts: np.ndarray, old: np.ndarray) -> np.ndarray:
    if not np.issubdtype(old.dtype, np.floating):
        # Such as the number of batches that a normalisation has seen.
        return arrays[0].copy()
    if not np.isfinite(old).all():
        # The outermost edges of bins are infinite, and the same for all.
        return old.copy()
    total = counts.sum(0)
    added = np.zeros(old.shape)
    for array, count in zip(arrays, counts, strict=True):
        added += count * array.astype(np.float64)
    mean: np.ndarray = np.where(total > 0, added / np.where(total > 0, total, 1), old)
    return mean.astype(old.dtype)
