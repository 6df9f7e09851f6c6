"""What is written down of the epochs of a net."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import Tensor


class RecordedNet(NeuralNet):
    """A skorch net that writes down what its epochs came to, task by task.

    Parameters
    ----------
    *args, **kwargs
        As of ``NeuralNet``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.epochs_: list[dict[str, np.ndarray]] = []

    def record_training(self, losses: np.ndarray, masses: np.ndarray) -> None:
        """Write down the training losses of an epoch.

        Parameters
        ----------
        losses, masses : ndarray of float64, shape (n_steps, n_tasks)
            Sums over the rows of each step: scale-free losses, and weights.
        """
        per_task, watched = self.watched(losses.sum(0), masses.sum(0))
        weights = self._effective_weights(per_task)
        self.epochs_[-1].update(train_loss=per_task, weight=weights)
        self._record_total("train_loss", watched)
        # Within an epoch one task's nan spreads through the trunk to all: the first step tells whose.
        broken = ~np.isfinite(losses)
        self.first_broken_ = np.flatnonzero(broken[broken.any(1)][:1].any(0))
        self.criterion_.balancer.end_epoch(self._as_tensor(per_task))

    def record_validation(self, loss: np.ndarray, mass: np.ndarray, scores: np.ndarray) -> None:
        """Write down the validation losses and scores of an epoch.

        Parameters
        ----------
        loss, mass : ndarray of float64, shape (n_tasks,)
            Sums over the held-out rows: scale-free losses, and weights.
        scores : ndarray of float64, shape (n_tasks,)
            The metric of each task.
        """
        per_task, watched = self.watched(loss, mass)
        self.epochs_[-1].update(valid_loss=per_task, valid_score=scores)
        self._record_total("valid_loss", watched)

    def watched(self, loss: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the losses of the tasks, and their mean over the tasks of weight > 0 with a label."""
        labelled = mass > 0
        per_task = np.divide(loss, mass, out=np.full_like(loss, np.nan), where=labelled)
        watched = per_task[labelled & (to_numbers(self.criterion_.weights) > 0)]
        return per_task, float(watched.mean()) if len(watched) else float("nan")

    def _record_total(self, key: str, value: float) -> None:
        """Write a total down, and whether it is the lowest so far, as skorch's callbacks expect."""
        before = [epoch[key] for epoch in self.history[:-1] if key in epoch]
        self.history.record(key, value)
        self.history.record(f"{key}_best", value < min(before, default=float("inf")))

    def _effective_weights(self, losses: np.ndarray) -> np.ndarray:
        """How much each task's loss counts in what is minimised, at the epoch's mean losses."""
        balancer, weights = self.criterion_.balancer, self.criterion_.weights
        return to_numbers(balancer.effective_weights(self._as_tensor(np.nan_to_num(losses)), weights))

    def _as_tensor(self, losses: np.ndarray) -> Tensor:
        return torch.as_tensor(losses).to(self.criterion_.weights)


def to_numbers(values: Tensor) -> np.ndarray:
    """Return a tensor as an array of float64 on the host."""
    return values.detach().cpu().double().numpy()
