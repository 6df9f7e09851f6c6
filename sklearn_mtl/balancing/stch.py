"""A smooth maximum of the losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sklearn_mtl.balancing.balancer import Balancer
from sklearn_mtl.balancing.parameters import number_of
from sklearn_mtl.balancing.weighted_sum import WeightedSum, softmax_weights
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number
from sklearn_mtl.tasks import Task


class STCH(WeightedSum):
    """The worst loss counts most, smoothly: the largest distance from what each loss could be at best.

    Smooth Tchebycheff scalarization (Lin et al. 2024, "Smooth Tchebycheff Scalarization for Multi-Objective
    Optimization"): μ log Σ_t exp(λ_t (L_t - z_t) / μ), with equal preferences λ_t = 1 / n and the reference
    point z. Its gradient weighs L_t by λ_t times a softmax of λ (L - z) / μ; here times n², so that equal
    losses have a mean weight of 1, and times the user's weight. Sum and number n are those of the tasks with
    a label in the batch. The authors' code finds the scale of each loss in epochs of warm-up; here losses
    come in divided by that of their best constant prediction, and need none.

    Choose it where the worst task is what matters.

    Parameters
    ----------
    mu : float, default=0.1
        μ: the smaller it is, the more the worst task counts alone; the larger, the more alike are the
        weights.
    reference : mapping of str to float, optional
        z: the lowest loss that each task could have, such as that of a network of its own, as
        ``valid_loss_…`` of ``history_`` has it; 0 for tasks that it leaves out.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import STCH
    >>> STCH(mu=0.5).fresh(2).weigh(torch.tensor([1.0, 0.2]), torch.ones(2))
    tensor([1.3799, 0.6201])
    """

    ideal: Tensor

    def __init__(self, mu: float = 0.1, reference: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.mu = mu
        self.reference = reference

    def start(self, n_tasks: int) -> None:
        """Start from a reference point of 0."""
        number_of(self, "mu", above=True)
        self.register_buffer("ideal", torch.zeros(n_tasks))

    def note_tasks(self, tasks: Sequence[Task]) -> None:
        """Take the reference point of each task by its name."""
        if self.reference is None:
            return
        names = [task.name for task in tasks]
        rule = "`reference` of STCH must be a mapping from names of tasks to finite numbers."
        found: Any = self.reference
        if not isinstance(found, Mapping) or not all(map(is_number, found.values())):
            raise ValueError(f"{rule} Found {shown(found)}.")
        unknown = [name for name in found if name not in names]
        if unknown:
            raise ValueError(f"{rule} Found unknown tasks {shown(unknown)}; the tasks are {shown(names)}.")
        self.ideal.copy_(torch.tensor([float(found.get(name, 0.0)) for name in names]))

    def without(self, names: Sequence[str]) -> Balancer:
        """Return a copy whose reference point is that of the other tasks."""
        if not isinstance(self.reference, Mapping):
            return self
        return STCH(self.mu, {name: loss for name, loss in self.reference.items() if name not in names})

    def weigh(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the weights of the losses, the larger the farther a loss is from its reference."""
        n_tasks = (weights > 0).sum(-1).clamp_min(1)
        return softmax_weights((losses - self.ideal) / (self.mu * n_tasks), weights)
