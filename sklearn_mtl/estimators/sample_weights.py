"""Sample weights, one for each row or one for each row and task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from sklearn_mtl.estimators.checks import by_task


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
    if not isinstance(sample_weight, Mapping) and not hasattr(sample_weight, "columns"):
        return _one(sample_weight, n_rows, "sample_weight")[:, None]
    given = (
        {name: sample_weight[name] for name in sample_weight}
        if isinstance(sample_weight, Mapping)
        else {name: sample_weight[name] for name in sample_weight.columns}
    )
    by_task("sample_weight", given, names)
    columns = [
        _one(given[name], n_rows, f"sample_weight[{name!r}]") if name in given else np.ones(n_rows)
        for name in names
    ]
    return np.column_stack(columns)


def _one(weight: Any, n_rows: int, name: str) -> np.ndarray:
    values = np.asarray(weight, dtype=np.float64) if hasattr(weight, "to_numpy") else weight
    if hasattr(values, "__len__") and np.ndim(values) == 1 and len(values) != n_rows:
        raise ValueError(
            f"`{name}` must hold one weight for each row of X: {name}.shape == {np.shape(values)}, "
            f"expected ({n_rows},)! In a search, pass weights by task as a DataFrame or MultiTaskTarget, "
            "which scikit-learn can split."
        )
    rows = np.empty((n_rows, 0))
    found: np.ndarray = _check_sample_weight(values, rows, dtype=np.float64, ensure_non_negative=True)
    return found
