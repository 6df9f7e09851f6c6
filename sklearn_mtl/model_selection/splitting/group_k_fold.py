"""Folds that keep groups together and spread the labels of tasks evenly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_mtl.estimators.held_out import read_groups
from sklearn_mtl.model_selection.splitting.splitter import TaskFolds
from sklearn_mtl.model_selection.splitting.stratification import Strata, group_folds, numbered


class TaskStratifiedGroupKFold(TaskFolds):
    """K folds that keep groups together, with shares of each class that are as equal as this allows.

    A regression task is stratified by bins between its quantiles, and rows without a label of a task are
    spread as well.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2 and at most the number of groups.
    task, n_bins
        As in `TaskStratifiedKFold`.
    shuffle : bool, default=False
        Whether groups that are equally good to place next come in random order.
    random_state : int, RandomState or None, default=None
        Seed of the shuffling; None unless groups are shuffled.

    Warns
    -----
    UserWarning
        If a class of ``task`` is missing from a training part, or all labels of any task of y from either
        part.

    See Also
    --------
    TaskStratifiedKFold : Folds without groups, whose shares are equal.

    Notes
    -----
    Groups are placed one by one, those with the largest shares of some class first, each in the fold where
    it adds least to the variance of the shares over the folds. Like any greedy method, this need not find
    the best folds.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.model_selection import TaskStratifiedGroupKFold
    >>> X = np.zeros((6, 1))
    >>> Y = {"type": ["flat", "flat", "house", "house", "flat", "house"], "price": [1.5] * 6}
    >>> street = ["a", "a", "b", "b", "c", "d"]
    >>> for train, test in TaskStratifiedGroupKFold(2, task="type").split(X, Y, street):
    ...     print(test)
    [0 1 5]
    [2 3 4]
    """

    # As in scikit-learn's splitters by group: with metadata routing they are given groups without a request.
    __metadata_request__split = {"groups": True}  # noqa: RUF012 - scikit-learn reads it off the class

    def folds_of(
        self, strata: Sequence[Strata], groups: Any, rng: np.random.RandomState | None
    ) -> np.ndarray:
        """Return the number of each row's fold, which is one for all rows of a group."""
        if groups is None:
            raise ValueError("`groups` must hold the group of each row of X. Found None.")
        numbers = read_groups(groups, len(strata[0].codes))
        n_groups = numbers.max() + 1
        if self.n_splits > n_groups:
            raise ValueError(f"`n_splits` must not exceed the {n_groups} groups. Found {self.n_splits}.")
        return group_folds(numbered(strata), numbers, self.n_splits, rng)
