"""Splitters that spread the labels of tasks evenly: their classes, their range, and their gaps."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit, ShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples

from sklearn_mtl.model_selection.splitting.stratification import (
    Strata,
    block_folds,
    iterative_folds,
    numbered,
    strata_of,
    warn_of_losses,
)
from sklearn_mtl.targets import Column, MultiTaskTarget, read_targets


class TaskStratifiedKFold(BaseCrossValidator):
    """K folds with the same share of each class of the tasks in each.

    A regression is stratified by bins of its quantiles, and rows without a label of a task are spread
    evenly as well, so that a small task has labels in every fold.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    task : str, sequence of str, mapping of str to str or task object, or None, default=None
        Tasks to stratify by; None is all of y. A mapping names their kinds, such as
        ``{"type": "classification"}``, which say the strata: a kind of your own too.
    n_bins : int, default=5
        Most bins of a regression: of numbers that are no whole ones, or of many distinct values of few
        rows each. There are fewer where a task has fewer labels than would do for all bins and parts.
    shuffle : bool, default=False
        Whether rows of the same classes are shuffled first.
    random_state : int, RandomState or None, default=None
        Of the shuffling.

    Warns
    -----
    UserWarning
        If a training part lacks a class of ``task`` that other rows have, or a part all labels of any
        task of y.

    See Also
    --------
    TaskStratifiedShuffleSplit : Random splits of any size.
    TaskStratifiedGroupKFold : Folds that keep groups together.

    Notes
    -----
    One task of one label is split as by scikit-learn's ``StratifiedKFold``. Several labels are split by
    iterative stratification [1]_: each label keeps its shares, their combinations need not.

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
        groups : object
            Ignored.
        """
        _ignore_groups(self, groups)
        yield from super().split(X, splittable(y))

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return int(self.n_splits)

    def _iter_test_indices(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[np.ndarray]:
        columns, strata = read_strata(self, y, self.n_splits)
        n_rows = len(strata[0].codes)
        if self.n_splits > n_rows:
            raise ValueError(f"`n_splits` must not exceed the {n_rows} rows. Found {self.n_splits}.")
        rng = check_random_state(self.random_state) if self.shuffle else None
        if len(strata) == 1:
            folds = block_folds(strata[0].codes, self.n_splits, rng)
        else:
            sizes = n_rows // self.n_splits + (np.arange(self.n_splits) < n_rows % self.n_splits)
            shares = np.full(self.n_splits, 1 / self.n_splits)
            folds = iterative_folds(numbered(strata), sizes, shares, rng)
        for fold in range(self.n_splits):
            test = np.flatnonzero(folds == fold)
            warn_of_losses(np.flatnonzero(folds != fold), test, strata, columns)
            yield test


class TaskStratifiedShuffleSplit(BaseShuffleSplit):
    """Random splits with the same share of each class of the tasks in both parts.

    A regression is stratified by bins of its quantiles, and rows without a label of a task are spread
    in the same way.

    Parameters
    ----------
    n_splits : int, default=10
        Number of splits.
    task : str, sequence of str, mapping of str to str or task object, or None, default=None
        Tasks to stratify by; None is all of y. A mapping names their kinds, such as
        ``{"type": "classification"}``, which say the strata: a kind of your own too.
    n_bins : int, default=5
        Most bins of a regression: of numbers that are no whole ones, or of many distinct values of few
        rows each. There are fewer where a task has fewer labels than would do for all bins and parts.
    test_size, train_size : float, int or None, default=None
        Share or number of the rows of each part; one is by default the rest of the other, and the test
        part a tenth if neither is given.
    random_state : int, RandomState or None, default=None
        Of the splits.

    Warns
    -----
    UserWarning
        If a training part lacks a class of ``task`` that other rows have, or a part all labels of any
        task of y.

    See Also
    --------
    TaskStratifiedKFold : Folds that do not overlap.

    Notes
    -----
    Splits are made by iterative stratification [1]_, and have the exact sizes. A class of a single row
    goes to the larger part.

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
        task: str | Sequence[str] | Mapping[str, Any] | None = None,
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
            Only its length counts.
        y : mapping, DataFrame or array-like
            Labels by task.
        groups : object
            Ignored.
        """
        _ignore_groups(self, groups)
        yield from super().split(X, splittable(y))

    def _iter_indices(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        # What the two sizes mean is scikit-learn's rule.
        rule = ShuffleSplit(1, test_size=self.test_size, train_size=self.train_size, random_state=0)
        n_rows = _num_samples(X if y is None else y)
        n_train, n_test = map(len, next(rule.split(np.empty(n_rows))))
        sizes = np.array([n_train, n_test, n_rows - n_train - n_test])
        columns, strata = read_strata(self, y, fewest=ceil(n_rows / min(n_train, n_test)))
        codes = numbered(strata)
        rng = check_random_state(self.random_state)
        for _ in range(self.n_splits):
            parts = iterative_folds(codes, sizes, sizes / len(codes), rng)
            train = rng.permutation(np.flatnonzero(parts == 0))
            test = rng.permutation(np.flatnonzero(parts == 1))
            warn_of_losses(train, test, strata, columns)
            yield train, test


def splittable(y: Any) -> Any:
    """Return y such that scikit-learn can split it: a plain mapping as a MultiTaskTarget."""
    return MultiTaskTarget(y) if isinstance(y, Mapping) and not isinstance(y, MultiTaskTarget) else y


def read_strata(splitter: Any, y: Any, fewest: int) -> tuple[dict[str, Column], list[Strata]]:
    """Return the labels by task, and the strata of the tasks that a splitter names.

    Parameters
    ----------
    splitter : object
        With ``task`` and ``n_bins``.
    y : object
        As the user gave it.
    fewest : int
        As of `strata_of`.
    """
    if y is None:
        raise ValueError("`y` must hold the labels to stratify by. Found None.")
    columns = read_targets(y).columns
    tasks = list(columns) if splitter.task is None else splitter.task
    tasks = [tasks] if isinstance(tasks, str) else tasks
    several = isinstance(tasks, Sequence | Mapping) and len(tasks) > 0
    if not several or not all(isinstance(task, str) for task in tasks):
        raise ValueError(
            "`task` must be None, the name of a task, a list of such, or a mapping from name to kind. "
            f"Found {splitter.task!r}."
        )
    return columns, strata_of(columns, tasks, splitter.n_bins, fewest)


def check_count(name: str, count: Any, least: int) -> None:
    """Raise a ``ValueError`` unless a parameter is an integer of at least so much."""
    if not isinstance(count, Integral) or isinstance(count, bool) or count < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}. Found {count!r}.")


def check_shuffle(shuffle: Any, random_state: Any) -> None:
    """Raise a ``TypeError`` or ``ValueError`` for a shuffling that can't be."""
    if not isinstance(shuffle, bool):
        raise TypeError(f"`shuffle` must be True or False. Found {shuffle!r}.")
    if not shuffle and random_state is not None:
        raise ValueError(
            "`random_state` must be None unless `shuffle` is True: it has no effect otherwise. "
            f"Found {random_state!r}."
        )


def _ignore_groups(splitter: Any, groups: Any) -> None:
    if groups is not None:
        warnings.warn(f"The groups parameter is ignored by {type(splitter).__name__}.", stacklevel=3)
