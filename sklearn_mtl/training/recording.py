"""The record of a net's epochs.

skorch's history has a row for each epoch: the watched losses, and the losses and scores of every task under
the names of the columns of ``history_``. With each loss and score comes a flag, ``…_best``, which says
whether it is better than all before; skorch's callbacks read these flags. There is no other record:
``history_`` is made of it, also where a callback has loaded another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
import torch
from skorch import NeuralNet
from skorch.history import History
from torch import Tensor, nn

from sklearn_mtl.network.generators import GeneratorState, is_known
from sklearn_mtl.tasks import StepLosses, TaskSet
from sklearn_mtl.training.gradient_conflict import CONFLICT, GradientConflict

# Losses, scores and weights of an epoch by their key in `columns_by_task`, each of shape (n_tasks,), and the
# cosines of gradients, (n_tasks, n_tasks), where they were looked at.
Epoch = dict[str, np.ndarray]


def columns_by_task(tasks: TaskSet) -> dict[str, list[str]]:
    """Return the names of the columns that hold losses, scores and weights, in the order of the tasks."""
    names, metrics = tasks.names, [task.loss.metric for task in tasks]
    return {
        "train_loss": [f"train_loss_{name}" for name in names],
        "valid_loss": [f"valid_loss_{name}" for name in names],
        "valid_score": [f"valid_{metric}_{name}" for metric, name in zip(metrics, names, strict=True)],
        "weight": [f"weight_{name}" for name in names],
    }


def history_keys(columns: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the keys by which skorch's history has the columns: their names, unless a flag has that name.

    Parameters
    ----------
    columns : mapping of str to list of str
        The result of `columns_by_task`.
    """
    every = ["train_loss", "valid_loss", *(name for names in columns.values() for name in names)]
    flags = {f"{name}_best" for name in every}
    # No task has two underscores in its name.
    return {
        key: [f"{name}__value" if name in flags else name for name in names] for key, names in columns.items()
    }


