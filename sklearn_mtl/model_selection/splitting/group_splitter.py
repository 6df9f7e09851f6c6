"""Folds that keep groups together and spread the labels of tasks evenly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state

from sklearn_mtl.estimators.held_out import read_groups
from sklearn_mtl.model_selection.splitting.splitters import (
    check_count,
    check_shuffle,
    read_strata,
    splittable,
)
from sklearn_mtl.model_selection.splitting.stratification import group_folds, numbered, warn_of_losses


class TaskStratifiedGroupKFold(BaseCrossValidator):
    """K folds that keep groups together, with shares of each class of the tasks as equal as may be.

    A regression is stratified by bins of its quantiles, and rows without a label of a task are spread
    as well.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2 and at most the number of groups.
    task : str, sequence of str, mapping of str to str or task object, or None, default=None
        Tasks to stratify by; None is all of y. A mapping names their kinds, such as
        ``{"type": "classification"}``, which say the strata: a kind of your own too.
    n_bins : int, default=5
        Most bins of a regression: of numbers that are no whole ones, or of many distinct values of few
        rows each. There are fewer where a task has fewer labels than would do for all bins and parts.
    shuffle : bool, default=False
        Whether groups that are equally good to place next come in random order.
    random_state : int, RandomState or None, default=None
        Of the shuffling.

    Warns
    -----
    UserWarning
        If a training part lacks a class of ``task`` that other rows have, or a part all labels of any
        task of y.

    See Also
    --------
    TaskStratifiedKFold : Without groups, where shares are exact.

    Notes
    -----
    Groups are placed one by one, those with the largest shares of some class first, each in the fold where
    it adds least to the variance of the shares over the folds. As any greedy method it need not find the
    best folds.

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

    # As scikit-learn's splitters by group: with metadata routing they are given groups unasked.
    __metadata_request__split = {"groups": True}  # noqa: RUF012 - scikit-learn reads it off the class

    def __init__(
        self,
        n_splits: int = 5,
        *,
        task: str | Sequence[str] | Mapping[str, Any] | None = None,
        n_bins: int = 5,
        shuffle: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_splits = n_splits
        self.task = task
        self.n_bins = n_bins
        self.shuffle = shuffle
        self.random_state = random_state
        check_count("n_splits", n_splits, least=2)
        check_count("n_bins", n_bins, least=2)
        check_shuffle(shuffle, random_state)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the training and test rows of each fold.

        Parameters
        ----------
        X : array-like of shape (n_rows, ...)
            Only its length counts.
        y : mapping, DataFrame or array-like
            Labels by task.
        groups : array-like of shape (n_rows,)
            Group of each row.
        """
        yield from super().split(X, splittable(y), groups)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return int(self.n_splits)

    def _iter_test_indices(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[np.ndarray]:
        columns, strata = read_strata(self, y, self.n_splits)
        if groups is None:
            raise ValueError("`groups` must hold the group of each row of X. Found None.")
        numbers = read_groups(groups, len(strata[0].codes))
        n_groups = numbers.max() + 1
        if self.n_splits > n_groups:
            raise ValueError(f"`n_splits` must not exceed the {n_groups} groups. Found {self.n_splits}.")
        rng = check_random_state(self.random_state) if self.shuffle else None
        folds = group_folds(numbered(strata), numbers, self.n_splits, rng)
        for fold in range(self.n_splits):
            test = np.flatnonzero(folds == fold)
            warn_of_losses(np.flatnonzero(folds != fold), test, strata, columns)
            yield test
