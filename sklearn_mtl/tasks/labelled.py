"""Whether there are labels to learn from."""

from __future__ import annotations

import numpy as np

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column


def check_labelled(column: Column, weight: np.ndarray) -> None:
    """Raise a ``ValueError`` unless some cell has a label and a positive weight."""
    known = column.has_label
    if not known.any():
        raise ValueError(
            f"Task {shown(column.name)} needs at least one label. Found {len(column)} rows to train on, and "
            "no label; drop the task, or look whether its labels were lost on the way. In a fold of a search "
            "or cross-validation, spread them: cv=TaskStratifiedKFold() of sklearn_mtl.model_selection."
        )
    if column.missing.ndim == 2 and column.missing.all(axis=0).any():
        name, empty = shown(column.name), shown(np.flatnonzero(column.missing.all(axis=0))[:5].tolist())
        warn_caller(f"Task {name} has no label in the columns {empty}: predictions there mean nothing.")
    if not ((weight > 0) & known).any():
        raise ValueError(
            f"Task {shown(column.name)} needs at least one labelled row of positive weight. "
            f"Found {int(known.sum())} labelled rows, all of weight 0."
        )
