"""Whether tasks pull shared parameters the same way: cosines of their gradients, from time to time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing.task_gradients import task_gradients
from sklearn_mtl.tasks import StepLosses

# The key of an epoch's matrix in skorch's history. Its loggers take what has no such beginning for a number.
CONFLICT = "event_gradient_conflict"


class GradientConflict:
    """The cosines of a net, those of the epoch that is under way.

    Parameters
    ----------
    every : int
        Number of steps of which the first is looked at.

    Attributes
    ----------
    shared : list of Parameter
        The trained parameters that several tasks share.
    step : int
        Number of the next step, from the beginning of the first training on.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.shared: list[nn.Parameter] = []
        self.step = 0
        self._found: list[Tensor] = []

    def begin(self, shared: Iterable[nn.Parameter], step: int) -> None:
        """Begin a training, or go on with it."""
        self.shared = [parameter for parameter in shared if parameter.requires_grad]
        self.step = step
        self._found = []

    def is_due(self, further: int = 0) -> bool:
        """Whether the next step, or one so much further, is looked at."""
        return (self.step + further) % self.every == 0

    def look(self, losses: StepLosses) -> None:
        """Take note of a step, given its losses with their graph, which is kept."""
        if self.is_due():
            self.add(task_cosines(losses, self.shared))
        self.step += 1

    def add(self, cosines: Tensor) -> None:
        """Take note of the cosines of a step, shape (n_tasks, n_tasks)."""
        self._found.append(cosines)

    def take(self) -> list[list[float]] | None:
        """Return the mean of the epoch, nan for pairs that were in none of its steps; begin a new one."""
        found, self._found = self._found, []
        if not found:
            return None
        mean: list[list[float]] = torch.stack(found).nanmean(0).tolist()
        return mean


def task_cosines(losses: StepLosses, parameters: Sequence[Tensor]) -> Tensor:
    """Return the cosines between the gradients of the tasks, nan where one is 0.

    Parameters
    ----------
    losses : StepLosses
        Losses of a step, of one network or of several in a stack; their graph is kept.
    parameters : sequence of tensor
        What the gradients are taken in; where there is nothing, all is nan.

    Returns
    -------
    tensor of shape (n_tasks, n_tasks) or (n_networks, n_tasks, n_tasks)
    """
    values = losses.values
    shape = (*values.shape, values.shape[-1])
    if not parameters:
        return values.new_full(shape, torch.nan)
    products = values.new_zeros(shape)
    for gradient in task_gradients(losses, parameters):
        # Networks first, then tasks.
        rows = gradient.reshape(*gradient.shape[: values.ndim], -1).movedim(0, -2)
        products += rows @ rows.mT
    norms = products.diagonal(dim1=-2, dim2=-1).sqrt()
    return (products / (norms.unsqueeze(-1) * norms.unsqueeze(-2))).clamp(-1, 1)
