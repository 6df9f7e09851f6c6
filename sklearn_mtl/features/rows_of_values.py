"""Lists, Series and tensors as arrays that scikit-learn's checks can read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor


def as_rows_of_values(X: Any) -> Any:
    """Return lists and tensors as arrays; in a list a number beside text stays a number.

    Raises
    ------
    ValueError
        If X has one dimension, and does not hold numbers, which scikit-learn refuses itself.

    Examples
    --------
    >>> as_rows_of_values([["u", 1.5]])
    array([['u', 1.5]], dtype=object)
    """
    if isinstance(X, Tensor):
        return X.detach().cpu().numpy()
    array = _of_list(X) if isinstance(X, list | tuple) else X
    if isinstance(array, np.ndarray | pd.Series | pd.Index) and array.ndim == 1 and not _of_numbers(array):
        raise ValueError(
            f"Expected 2D array, got 1D array instead: `X` must be a table. Found a {type(X).__name__} of "
            f"{len(X)} values. Reshape your data by array.reshape(-1, 1) or Series.to_frame() if it has a "
            "single feature, or by array.reshape(1, -1) if it is a single sample."
        )
    return array


def _of_list(X: Any) -> Any:
    try:
        array = np.asarray(X)
    except ValueError:
        # The rows differ in length, which scikit-learn refuses later.
        return X
    return np.array(X, dtype=object) if array.dtype.kind in "US" else array


def _of_numbers(array: Any) -> bool:
    return isinstance(array.dtype, np.dtype) and array.dtype.kind in "biufc"
