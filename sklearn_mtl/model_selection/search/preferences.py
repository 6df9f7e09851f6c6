"""Preferences among tasks: points of a simplex, how much each task counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer, is_number

Preference = dict[str, float]


def read_preferences(given: Any, names: Sequence[str]) -> list[Preference]:
    """Return preferences by task name, of sum 1, given as users give them.

    Parameters
    ----------
    given : int, sequence of mapping, DataFrame, or array-like of shape (n_preferences, n_tasks)
        As in `ManifoldSearchCV`.
    names : sequence of str
        The tasks among which they are.

    Examples
    --------
    >>> from sklearn_mtl.model_selection.search.preferences import read_preferences
    >>> read_preferences([{"price": 3, "type": 1}], ["price", "type"])
    [{'price': 0.75, 'type': 0.25}]
    >>> [list(one.values()) for one in read_preferences(3, ["price", "type"])]
    [[0.5, 0.5], [0.25, 0.75], [0.75, 0.25]]
    """
    if is_integer(given) and given >= 1:
        if given <= len(names):
            raise ValueError(
                f"`preferences` must be at least {len(names) + 1} points for {len(names)} tasks, as fewer "
                f"are equal weights alone. Found {given}."
            )
        return [dict(zip(names, map(float, point), strict=True)) for point in even_points(len(names), given)]
    if isinstance(given, pd.DataFrame):
        given = given.to_dict("records")
    is_row = isinstance(given, Sequence | np.ndarray) and not isinstance(given, str | bytes)
    if not is_row or not len(given):
        raise ValueError(
            "`preferences` must be a positive integer, or a list of preferences: a mapping from the tasks "
            f"to non-negative numbers, or as many numbers as tasks. Found {shown(given)}."
        )
    return [read_preference(one, names) for one in given]


def read_preference(given: Any, names: Sequence[str]) -> Preference:
    """Return a preference by task name, of sum 1.

    Parameters
    ----------
    given : mapping of str to float, Series, or array-like of shape (n_tasks,)
        Non-negative numbers, not all 0, of which only the ratios count; an array in the order of the tasks.
    names : sequence of str
        The tasks.
    """
    of_tasks: list[Any] = []
    others = ""
    if isinstance(given, pd.Series):
        given = given.to_dict()
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in names]
        missing = [name for name in names if name not in given]
        others += f" Unknown: {shown(unknown)}." if unknown else ""
        others += f" Missing: {shown(missing)}." if missing else ""
        if not others:
            of_tasks = [given[name] for name in names]
    elif isinstance(given, Sequence | np.ndarray) and np.ndim(given) == 1 and len(given) == len(names):
        of_tasks = list(given)
    known = of_tasks and all(is_number(one) and one >= 0 for one in of_tasks)
    if not known or not sum(of_tasks):
        raise ValueError(
            "A preference must have a finite non-negative number for each task of positive weight, "
            f"{shown(list(names))}, not all of them 0. Found {shown(given)}.{others}"
        )
    # By the largest first, as a sum of huge numbers is infinite.
    shares = [float(one) / float(max(of_tasks)) for one in of_tasks]
    return {name: share / sum(shares) for name, share in zip(names, shares, strict=True)}


def even_points(n_tasks: int, most: int) -> np.ndarray:
    """Return points inside a simplex: equal parts first, then those of the finest even grid that has room.

    Parameters
    ----------
    n_tasks : int
        Number of corners, at least 2.
    most : int
        Largest number of points.

    Returns
    -------
    ndarray of shape (n_points, n_tasks)
        Positive numbers, the sum of each row 1. There are as many as fit: of two tasks `most`, or one less.
    """
    n_parts = n_tasks
    while _n_points(n_tasks, n_parts + 1) <= most:
        n_parts += 1
    cuts = np.array(list(combinations(range(1, n_parts), n_tasks - 1)))
    ends = np.zeros((len(cuts), 1)), cuts, np.full((len(cuts), 1), n_parts)
    parts = np.diff(np.hstack(ends), axis=1)
    others = parts[(parts != parts[:, :1]).any(axis=1)]
    return np.vstack([np.full((1, n_tasks), 1 / n_tasks), others / n_parts])


def _n_points(n_tasks: int, n_parts: int) -> int:
    return comb(n_parts - 1, n_tasks - 1) + (n_parts % n_tasks != 0)
