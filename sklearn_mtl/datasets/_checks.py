"""Checks of the makers' parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

Check = Callable[[str, Any], None]


def check_counts(**counts: tuple[Any, int]) -> None:
    """Raise a ``ValueError`` unless each value is an integer of at least its bound."""
    for name, (value, least) in counts.items():
        if not isinstance(value, Integral) or value < least:
            raise ValueError(f"`{name}` must be an integer of at least {least}. Found {value!r}.")


def check_share(name: str, value: Any, *, below_1: bool = False) -> None:
    """Raise a ``ValueError`` unless a value is a number from 0 to 1, or below 1."""
    if not isinstance(value, Real) or not 0 <= float(value) <= 1 or (below_1 and value == 1):
        rule = "at least 0 and below 1" if below_1 else "a number from 0 to 1"
        raise ValueError(f"`{name}` must be {rule}. Found {value!r}.")


def check_number(name: str, value: Any) -> None:
    """Raise a ``ValueError`` unless a value is a finite number of at least 0."""
    if not (isinstance(value, Real) and 0 <= float(value) < math.inf):
        raise ValueError(f"`{name}` must be a finite number of at least 0. Found {value!r}.")


def check_above_0(name: str, value: Any) -> None:
    """Raise a ``ValueError`` unless a value is a finite number above 0."""
    if not (isinstance(value, Real) and 0 < float(value) < math.inf):
        raise ValueError(f"`{name}` must be a finite number above 0. Found {value!r}.")


def of_each_task(name: str, value: Any, n_tasks: int, check: Check) -> list[float]:
    """Return the value of each task, given one for all or one for each.

    Parameters
    ----------
    name : str
        The parameter, for messages.
    value : float or sequence of float
        What was given.
    n_tasks : int
        Number of tasks.
    check : callable
        Raises an error unless a single value can be used.
    """
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        check(name, value)
        return [float(value)] * n_tasks
    if len(value) != n_tasks:
        raise ValueError(f"`{name}` must be a number, or one for each of {n_tasks} tasks. Found {value!r}.")
    for one in value:
        check(name, one)
    return [float(one) for one in value]
