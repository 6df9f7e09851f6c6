"""The classes of a task drawn equally often."""

from __future__ import annotations

import numpy as np

from sklearn_mtl.messages import shown
from sklearn_mtl.sampling.sampler import Sampler, TrainingLabels, check_exponent, has_codes


class ClassBalanced(Sampler):
    """Draw each class of a task as often as its others.

    The share of class j is proportional to n_j to the power of ``exponent``, where n_j is its number of rows
    (Kang et al. 2020): 0 is class-balanced sampling, 0.5 square-root sampling, and at 1 each row is drawn as
    often as the others. Rows without a label of the task are drawn as often as without a sampler.

    Probabilities are then those of data with such shares of the classes, more of the rare ones than there
    are: a choice for recall and balanced accuracy, not for probabilities. The parameter ``class_weight`` of
    `Classification` weighs rare classes in the loss instead, and ``calibrate=True`` takes such weights out of
    the probabilities.

    Parameters
    ----------
    task : str, default=None
        The task, of one class for each row; None for the only such task.
    exponent : float, default=0.0
        From 0, equal shares of all classes, to 1, shares by their numbers of rows.

    References
    ----------
    B. Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition", ICLR 2020,
    section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.sampling import ClassBalanced
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> Y = {"size": X[:, 0], "type": np.where(X[:, 1] > 1.5, "rare", "common")}
    >>> est = MultiTaskClassifierRegressor(sampler=ClassBalanced("type"), n_bags=1, max_epochs=2)
    >>> est.fit(X, Y).predict(X)["type"].shape
    (200,)
    """

    def __init__(self, task: str | None = None, exponent: float = 0.0) -> None:
        self.task = task
        self.exponent = exponent

    def rates(self, labels: TrainingLabels) -> np.ndarray:
        """Return the rate of each row."""
        check_exponent("ClassBalanced", self.exponent)
        (column,) = labels.columns_of(self._task_of(labels))
        labelled = labels.weight[:, column] > 0
        rates = np.ones(len(labels))
        _, codes, counts = np.unique(labels.y[labelled, column], return_inverse=True, return_counts=True)
        shares = counts ** float(self.exponent)
        rates[labelled] = (shares / counts * (counts.sum() / shares.sum()))[codes]
        return rates

    def without(self, names: list[str]) -> ClassBalanced | None:
        """Return the sampler; None where its task is left out."""
        return None if self.task in names else self

    def _task_of(self, labels: TrainingLabels) -> str:
        names = [task.name for task in labels.tasks if has_codes(task)]
        if self.task is None and len(names) == 1:
            return names[0]
        if isinstance(self.task, str) and self.task in names:
            return self.task
        if not names:
            raise ValueError(
                "ClassBalanced needs a task with one class for each row. Found none among the tasks "
                f"{shown(list(labels.tasks.names))}."
            )
        raise ValueError(
            f"`task` of ClassBalanced must be a task with one class for each row, one of {shown(names)}. "
            f"Found {shown(self.task)}. Say which, as ClassBalanced({names[0]!r}), or by "
            f"set_params(sampler__task={names[0]!r})."
        )
