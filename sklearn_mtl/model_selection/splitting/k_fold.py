"""Folds that spread the labels of tasks evenly: their classes, their range, and their gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_mtl.model_selection.splitting.splitter import TaskFolds, warn_of_groups
from sklearn_mtl.model_selection.splitting.stratification import (
    Strata,
    block_folds,
    iterative_folds,
    numbered,
)


class TaskStratifiedKFold(TaskFolds):
    """K folds, each with the same share of every class of the tasks.

    A regression task is stratified by bins between its quantiles. Rows without a label of a task are spread
    evenly as well, so that a small task has labels in every fold.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    task : str, sequence of str, mapping of str to str or task object, or None, default=None
        Tasks to stratify by; None stands for all tasks of y. A mapping also names their kinds, as in
        ``{"type": "classification"}``: the kind, which may be one of your own, then decides what the strata
        are.
    n_bins : int, default=5
        Largest number of bins of a regression task, which is one whose labels are not all whole numbers, or
        have many distinct values with few rows each. There are fewer bins where a task has too few labels to
        have one of each bin in every part.
    shuffle : bool, default=False
        Whether rows of the same classes are shuffled first.
    random_state : int, RandomState or None, default=None
        Seed of the shuffling; None unless rows are shuffled.

    Warns
    -----
    UserWarning
        If a class of ``task`` is missing from a training part, or all labels of any task of y from either
        part.

    See Also
    --------
    TaskStratifiedShuffleSplit : Random splits of any size.
    TaskStratifiedGroupKFold : Folds that keep groups together.

    Notes
    -----
    One task with one label for each row is split as ``StratifiedKFold`` of scikit-learn does it. Several
    labels are split by iterative stratification [1]_, which keeps the shares of each label but not those of
    their combinations.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of Multi-Label Data",
       ECML PKDD 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.model_selection import TaskStratifiedKFold
    >>> X = np.zeros((6, 1))
    >>> Y = {"type": ["flat", "flat", "flat", "house", "house", "house"], "price": [1.5] * 6}
    >>> for train, test in TaskStratifiedKFold(3, task="type").split(X, Y):
    ...     print(test)
    [0 3]
    [1 4]
    [2 5]
    """

    def folds_of(
        self, strata: Sequence[Strata], groups: Any, rng: np.random.RandomState | None
    ) -> np.ndarray:
        """Return the number of each row's fold, whatever the groups."""
        warn_of_groups(self, groups)
        n_rows = len(strata[0].codes)
        if self.n_splits > n_rows:
            raise ValueError(f"`n_splits` must not exceed the {n_rows} rows. Found {self.n_splits}.")
        if len(strata) == 1:
            return block_folds(strata[0].codes, self.n_splits, rng)
        sizes = n_rows // self.n_splits + (np.arange(self.n_splits) < n_rows % self.n_splits)
        shares = np.full(self.n_splits, 1 / self.n_splits)
        return iterative_folds(numbered(strata), sizes, shares, rng)
