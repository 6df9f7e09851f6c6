"""Learned uncertainties of the tasks."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sklearn_mtl.balancing.learned_scales import LearnedScales
from sklearn_mtl.tasks import Task


class UncertaintyWeighting(LearnedScales):
    """Each loss is divided by a learned variance of its task, Σ w_t (c_t L_t / σ_t² + log σ_t).

    Tasks that stay hard have a large σ, and count less. c is 1/2 for a regression, whose σ is the standard
    deviation of a normal distribution, and 1 for a classification, where σ² is the temperature of the
    class probabilities: for all losses that can be given a temperature (Kendall, Gal & Cipolla 2018,
    "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry and Semantics", section 3.2).
    What is learned is log σ², from 0 on. The user's weight w multiplies the whole term of a task, so that it
    changes nothing of where its σ goes to.

    Choose it where some tasks are mostly noise. σ follows the training loss, so that a task that is
    memorised counts ever more.

    Parameters
    ----------
    lr : float, optional
        Learning rate of log σ²; None for that of the network. With few steps in all, a larger one lets it
        arrive.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import UncertaintyWeighting
    >>> balancer = UncertaintyWeighting().fresh(2)
    >>> balancer(torch.tensor([1.0, 0.5]), torch.ones(2)).item()
    0.75
    """

    # log σ is half of log σ².
    share_of_logs = 0.5

    def start(self, n_tasks: int) -> None:
        """Start from variances of 1, of regressions until the tasks are known."""
        super().start(n_tasks)
        self.factor.fill_(0.5)

    def note_tasks(self, tasks: Sequence[Task]) -> None:
        """Take the factor 1 for losses of probabilities, whose temperature the variance is."""
        self.factor.copy_(torch.tensor([1.0 if task.loss.has_temperature else 0.5 for task in tasks]))
