"""A table with its tasks, and what of it a contender gets to see."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit

from benchmarks.quality.kinds import KINDS, Kind

TEST_SHARE = 0.3


@dataclass(frozen=True, eq=False)
class Problem:
    """A table and what is to be predicted from it.

    Parameters
    ----------
    name : str
        Name of the set.
    X : DataFrame
        Columns of numbers, and of dtype ``category``.
    Y : mapping of str to ndarray
        Labels by task, NaN where they are missing; two-dimensional where a row has several.
    kinds : mapping of str to str
        A key of `KINDS` for each task.
    groups : ndarray or None
        Rows of one group stay on one side of a split.
    """

    name: str
    X: pd.DataFrame
    Y: Mapping[str, np.ndarray]
    kinds: Mapping[str, str]
    groups: np.ndarray | None = None

    @property
    def categorical(self) -> list[str]:
        """Columns that are not numbers."""
        return list(self.X.select_dtypes(exclude=["number", "bool"]).columns)

    def kind(self, task: str) -> Kind:
        """Return the kind of a task."""
        return KINDS[self.kinds[task]]

    def labelled(self, task: str, rows: np.ndarray) -> np.ndarray:
        """Return those of some rows whose label of a task is there."""
        missing = np.asarray(pd.isna(self.Y[task][rows]))
        return rows[~missing.reshape(len(rows), -1).any(axis=1)]

    def labels(self, task: str, rows: np.ndarray) -> np.ndarray:
        """Return the labels of rows that have one."""
        return self.kind(task).labels(self.Y[task][rows])

    def hiding(self, task: str, share: float, train: np.ndarray, seed: int) -> Problem:
        """Return the problem with a share of the training labels of one task taken away."""
        rows = self.labelled(task, train)
        hidden = np.random.default_rng(seed).permutation(rows)[: round(share * len(rows))]
        left = self.Y[task].astype(object if self.Y[task].dtype == object else float)
        left[hidden] = np.nan
        return replace(self, Y={**self.Y, task: left})


@dataclass(frozen=True)
class Case:
    """How a problem is shown to contenders.

    Parameters
    ----------
    split : int
        Seed of the split, of what is drawn and of the contenders.
    rows : int
        Training rows that are drawn; 0 for all.
    hidden : float
        Share of the training labels of ``task`` that are taken away.
    task : str
        The task whose labels are hidden, or an empty string.
    """

    split: int
    rows: int = 0
    hidden: float = 0.0
    task: str = ""

    def rows_of(self, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
        """Return training and test rows, 70 to 30."""
        splitter = ShuffleSplit if problem.groups is None else GroupShuffleSplit
        cut = splitter(n_splits=1, test_size=TEST_SHARE, random_state=self.split)
        train, test = next(cut.split(problem.X, groups=problem.groups))
        if 0 < self.rows < len(train):
            train = np.random.default_rng(self.split).permutation(train)[: self.rows]
        return train, test

    def asked(self, problem: Problem) -> list[str]:
        """Return the tasks that are scored: that whose labels are hidden, or else all."""
        return [self.task] if self.hidden else list(problem.kinds)

    def shown(self, problem: Problem, train: np.ndarray) -> Problem:
        """Return the problem as contenders see it."""
        return problem.hiding(self.task, self.hidden, train, self.split) if self.hidden else problem


class Collection:
    """The sets of a module, which has ``names()`` and ``load(name) -> X, Y, kinds, meta``.

    Parameters
    ----------
    module : module
        ``load`` returns a DataFrame or an array, labels and kinds by task as in `Problem`, and a mapping
        that may have the ``"groups"`` of the rows.
    """

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    @classmethod
    def of_file(cls, path: Path) -> Collection:
        """Return the sets of a Python file."""
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise FileNotFoundError(
                f"`--module` must be a Python file with `names` and `load`. Found {path}."
            )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return cls(module)

    def names(self, wanted: Sequence[str] | None = None) -> list[str]:
        """Return the names of all sets, or those wanted."""
        there = list(self.module.names())
        if unknown := sorted(set(wanted or ()) - set(there)):
            raise ValueError(f"`--sets` must be of {there}. Found {unknown}.")
        return list(wanted or there)

    def load(self, name: str) -> Problem:
        """Return a set; pixels of an image become columns."""
        X, Y, kinds, meta = self.module.load(name)
        return Problem(
            name, _table(X), {task: np.asarray(y) for task, y in Y.items()}, kinds, meta.get("groups")
        )


def _table(X: Any) -> pd.DataFrame:
    if isinstance(X, pd.DataFrame):
        return X.reset_index(drop=True)
    columns = np.asarray(X).reshape(len(X), -1)
    return pd.DataFrame(columns, columns=[f"x{i}" for i in range(columns.shape[1])])
