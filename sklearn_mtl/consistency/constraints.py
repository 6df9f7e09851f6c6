"""What rules come to once the tasks are known: tables of classes that go together, and linear constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True, eq=False)
class AllowedClasses:
    """Which classes of some tasks go together.

    Parameters
    ----------
    names : tuple of str
        The tasks, each with one class for a row.
    allowed : ndarray of bool, an axis for each task
        Whether the classes go together, each axis in the order of the task's ``classes``.
    """

    names: tuple[str, ...]
    allowed: np.ndarray

    def holds(self, codes: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return whether it holds in each row.

        Parameters
        ----------
        codes : mapping of str to ndarray of int, shape (n_rows,)
            The place of each row's class among ``classes``, by task.
        """
        found: np.ndarray = self.allowed[tuple(codes[name] for name in self.names)]
        return found


@dataclass(frozen=True, eq=False)
class Linear:
    """A weighted sum of numbers, or of probabilities, between two bounds.

    Parameters
    ----------
    coefficients : mapping of str to float
        The factor of each task.
    lower, upper : float
        The bounds, which may be infinite; equal ones say what the sum is.
    of : {"numbers", "probabilities"}
        The predictions of regressions, or the probabilities of the second of two classes.
    """

    coefficients: Mapping[str, float]
    lower: float
    upper: float
    of: Literal["numbers", "probabilities"] = "numbers"

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks."""
        return tuple(self.coefficients)

    def holds(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return whether it holds in each row, an equation to rounding.

        Parameters
        ----------
        values : mapping of str to ndarray of float64, shape (n_rows,)
            Numbers or probabilities by task.
        """
        terms = [factor * values[name] for name, factor in self.coefficients.items()]
        total = np.sum(terms, axis=0)
        size = np.abs(terms).sum(axis=0)
        rounding = 1e-9 * (size + abs(self.upper)) if self.lower == self.upper else 0.0
        found: np.ndarray = (self.lower - rounding <= total) & (total <= self.upper + rounding)
        return found


Constraint = AllowedClasses | Linear


def connected(names: Sequence[tuple[str, ...]]) -> list[list[int]]:
    """Return the positions of constraints that have tasks in common, directly or by others.

    Parameters
    ----------
    names : sequence of tuple of str
        The tasks of each constraint.

    Examples
    --------
    >>> from sklearn_mtl.consistency.constraints import connected
    >>> connected([("a", "b"), ("c", "d"), ("b", "e")])
    [[0, 2], [1]]
    """
    groups: list[tuple[set[str], list[int]]] = []
    for position, of_one in enumerate(names):
        met = [group for group in groups if group[0] & set(of_one)]
        tasks = set(of_one).union(*(group[0] for group in met))
        members = sorted([position, *(member for group in met for member in group[1])])
        groups = [group for group in groups if group not in met] + [(tasks, members)]
    return sorted(members for _, members in groups)
