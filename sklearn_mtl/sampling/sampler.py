"""The base class: from the labels of the training rows to how often each row is drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number
from sklearn_mtl.tasks import Task, TaskSet


@dataclass(frozen=True, eq=False)
class TrainingLabels:
    """The labels of the rows that a network learns from.

    Parameters
    ----------
    tasks : TaskSet
        The tasks.
    y : ndarray of shape (n_rows, n_columns)
        Labels as the tasks encode them, in the columns of all tasks.
    weight : ndarray of shape (n_rows, n_columns)
        Weights of the labels, 0 where there is none.
    counted : tuple of bool
        For each task whether its weight in the loss is above 0.
    """

    tasks: TaskSet
    y: np.ndarray
    weight: np.ndarray
    counted: tuple[bool, ...]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.weight)

    @property
    def has_label(self) -> np.ndarray:
        """Whether a row has a label of a task, bool of shape (n_rows, n_tasks).

        Labels of weight 0 are none, nor are those of a task of weight 0.
        """
        found = np.zeros((len(self), len(self.tasks)), dtype=bool)
        for column, task in enumerate(self.tasks.column_task):
            if self.counted[task]:
                found[:, task] |= self.weight[:, column] > 0
        return found

    def columns_of(self, name: str) -> np.ndarray:
        """Return the positions of the columns of a task.

        Parameters
        ----------
        name : str
            The task.

        Raises
        ------
        ValueError
            If there is no such task.
        """
        names = list(self.tasks.names)
        if name not in names:
            raise ValueError(
                f"`name` of `columns_of` must be a task that is fitted, one of {shown(names)}. Found "
                f"{shown(name)}."
            )
        return np.flatnonzero(self.tasks.column_task == names.index(name))


class Sampler(BaseEstimator, ABC):
    """How often each row is drawn for training, relative to the others.

    A sampler of one's own must define `rates`. An epoch has as many rows as there are training rows, whatever
    the rates: a row of twice the rate of another one is drawn twice as often. Rows of equal rates are each
    drawn once, in a new order in each epoch. Held-out rows are not drawn: the losses by which training stops,
    and scores, are those of the rows as they are.

    A sampler changes how often a row is seen, not what it weighs when it is.
    """

    #: Whether the rates stand for the weights of the rows, which are divided by them and must be given.
    for_weights: ClassVar[bool] = False

    @abstractmethod
    def rates(self, labels: TrainingLabels) -> Any:
        """Return how often each row is drawn, relative to the others.

        Parameters
        ----------
        labels : TrainingLabels
            The labels of the training rows.

        Returns
        -------
        array-like of shape (n_rows,)
            Finite non-negative numbers, some of them above 0; a row of rate 0 is never drawn.
        """

    def without(self, names: list[str]) -> Sampler | None:
        """Return the sampler for a fold without labels of some tasks; None where nothing is left to draw by.

        Parameters
        ----------
        names : list of str
            The tasks that are left out.
        """
        return self


def checked_rates(sampler: Sampler, labels: TrainingLabels) -> Tensor:
    """Return the rates of a sampler, float64, seen to be such.

    Parameters
    ----------
    sampler : Sampler
        The sampler.
    labels : TrainingLabels
        The labels of the training rows.

    Raises
    ------
    ValueError
        If they are not finite non-negative numbers, one for each row and some above 0.
    """
    rule = (
        f"`rates` of {type(sampler).__name__} must return a finite non-negative number for each of the "
        f"{len(labels)} training rows, some of them above 0."
    )
    found = sampler.rates(labels)
    try:
        rates = np.array(found, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{rule} Found {shown(found)}.") from None
    if rates.shape != (len(labels),):
        raise ValueError(f"{rule} Found shape {rates.shape}.")
    wrong = rates[~(np.isfinite(rates) & (rates >= 0))]
    if len(wrong):
        raise ValueError(f"{rule} Found {wrong[0].item()}.")
    total = rates.sum()
    if not 0 < total < np.inf:
        raise ValueError(f"{rule} Found a sum of {total}.")
    # Of mean 1: equal rates are then whole numbers, which add up without rounding.
    return torch.from_numpy(rates / (total / len(rates)))


def check_exponent(sampler: str, exponent: Any) -> None:
    """Raise a ``ValueError`` unless an exponent is a number from 0 to 1.

    Parameters
    ----------
    sampler : str
        The class whose parameter it is.
    exponent : object
        The value of the parameter.
    """
    if not is_number(exponent) or not 0 <= exponent <= 1:
        raise ValueError(f"`exponent` of {sampler} must be a number from 0 to 1. Found {shown(exponent)}.")


def has_codes(task: Task) -> bool:
    """Whether a task has one class for each row."""
    return task.has_classes and task.n_columns == 1
