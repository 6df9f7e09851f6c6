"""Sample weights, one for each row or one for each row and task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_mtl.estimators.checks import by_task
from sklearn_mtl.estimators.scikit_learn_private import check_sample_weight
from sklearn_mtl.targets import frame_columns, is_frame


def read_sample_weight(sample_weight: Any, names: Sequence[str], n_rows: int) -> np.ndarray:
    """Return the weights as an array.

    Parameters
    ----------
    sample_weight : None, array-like of shape (n_rows,), or mapping or DataFrame by task
        Tasks that a mapping omits count 1 everywhere.
    names : sequence of str
        The tasks.
    n_rows : int
        Rows of X.

    Returns
    -------
    ndarray of float64, shape (n_rows, 1) or (n_rows, n_tasks)

    Raises
    ------
    ValueError
        If weights are negative, missing, all 0, or not as many as there are rows.
    """
    if sample_weight is None:
        return np.ones((n_rows, 1))
    if isinstance(sample_weight, Mapping):
        given = dict(sample_weight)
    elif is_frame(sample_weight):
        given = frame_columns(sample_weight)
    else:
        return _one(sample_weight, n_rows, "sample_weight")[:, None]
    by_task("sample_weight", given, names)
    found = np.ones((n_rows, len(names)))
    for position, name in enumerate(names):
        if name in given:
            found[:, position] = _of_task(given[name], n_rows, f"sample_weight[{name!r}]")
    if not found.any():
        raise ValueError("`sample_weight` must hold some positive weight. Found 0 for every row and task.")
    return found


def _of_task(weight: Any, n_rows: int, name: str) -> np.ndarray:
    """Return the weights of one task; all 0 is well, in a fold of a search for one."""
    is_zero = np.shape(weight) == (n_rows,) and not np.asarray(weight).any()
    return np.zeros(n_rows) if is_zero else _one(weight, n_rows, name)


def _one(weight: Any, n_rows: int, name: str) -> np.ndarray:
    values = np.asarray(weight, dtype=np.float64) if hasattr(weight, "to_numpy") else weight
    if hasattr(values, "__len__") and np.ndim(values) == 1 and len(values) != n_rows:
        raise ValueError(
            f"`{name}` must hold one weight for each row of X: {name}.shape == {np.shape(values)}, "
            f"expected ({n_rows},)! In a search, pass weights by task as a DataFrame or MultiTaskTarget, "
            "which scikit-learn can split."
        )
    rows = np.empty((n_rows, 0))
    try:
        found: np.ndarray = check_sample_weight(values, rows, dtype=np.float64, ensure_non_negative=True)
    except ValueError as error:
        message = str(error).replace("sample_weight", name)
        if "must be 1D" in message:
            message = f"`{name}`: {message} Weights by task come as a DataFrame or mapping by task."
        raise ValueError(message) from None
    return found
