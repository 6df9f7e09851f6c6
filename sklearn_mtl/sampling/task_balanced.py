"""Tasks with few labels drawn as often as the others."""

from __future__ import annotations

import numpy as np

from sklearn_mtl.sampling.sampler import Sampler, TrainingLabels, check_exponent


class TaskBalanced(Sampler):
    """Draw each task as often as the others, and each of its labelled rows as often as its others.

    A row is drawn at the rate Σ_t p_t / n_t over the tasks t of which it has a label, where n_t is the number
    of labels of task t, and p_t, the share of the task, is proportional to n_t to the power of ``exponent``.
    At 0 all shares are equal; at 1 each label is drawn as often as any other. In between are the shares of
    Stickland and Murray (2019), who draw batches of one task. Here a row comes with all of its labels, so
    tasks that share rows with a rare one are seen more often, too.

    For tasks whose labels are on different rows, some few, some many: where all rows have labels of all
    tasks, each is drawn once in an epoch, as without a sampler. Rows of a task with few labels are seen many
    times, and learned by heart the sooner.

    Parameters
    ----------
    exponent : float, default=0.0
        From 0, equal shares of all tasks, to 1, shares by their numbers of labels.

    References
    ----------
    A. C. Stickland and I. Murray, "BERT and PALs: Projected Attention Layers for Efficient Adaptation in
    Multi-Task Learning", ICML 2019, section 4.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.sampling import TaskBalanced
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3))
    >>> Y = {"many": X[:, 0].copy(), "few": X[:, 1].copy()}
    >>> Y["few"][20:] = np.nan
    >>> est = MultiTaskRegressor(sampler=TaskBalanced(exponent=0.5), n_bags=1, max_epochs=2)
    >>> est.fit(X, Y).predict(X)["few"].shape
    (200,)
    """

    def __init__(self, exponent: float = 0.0) -> None:
        self.exponent = exponent

    def rates(self, labels: TrainingLabels) -> np.ndarray:
        """Return the rate of each row."""
        check_exponent("TaskBalanced", self.exponent)
        has_label = labels.has_label
        counts = has_label.sum(0)
        there = counts > 0
        per_label = np.zeros(len(counts))
        per_label[there] = counts[there] ** (float(self.exponent) - 1)
        rates: np.ndarray = has_label @ per_label
        return rates
