"""Labels to be scored that are none of the classes: a word where they are more than rare ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.targets import Column
from sklearn_mtl.tasks import Task

# A class of few rows may by chance lie wholly outside the training rows of a fold: one of so many
# does so in one of 625 folds of five. What is left costs the score less than a tenth.
FEWEST_ROWS = 5
SHARE = 0.1
MOST_NAMED = 10


def warn_of_unknown_labels(scored: Iterable[tuple[Task, Column, np.ndarray]]) -> None:
    """Warn, once for all tasks, if many of the labels to be scored are none of the classes.

    Many are all of them, or a tenth, of which labels of less than five rows do not count: in a
    cross-validation the fold may lack a rare class.

    Parameters
    ----------
    scored : iterable of (Task, Column, ndarray of shape (n_rows,))
        Tasks, their labels and the weights of the rows.
    """
    found = [words for each in scored if (words := _unknown(*each))]
    if found:
        more = f"; and {len(found) - MOST_NAMED} more tasks" if len(found) > MOST_NAMED else ""
        warn_caller(
            "Labels that are none of the classes of their task count as wrong, whatever is predicted; write "
            f"labels as in `fit`. Found {'; '.join(found[:MOST_NAMED])}{more}.",
        )


def _unknown(task: Any, column: Column, weight: np.ndarray) -> str:
    """Return what is found of one task in words; nothing where it is no matter."""
    if not task.has_classes:
        return ""
    labels = column.take(weight > 0).known
    unknown = task.unknown(labels)
    if len(unknown) == 0:
        return ""
    counts = pd.Series(unknown).value_counts()
    n_telling = int(counts[counts >= FEWEST_ROWS].sum())
    if len(unknown) < len(labels) and n_telling < SHARE * len(labels):
        return ""
    return (
        f"{len(unknown)} of {len(labels)} labels of task {task.name!r}, such as {counts.index[:5].tolist()} "
        f"for the classes {task.classes[:5].tolist()}"
    )
