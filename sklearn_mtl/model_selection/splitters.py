"""Splitters that keep the shares of the classes of some tasks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit, ShuffleSplit
from sklearn.utils import check_random_state

from sklearn_mtl.model_selection.stratification import (
    Strata,
    block_folds,
    iterative_folds,
    numbered,
    strata_of,
    warn_of_losses,
)
from sklearn_mtl.targets import Column, MultiTaskTarget, read_targets


class TaskStratifiedKFold(BaseCrossValidator):
    """K folds with the same share of each class of one task, or of several, in each.

    Rows without a label of a task are spread evenly as well.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    task : str, sequence of str, or mapping of str to str or task object
        Classification or multilabel tasks to stratify by. A mapping names their kinds, such as
        ``{"type": "classification"}``, which say the strata: any kind that has some will do.
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
        task: str | Sequence[str] | Mapping[str, Any],
        shuffle: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_splits = n_splits
        self.task = task
        self.shuffle = shuffle
        self.random_state = random_state
        _check_count(n_splits, least=2)
        if not isinstance(shuffle, bool):
            raise TypeError(f"`shuffle` must be True or False. Found {shuffle!r}.")
        if not shuffle and random_state is not None:
            raise ValueError(
                "`random_state` must be None unless `shuffle` is True: it has no effect otherwise. "
                f"Found {random_state!r}."
            )

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
        columns, strata = _read(self, y)
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
    """Random splits with the same share of each class of one task, or of several, in both parts.

    Rows without a label of a task are spread in the same way.

    Parameters
    ----------
    n_splits : int, default=10
        Number of splits.
    task : str, sequence of str, or mapping of str to str or task object
        Classification or multilabel tasks to stratify by. A mapping names their kinds, such as
        ``{"type": "classification"}``, which say the strata: any kind that has some will do.
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
        task: str | Sequence[str] | Mapping[str, Any],
        test_size: float | None = None,
        train_size: float | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_splits, test_size=test_size, train_size=train_size, random_state=random_state)
        self.task = task
        _check_count(n_splits, least=1)

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
        columns, strata = _read(self, y)
        codes = numbered(strata)
        # What the two sizes mean is scikit-learn's rule.
        rule = ShuffleSplit(1, test_size=self.test_size, train_size=self.train_size, random_state=0)
        n_train, n_test = map(len, next(rule.split(codes)))
        sizes = np.array([n_train, n_test, len(codes) - n_train - n_test])
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


def _read(splitter: Any, y: Any) -> tuple[dict[str, Column], list[Strata]]:
    tasks = [splitter.task] if isinstance(splitter.task, str) else splitter.task
    several = isinstance(tasks, Sequence | Mapping) and len(tasks) > 0
    if not several or not all(isinstance(task, str) for task in tasks):
        raise ValueError(
            "`task` must be the name of a task, a list of such, or a mapping from name to kind. "
            f"Found {splitter.task!r}."
        )
    if y is None:
        raise ValueError(f"`y` must hold the labels to stratify by, of {list(tasks)}. Found None.")
    columns = read_targets(y).columns
    return columns, strata_of(columns, tasks)


def _ignore_groups(splitter: Any, groups: Any) -> None:
    if groups is not None:
        warnings.warn(f"The groups parameter is ignored by {type(splitter).__name__}.", stacklevel=3)


def _check_count(n_splits: Any, least: int) -> None:
    if not isinstance(n_splits, Integral) or isinstance(n_splits, bool) or n_splits < least:
        raise ValueError(f"`n_splits` must be an integer of at least {least}. Found {n_splits!r}.")
