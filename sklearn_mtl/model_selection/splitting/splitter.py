"""What the splitters have in common: how labels are read, parameters checked and losses warned of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state, indexable

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection.splitting.stratification import Strata, strata_of
from sklearn_mtl.targets import Column, MultiTaskTarget, read_targets

# Tasks to stratify by, as the user names them.
Tasks = str | Sequence[str] | Mapping[str, Any] | None


class TaskFolds(BaseCrossValidator):
    """Base of the splitters whose test parts are folds; a subclass says which fold each row is in.

    Parameters
    ----------
    n_splits, task, n_bins, shuffle, random_state
        As in `TaskStratifiedKFold`.
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        task: Tasks = None,
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
        _check_shuffle(shuffle, random_state)

    @abstractmethod
    def folds_of(
        self, strata: Sequence[Strata], groups: Any, rng: np.random.RandomState | None
    ) -> np.ndarray:
        """Return the number of each row's fold.

        Parameters
        ----------
        strata : sequence of Strata
            Strata of the tasks to stratify by.
        groups : object
            Groups of the rows, as `split` was given them.
        rng : RandomState or None
            None where rows are not shuffled.
        """

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the training and test rows of each fold.

        Parameters
        ----------
        X : array-like of shape (n_rows, ...)
            Features, of which only the number of rows counts.
        y : mapping, DataFrame or array-like
            Labels by task.
        groups : array-like of shape (n_rows,), optional
            Group of each row; ignored, with a warning, by a splitter without groups.
        """
        _, y, groups = indexable(X, splittable(y), groups)
        columns, strata = read_strata(y, self.task, self.n_bins, fewest=self.n_splits)
        rng = check_random_state(self.random_state) if self.shuffle else None
        folds = self.folds_of(strata, groups, rng)
        for fold in range(self.n_splits):
            train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            warn_of_losses(train, test, strata, columns)
            yield train, test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return int(self.n_splits)


def splittable(y: Any) -> Any:
    """Return y such that scikit-learn can split it: a plain mapping as a MultiTaskTarget."""
    return MultiTaskTarget(y) if isinstance(y, Mapping) and not isinstance(y, MultiTaskTarget) else y


def read_strata(y: Any, task: Tasks, n_bins: int, fewest: int) -> tuple[dict[str, Column], list[Strata]]:
    """Return the labels by task, and the strata of the tasks to stratify by.

    Parameters
    ----------
    y : object
        Targets as the user gave them.
    task, n_bins
        Parameters of a splitter.
    fewest : int
        As in `strata_of`.
    """
    if y is None:
        raise ValueError("`y` must hold the labels to stratify by. Found None.")
    columns = read_targets(y).columns
    tasks = list(columns) if task is None else task
    tasks = [tasks] if isinstance(tasks, str) else tasks
    several = isinstance(tasks, Sequence | Mapping) and len(tasks) > 0
    if not several or not all(isinstance(name, str) for name in tasks):
        raise ValueError(
            "`task` must be None, the name of a task, a list of such, or a mapping from name to kind. "
            f"Found {shown(task)}."
        )
    return columns, strata_of(columns, tasks, n_bins, fewest)


def check_count(name: str, count: Any, least: int) -> None:
    """Raise a ``ValueError`` unless a parameter is an integer of at least so much."""
    if not isinstance(count, Integral) or isinstance(count, bool) or count < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}. Found {shown(count)}.")


def _check_shuffle(shuffle: Any, random_state: Any) -> None:
    if not isinstance(shuffle, bool):
        raise TypeError(f"`shuffle` must be True or False. Found {shown(shuffle)}.")
    if not shuffle and random_state is not None:
        raise ValueError(
            "`random_state` must be None unless `shuffle` is True: it has no effect otherwise. "
            f"Found {shown(random_state)}."
        )


def warn_of_groups(splitter: Any, groups: Any) -> None:
    """Warn if a splitter is given groups that it ignores."""
    if groups is not None:
        warn_caller(f"The groups parameter is ignored by {type(splitter).__name__}.")


def warn_of_losses(
    train: np.ndarray, test: np.ndarray, strata: Sequence[Strata], columns: Mapping[str, Column]
) -> None:
    """Warn if a class is missing from the training rows, or all labels of a task from either part.

    Parameters
    ----------
    train, test : ndarray of int
        Rows of the two parts.
    strata : sequence of Strata
        Strata whose classes should all be trained on.
    columns : mapping of str to Column
        Labels of all tasks.
    """
    for one in strata:
        counts = np.bincount(one.codes[train], minlength=one.n_strata)
        lost = [label for label, count in zip(one.classes, counts, strict=False) if count == 0]
        if lost:
            warn_caller(
                f"A training part has no row of the classes {shown(lost)} of task {shown(one.task)}: "
                "too few rows have "
                "them for this many parts."
            )
    for name, column in columns.items():
        for part, rows in (("training", train), ("test", test)):
            if column.missing[rows].all() and not column.missing.all():
                warn_caller(f"A {part} part has no label of task {shown(name)}.")
