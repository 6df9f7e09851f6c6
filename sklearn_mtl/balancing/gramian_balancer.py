"""Balancing by the inner products of the tasks' gradients: their lengths, and where they conflict."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing.gradient_method import GradientMethod


class GramianBalancer(GradientMethod):
    """The base of methods that weigh gradients by their Gramian, the matrix of their inner products.

    A task takes part in a step if it has a label in the batch, a weight above 0, and a gradient that is not
    0: a task that asks for nothing can't be in conflict, and must not keep others from being learned. What
    the method gives each task is multiplied by the user's task weight. Where one task alone takes part, its
    gradient is followed as it is.

    Parameters
    ----------
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says.
    """

    def start(self, n_tasks: int) -> None:
        """Make what remembers the weights of an epoch.

        Raises
        ------
        ValueError
            If a parameter is none of those it may be.
        """
        super().start(n_tasks)
        self.given = GivenWeights(n_tasks)

    @abstractmethod
    def weigh(self, gramian: Tensor, scale: float, tasks: Tensor) -> Tensor:
        """Return by what each gradient is multiplied, where all task weights are 1, shape (n,).

        Parameters
        ----------
        gramian : tensor of shape (n, n), float64 on the CPU
            Inner products of the gradients of the tasks that take part, two or more, divided by the mean of
            their squared norms.
        scale : float
            The root of that mean.
        tasks : tensor of shape (n,)
            Which tasks these are.
        """

    def forward(self, gradients: Tensor, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted sum of the gradients."""
        rates = weights * self._weights(gradients, weights)
        self.given.add(rates, weights > 0)
        return rates @ gradients

    def _weights(self, gradients: Tensor, weights: Tensor) -> Tensor:
        # Twice the precision of the gradients holds the square of any, and rounds no conflict away.
        rows = gradients.double()
        gramian = (rows @ rows.T).cpu()
        tasks = ((weights.cpu() > 0) & (gramian.diagonal() != 0)).nonzero()[:, 0]
        found = torch.ones_like(weights)
        # A loss that is no longer finite is found at the end of the epoch.
        if len(tasks) > 1 and gramian.isfinite().all():
            among = gramian[tasks][:, tasks]
            mean = among.diagonal().mean()
            own = self.weigh(among / mean, float(mean) ** 0.5, tasks)
            # Where a solver finds nothing, gradients are added up.
            if own.isfinite().all():
                found[tasks.to(found.device)] = own.to(found)
        return found

    def effective_weights(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the mean of the weights that each task's gradient had in the steps in which it took part."""
        return self.given.mean(weights)

    def end_epoch(self, losses: Tensor) -> None:
        """Forget the weights of the epoch."""
        self.given.clear()


class GivenWeights(nn.Module):
    """The weights that tasks had in the steps of an epoch.

    Parameters
    ----------
    n_tasks : int
        Number of tasks.
    """

    total: Tensor
    steps: Tensor

    def __init__(self, n_tasks: int) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(n_tasks))
        self.register_buffer("steps", torch.zeros(n_tasks))

    def add(self, rates: Tensor, taking_part: Tensor) -> None:
        """Take note of a step; ``taking_part`` says for which tasks."""
        self.total += rates
        self.steps += taking_part

    def mean(self, weights: Tensor) -> Tensor:
        """Return the mean of each task over its steps, and the user's weight of a task that had none."""
        return torch.where(self.steps > 0, self.total / self.steps.clamp_min(1), weights)

    def clear(self) -> None:
        """Forget all steps."""
        self.total.zero_()
        self.steps.zero_()


def root_of(gramian: Tensor) -> Tensor:
    """Return rows that have these inner products, as many numbers in each as there are rows."""
    values, vectors = torch.linalg.eigh(gramian)
    return vectors * values.clamp_min(0).sqrt()


def directions_of(gramian: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lengths of gradients, and the inner products of their directions.

    What is added to a Gramian, and what a solver takes for 0, is then as little beside a short gradient as
    beside a long one.
    """
    lengths = gramian.diagonal().sqrt()
    return lengths, gramian / torch.outer(lengths, lengths)
