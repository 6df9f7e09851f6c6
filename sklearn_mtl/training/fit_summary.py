"""What is known of a fit beside its networks: missing labels, the scores of a constant, and the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.data import Table
from sklearn_mtl.tasks import TaskLosses
from sklearn_mtl.training.recording import to_numbers
from sklearn_mtl.training.runs import NetPlan

# So many cells are looked at, in evenly spaced rows, for what must cost nothing beside a training.
MOST_CELLS = 500_000


@dataclass(frozen=True, eq=False)
class FitSummary:
    """What is known of a fit beside its networks, by task in their order.

    Parameters
    ----------
    missing : ndarray of float64, shape (n_tasks,)
        Share of the rows, of those that were learned from or held out, that have no label of positive weight.
    constant_scores : ndarray of float64, shape (n_tasks,)
        Score of the best constant prediction on held-out rows, in the mean over the nets; nan where no
        row is held out or the score has no meaning for a constant.
    seconds : float
        How long the training took.
    """

    missing: np.ndarray
    constant_scores: np.ndarray
    seconds: float

    @classmethod
    def of(cls, plans: Sequence[NetPlan], seconds: float) -> FitSummary:
        """Look at the labels that the nets of one bag had.

        Parameters
        ----------
        plans : sequence of NetPlan
            What each net learned from, and what it held out.
        seconds : float
            How long the training took.
        """
        tables = [table for table in (plans[0].train, plans[0].valid) if table is not None]
        n_tasks = len(plans[0].blueprint.tasks)
        column_task = torch.from_numpy(plans[0].blueprint.tasks.column_task)
        shares = [missing_shares(_labels(table)["weight"], column_task, n_tasks) for table in tables]
        missing = np.average(shares, axis=0, weights=[len(table) for table in tables])
        return cls(missing, np.mean([_constant_scores(plan) for plan in plans], axis=0), seconds)


def missing_shares(weight: Tensor, column_task: Tensor, n_tasks: int) -> np.ndarray:
    """Return the share of rows that have no label of each task.

    Parameters
    ----------
    weight : tensor of shape (n_rows, n_columns)
        Cell weights, 0 where a label is missing.
    column_task : tensor of int, shape (n_columns,)
        Position of the task that each column belongs to.
    n_tasks : int
        Number of tasks.
    """
    labelled = torch.zeros((len(weight), n_tasks), device=weight.device)
    labelled.index_add_(1, column_task.to(weight.device), (weight > 0).to(labelled.dtype))
    return 1 - to_numbers((labelled > 0).to(labelled.dtype).mean(0))


def _constant_scores(plan: NetPlan) -> np.ndarray:
    """Return the score on held-out rows of each task's best constant for the training rows."""
    nothing = np.full(len(plan.blueprint.tasks), np.nan)
    if plan.valid is None:
        return nothing
    known, held_out = _labels(plan.train), _labels(plan.valid)
    try:
        losses = TaskLosses(plan.blueprint.tasks, known["y"], known["weight"])
        responses = losses.constant_responses(known["y"], known["weight"], len(held_out["y"]))
        return to_numbers(losses.scores(responses, held_out["y"], held_out["weight"]))
    # The net is trained: a user's own loss that knows no constant must not make its fit fail now.
    except Exception:
        return nothing


def _labels(table: Table) -> Mapping[str, Tensor]:
    """Return encoded targets ``"y"`` and cell weights ``"weight"``, on the CPU."""
    n_columns = max(1, table.stored_y.shape[-1])
    return table.labels_of_sample(max(1, MOST_CELLS // n_columns))
