"""The losses of one step of training, and the way back from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from sklearn_mtl.tasks.task_losses import TaskLosses

# A task without a label in a batch has a loss of 0; what it is divided by must not be, nor so small that a
# large task weight over it, and over the smallest baseline, is too much for float32.
SMALLEST_MASS = 1e-25


@dataclass(frozen=True, eq=False)
class StepLosses:
    """The losses of the tasks over the rows of one step, without gradient, and how to get theirs.

    Each loss is a mean over cells, so its gradient in the raw outputs is the slope of each cell's loss
    times what the cell weighs: two products, whatever is done with the losses in between. Built of tensor
    operations with a graph, the same takes some thirty.

    Shapes may have further axes in front, one network each.

    Parameters
    ----------
    raw : tensor of shape (rows, members, raw_width)
        The network's outputs, with gradient.
    total, mass : tensor of shape (n_tasks,)
        Scale-free losses and cell weights, summed over the rows.
    slope : tensor of shape (rows, members, raw_width)
        Derivative of each cell's loss.
    weight : tensor of shape (rows, n_columns)
        Cell weights.
    losses : TaskLosses
        What they come of.
    """

    raw: Tensor
    total: Tensor
    mass: Tensor
    slope: Tensor
    weight: Tensor
    losses: TaskLosses

    @cached_property
    def _divisor(self) -> Tensor:
        return self.mass.clamp_min(SMALLEST_MASS)

    @cached_property
    def values(self) -> Tensor:
        """The loss of each task, (n_tasks,): 0 where it has no label."""
        return self.total / self._divisor

    def pull(self, rates: Tensor) -> Tensor:
        """Return the gradient in the raw outputs, of their shape.

        Parameters
        ----------
        rates : tensor of shape (n_tasks,)
            Derivative of what is minimised in each loss.
        """
        members = self.slope.shape[-2]
        share = rates / (self._divisor if members == 1 else self._divisor * members)
        return self.slope * self.losses.spread(share, self.weight).unsqueeze(-2)
