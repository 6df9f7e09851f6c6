"""Groups of rows that are not to be separated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d


def read_groups(groups: Any, n_rows: int) -> np.ndarray:
    """Return the number of each row's group, counted from 0.

    Parameters
    ----------
    groups : array-like of shape (n_rows,)
        Numbers, strings or whatever can be told apart.
    n_rows : int
        Rows of X.

    Returns
    -------
    ndarray of int, shape (n_rows,)

    Raises
    ------
    ValueError
        If there are not as many as rows, or some are missing.

    Examples
    --------
    >>> from sklearn_mtl.estimators.groups import read_groups
    >>> read_groups(["b", "a", "b"], n_rows=3)
    array([0, 1, 0])
    """
    labels = groups if isinstance(groups, pd.Series) else column_or_1d(groups)
    if len(labels) != n_rows:
        raise ValueError(
            f"`groups` must hold the group of each row of X. Found {len(labels)} of {n_rows} rows."
        )
    codes, _ = pd.factorize(np.asarray(labels))
    if (codes < 0).any():
        raise ValueError(
            f"`groups` must hold the group of each row of X. Found {int((codes < 0).sum())} missing; give "
            "rows that belong to none a group each."
        )
    found: np.ndarray = codes
    return found
