"""Random splits that spread the labels of tasks evenly over both parts."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

import numpy as np
from sklearn.model_selection import BaseShuffleSplit, ShuffleSplit
from sklearn.utils import check_random_state, indexable

from sklearn_mtl.estimators.scikit_learn_private import n_rows_of
from sklearn_mtl.model_selection.splitting.splitter import (
    Tasks,
    check_count,
    read_strata,
    splittable,
    warn_of_groups,
    warn_of_losses,
)
from sklearn_mtl.model_selection.splitting.stratification import iterative_folds, numbered


class TaskStratifiedShuffleSplit(BaseShuffleSplit):
    """Random splits with the same share of each class of the tasks in both parts.

    A regression task is stratified by bins between its quantiles, and rows without a label of a task are
    spread in the same way.

    Parameters
    ----------
    n_splits : int, default=10
        Number of splits.
    task, n_bins
        As in `TaskStratifiedKFold`.
    test_size, train_size : float, int or None, default=None
        Share or number of the rows in each part. The part that is not given takes the rest; if neither is,
        the test part takes a tenth.
    random_state : int, RandomState or None, default=None
        Seed of the splits.

    Warns
    -----
    UserWarning
        If a class of ``task`` is missing from a training part, or all labels of any task of y from either
        part.

    See Also
    --------
    TaskStratifiedKFold : Folds that do not overlap.

    Notes
    -----
    Splits are made by iterative stratification [1]_, and have exactly the sizes asked for. The row of a class
    that has no other goes to the larger part.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of Multi-Label Data",
       ECML PKDD 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.model_selection import TaskStratifiedShuffleSplit
    >>> X, Y = np.zeros((100, 1)), {"a": [0] * 80 + [1] * 20, "b": [0, 1] * 50}
    >>> split = TaskStratifiedShuffleSplit(1, task=["a", "b"], test_size=0.5, random_state=0)
    >>> train, test = next(split.split(X, Y))
    >>> np.bincount(np.array(Y["a"])[test]), np.bincount(np.array(Y["b"])[test])
    (array([40, 10]), array([25, 25]))
    """

    def __init__(
        self,
        n_splits: int = 10,
        *,
        task: Tasks = None,
        n_bins: int = 5,
        test_size: float | None = None,
        train_size: float | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_splits, test_size=test_size, train_size=train_size, random_state=random_state)
        self.task = task
        self.n_bins = n_bins
        check_count("n_splits", n_splits, least=1)
        check_count("n_bins", n_bins, least=2)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the training and test rows of each split.

        Parameters
        ----------
        X : array-like of shape (n_rows, ...)
            Features, of which only the number of rows counts.
        y : mapping, DataFrame or array-like
            Labels by task.
        groups : object
            Ignored, with a warning.
        """
        X, y, groups = indexable(X, splittable(y), groups)
        warn_of_groups(self, groups)
        sizes = self._sizes(n_rows_of(X if y is None else y))
        n_rows = int(sizes.sum())
        columns, strata = read_strata(y, self.task, self.n_bins, fewest=ceil(n_rows / sizes[:2].min()))
        codes = numbered(strata)
        rng = check_random_state(self.random_state)
        for _ in range(self.n_splits):
            parts = iterative_folds(codes, sizes, sizes / n_rows, rng)
            train = rng.permutation(np.flatnonzero(parts == 0))
            test = rng.permutation(np.flatnonzero(parts == 1))
            warn_of_losses(train, test, strata, columns)
            yield train, test

    def _sizes(self, n_rows: int) -> np.ndarray:
        """Return the number of rows of the training part, of the test part, and of neither."""
        # What the two sizes mean is scikit-learn's rule.
        rule = ShuffleSplit(1, test_size=self.test_size, train_size=self.train_size, random_state=0)
        n_train, n_test = map(len, next(rule.split(np.empty(n_rows))))
        return np.array([n_train, n_test, n_rows - n_train - n_test])
