"""The weight of every member for every task, as a user gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.estimators.rows import by_task
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number

LEARNED = "learned"


def given_weights(
    weights: Any, tasks: Sequence[str], named: Sequence[str], members: Sequence[str]
) -> pd.DataFrame | None:
    """Return the weights that were given, those of each task with a sum of 1; None where they are learned.

    Parameters
    ----------
    weights : None, "learned", sequence, mapping or DataFrame
        As in `MultiTaskVoting`.
    tasks : sequence of str
        The tasks.
    named : sequence of str
        Names of all members, also of those that are dropped.
    members : sequence of str
        Names of the members that take part.

    Returns
    -------
    DataFrame of float64, tasks × members, or None

    Examples
    --------
    >>> from sklearn_mtl.ensemble.weights import given_weights
    >>> given_weights({"price": [3, 1]}, ["price", "type"], ["a", "b"], ["a", "b"])
              a     b
    price  0.75  0.25
    type   0.50  0.50
    """
    if isinstance(weights, str):
        if weights != LEARNED:
            raise ValueError(f"`weights` must be None, 'learned', or numbers. Found {shown(weights)}.")
        return None
    if isinstance(weights, pd.DataFrame):
        weights = {str(task): row.to_dict() for task, row in weights.iterrows()}
    if isinstance(weights, Mapping) and not all(map(is_number, weights.values())):
        rows = by_task("weights", weights, tasks)
        found = [_of_task(rows.get(task), named) for task in tasks]
    else:
        found = [_of_task(weights, named)] * len(tasks)
    frame = pd.DataFrame(found, index=list(tasks), columns=list(named), dtype=np.float64)[list(members)]
    if (frame.sum(axis=1) == 0).any():
        raise ValueError(
            "`weights` must leave each task a member of positive weight that is not dropped. Found "
            f"{shown(weights)} for the members {shown(list(members))}."
        )
    return frame.div(frame.sum(axis=1), axis=0)


def _of_task(given: Any, members: Sequence[str]) -> np.ndarray:
    if given is None:
        return np.ones(len(members))
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in members]
        if unknown:
            raise ValueError(
                f"`weights` names unknown members {shown(unknown)}; the members are {shown(list(members))}."
            )
        numbers = [given.get(name, 0.0) for name in members]
    elif (
        isinstance(given, Sequence | np.ndarray) and not isinstance(given, str) and len(given) == len(members)
    ):
        numbers = list(given)
    else:
        raise ValueError(
            "`weights` must be numbers for the members, in their order or by name, for all tasks or by task. "
            f"Found {shown(given)} for the members {shown(list(members))}."
        )
    if not all(is_number(number) and number >= 0 for number in numbers) or not any(numbers):
        raise ValueError(
            "`weights` must hold finite non-negative numbers, for each task one that is positive. Found "
            f"{shown(given)}."
        )
    return np.array(numbers, dtype=np.float64)