class RecordedNet(NeuralNet):
    """A skorch net that records the losses, scores and weights of its epochs, task by task.

    Parameters
    ----------
    *args, **kwargs
        The parameters of ``NeuralNet``.
    columns : mapping of str to list of str
        The result of `history_keys`.
    gradient_conflict : int or None, default=None
        Every so many steps, the gradients of the tasks are compared; None for never.
    """

    def __init__(
        self,
        *args: Any,
        columns: Mapping[str, Sequence[str]],
        gradient_conflict: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.columns = columns
        self.gradient_conflict = gradient_conflict
        self.conflict_ = None if gradient_conflict is None else GradientConflict(gradient_conflict)
        # The best losses and scores so far, by task, and the lowest watched losses; lower is better.
        self.best_: dict[str, Any] = {}
        # Tasks whose loss was the first of the epoch to be no longer finite.
        self.broken_tasks_: np.ndarray = np.empty(0, dtype=np.intp)

    def restore(self, rows: Sequence[Mapping[str, Any]], epochs: Sequence[Epoch] | None = None) -> None:
        """Take over the record of another training.

        Parameters
        ----------
        rows : sequence of mapping
            The rows of skorch's history.
        epochs : sequence of mapping of str to ndarray, optional
            The losses, scores and weights of each epoch, by task, where the rows do not have them.
        """
        epochs = [self.epoch_of(row) for row in rows] if epochs is None else epochs
        self.history, self.best_ = History(), {}
        for row, epoch in zip(rows, epochs, strict=True):
            by_task = [entry for key, values in epoch.items() for entry in self._by_task(key, values)]
            # skorch's own callbacks look at the last batch.
            self.history.append({"batches": [{}], **dict(by_task), **row})
            for key in ("train_loss", "valid_loss"):
                if key in row:
                    self._is_lowest(key, row[key])

    def epoch_of(self, row: Mapping[str, Any]) -> Epoch:
        """Return the losses, scores and weights of an epoch by task, given its row of skorch's history."""
        found = {
            key: np.array([row[name] for name in names], dtype=float)
            for key, names in self.columns.items()
            if all(name in row for name in names)
        }
        return {**found, CONFLICT: np.array(row[CONFLICT])} if CONFLICT in row else found

    def totals(self) -> list[dict[str, Any]]:
        """Return the rows of skorch's history without what is known by task, and without the batches."""
        left_out = {"batches", *self.known_by_task, *(f"{name}_best" for name in self.known_by_task)}
        return [{key: value for key, value in row.items() if key not in left_out} for row in self.history]

    def begin_comparing(self, shared: Iterable[nn.Parameter], step: int | None) -> None:
        """Begin a training, or go on, where gradients may be compared, as `GradientConflict` does."""
        if self.conflict_ is not None:
            self.conflict_.begin(shared, self.conflict_.step if step is None else step)

    @property
    def watcher(self) -> Callable[[StepLosses], None] | None:
        """What compares the gradients of the tasks in the steps of training, if anything does."""
        return None if self.conflict_ is None else self.conflict_.look

    @property
    def known_by_task(self) -> list[str]:
        """Keys of skorch's history under which something is recorded of tasks."""
        return [CONFLICT, *(name for names in self.columns.values() for name in names)]

    def record_training(self, losses: np.ndarray, masses: np.ndarray, sizes: Sequence[int]) -> None:
        """Record the training losses of an epoch.

        Parameters
        ----------
        losses, masses : ndarray of float64, shape (n_steps, n_tasks)
            Sums over the rows of each step: scale-free losses, and weights.
        sizes : sequence of int
            Number of rows of each step.
        """
        per_task, watched = self.watched(losses.sum(0), masses.sum(0))
        effective = self.effective_weights(per_task, masses.sum(0) > 0)
        self.write_training(per_task, float(watched), effective, first_broken(losses))
        self.write_steps("train", self.watched(losses, masses)[1], sizes)
        self.criterion_.balancer.end_epoch(self._as_tensor(per_task))

    def write_training(
        self, per_task: np.ndarray, watched: float, effective: np.ndarray, broken: np.ndarray
    ) -> None:
        """Write the training losses of an epoch, and how much those of the tasks count, into the history."""
        self.history[-1].update(self._by_task("train_loss", per_task))
        self.history[-1].update(self._by_task("weight", effective))
        self._record_total("train_loss", watched)
        conflict = self.conflict_ and self.conflict_.take()
        if conflict is not None:
            self.history.record(CONFLICT, conflict)
        self.broken_tasks_ = broken

    def record_validation(
        self, loss: np.ndarray, mass: np.ndarray, scores: np.ndarray, sizes: Sequence[int]
    ) -> None:
        """Record the validation losses and scores of an epoch.

        Parameters
        ----------
        loss, mass : ndarray of float64, shape (n_tasks,) or (n_steps, n_tasks)
            Sums over the held-out rows, or over those of each step: scale-free losses, and weights.
        scores : ndarray of float64, shape (n_tasks,)
            The metric of each task.
        sizes : sequence of int
            Number of held-out rows, or of those of each step.
        """
        losses, masses = np.atleast_2d(loss), np.atleast_2d(mass)
        per_task, watched = self.watched(losses.sum(0), masses.sum(0))
        self.history[-1].update(self._by_task("valid_loss", per_task))
        self.history[-1].update(self._by_task("valid_score", scores))
        self._record_total("valid_loss", float(watched))
        self.write_steps("valid", self.watched(losses, masses)[1], sizes)

    def watched(self, loss: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the losses of the tasks, and their mean over the tasks of weight > 0 with a label.

        Parameters
        ----------
        loss, mass : ndarray of float64, shape (..., n_tasks)
            Sums over some rows: scale-free losses, and weights.
        """
        return means_and_watched(loss, mass, to_numbers(self.criterion_.weights))

    @property
    def epochs_to_wait(self) -> int:
        """The number of epochs before all tasks are trained, of which none is the best."""
        return int(self.criterion_.balancer.epochs_to_wait(self.criterion_.weights))

    def has_ended(self, epochs: int, patience: int | None) -> bool:
        """Whether training stopped before its last epoch, or would not go on if given more.

        Parameters
        ----------
        epochs : int
            Number of epochs that were given in all.
        patience : int or None
            Epochs without a lower loss after which training stops; None if it does not.
        """
        if len(self.history) < epochs:
            return True
        watched = [epoch.get("valid_loss") for epoch in self.history]
        if patience is None or None in watched:
            return False
        if not np.isfinite(watched[-1]):
            return True
        counted = watched[self.epochs_to_wait :]
        return bool(counted) and len(counted) - 1 - counted.index(min(counted)) >= patience

    def _by_task(self, key: str, values: np.ndarray) -> list[tuple[str, Any]]:
        """Return the entries of one quantity in skorch's history, and remember the best values."""
        if key == CONFLICT:
            return [(CONFLICT, values.tolist())]
        names = self.columns[key]
        entries: list[tuple[str, Any]] = list(zip(names, values.tolist(), strict=True))
        if key == "weight":
            return entries
        # Higher scores are better.
        lower = -values if key == "valid_score" else values
        before = self.best_.get(key, np.full(len(values), np.inf))
        self.best_[key] = np.fmin(before, lower)
        flags = (lower < before).tolist()
        return entries + [(f"{name}_best", flag) for name, flag in zip(names, flags, strict=True)]

    def write_steps(self, prefix: str, watched: np.ndarray, sizes: Sequence[int]) -> None:
        """Write the watched loss and the size of steps, in rows that callbacks opened or in new ones."""
        rows = self.history[-1]["batches"]
        opened = [row for row in rows if "train_loss" not in row]
        if not opened:
            opened = [{} for _ in sizes]
            rows.extend(opened)
            if len(self.history) > 1:
                # Nothing reads more of an earlier epoch than its last batch.
                del self.history[-2]["batches"][:-1]
        for row, loss, size in zip(opened, watched.tolist(), sizes, strict=True):
            row.update({f"{prefix}_loss": loss, f"{prefix}_batch_size": size})

    def _record_total(self, key: str, value: float) -> None:
        """Record a watched loss, and whether it is the lowest so far, as skorch's callbacks expect."""
        self.history.record(key, value)
        self.history.record(f"{key}_best", self._is_lowest(key, value))

    def _is_lowest(self, key: str, value: float) -> bool:
        """Whether a watched loss is the lowest so far; if so, it is remembered."""
        lowest = value < self.best_.get(f"total_{key}", float("inf"))
        if lowest:
            self.best_[f"total_{key}"] = value
        return lowest

    def effective_weights(self, losses: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        """Return how much each task's loss counts in what is minimised, at the epoch's mean losses."""
        balancer, device = self.criterion_.balancer, torch.device(self.device)
        weights = self.criterion_.weights * self._as_tensor(labelled)
        # A user's balancer may draw random numbers, which those of the training must not depend on.
        as_before = nullcontext() if is_known(balancer) else GeneratorState.now(device).restored(device)
        with as_before:
            found = balancer.effective_weights(self._as_tensor(np.nan_to_num(losses)), weights)
        return to_numbers(found)

    def _as_tensor(self, losses: np.ndarray) -> Tensor:
        return torch.as_tensor(losses).to(self.criterion_.weights)


def means_and_watched(
    loss: np.ndarray, mass: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the losses of the tasks, and their mean over the tasks of weight > 0 with a label.

    Parameters
    ----------
    loss, mass : ndarray of float64, shape (..., n_tasks)
        Sums over some rows: scale-free losses, and weights.
    weights : ndarray of float64, shape (..., n_tasks)
        The task weights of the user.
    """
    labelled = mass > 0
    per_task = np.divide(loss, mass, out=np.full_like(loss, np.nan), where=labelled)
    counted = labelled & (weights > 0)
    n_counted = counted.sum(-1)
    total = np.where(counted, per_task, 0.0).sum(-1)
    return per_task, np.divide(total, n_counted, out=np.full_like(total, np.nan), where=n_counted > 0)


def first_broken(losses: np.ndarray) -> np.ndarray:
    """Return the tasks whose losses were the first to be not finite, given those of steps, by task."""
    # Within an epoch one task's nan spreads through the trunk to all: the first step tells whose.
    broken = ~np.isfinite(losses)
    return np.flatnonzero(broken[broken.any(1)][:1].any(0))


def to_numbers(values: Tensor) -> np.ndarray:
    """Return a tensor as an array of float64 on the host."""
    return values.detach().cpu().double().numpy()


def conflict_frame(nets: Sequence[RecordedNet], tasks: TaskSet) -> pd.DataFrame | None:
    """Return the cosines of all nets and epochs, a row for each task and a column for each.

    Parameters
    ----------
    nets : sequence of RecordedNet
        The nets of a bag.
    tasks : TaskSet
        The tasks.

    Returns
    -------
    DataFrame or None
        Its index has ``bag`` (where there are several nets), ``epoch`` and ``task``; nan where nothing was
        looked at. None, if nothing was in any epoch.
    """
    rows = [[row.get(CONFLICT) for row in net.history] for net in nets]
    if all(found is None for of_net in rows for found in of_net):
        return None
    names = tasks.names
    none = np.full((len(names), len(names)), np.nan)
    frames = {}
    for bag, (net, of_net) in enumerate(zip(nets, rows, strict=True)):
        for row, found in zip(net.history, of_net, strict=True):
            frames[bag, row["epoch"]] = pd.DataFrame(none if found is None else found, names, names)
    frame = pd.concat(frames, names=["bag", "epoch", "task"])
    return frame if len(nets) > 1 else frame.droplevel("bag")
