"""Lists, Series and tensors as arrays that scikit-learn's checks can read."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from sklearn_mtl.messages import shown


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


def refuse_mappings(X: Any) -> None:
    """Raise a ``TypeError`` where X is several inputs, a dict or a set, whose length is no number of rows.

    Examples
    --------
    >>> refuse_mappings({"notes": ["a good film"]})
    Traceback (most recent call last):
    TypeError: `X` must be one input, not several by name. Found dict with keys ['notes'].
    """
    if isinstance(X, Mapping):
        raise TypeError(
            f"`X` must be one input, not several by name. Found {type(X).__name__} with keys "
            f"{shown(list(X))}."
        )
    if isinstance(X, AbstractSet):
        raise TypeError(f"`X` must have its rows in an order. Found a {type(X).__name__}.")


def one_column(X: Any) -> Any:
    """Return texts, or dicts, as a table of one column.

    Parameters
    ----------
    X : DataFrame, Series, or array-like of str or dict, of shape (n_rows,) or (n_rows, 1)
        The texts.

    Raises
    ------
    ValueError
        If there is more than one column, or it holds a number.

    Examples
    --------
    >>> one_column(["a good film", "a bad film"]).shape
    (2, 1)
    """
    if isinstance(X, pd.Series):
        X = X.to_frame()
    elif not isinstance(X, pd.DataFrame):
        X = np.array(X.to_list() if hasattr(X, "to_list") else X, dtype=object)
        # One kind of gap, which scikit-learn makes NaN of where there is nothing else.
        X[pd.isna(X)] = None
        X = X[:, None] if X.ndim == 1 else X
    if X.ndim != 2 or X.shape[1] != 1:
        raise ValueError(
            "`X` must be one column of texts where `preprocessing` takes texts, as TfidfVectorizer does; a "
            f"ColumnTransformer gives each of several columns a transformer. Found shape {X.shape}."
        )
    column = pd.Series(X[:, 0]) if isinstance(X, np.ndarray) else X.iloc[:, 0]
    for row, value in enumerate(column):
        # A gap may be NaN, which is a number.
        if isinstance(value, Number) and not pd.isna(value):
            raise ValueError(
                "`X` must hold texts, or dicts, where `preprocessing` takes those, as TfidfVectorizer and "
                f"DictVectorizer do. Found {shown(value)} in row {row}."
            )
    return X


def _of_list(X: Any) -> Any:
    try:
        array = np.asarray(X)
    except ValueError:
        # The rows differ in length, which scikit-learn refuses later.
        return X
    return np.array(X, dtype=object) if array.dtype.kind in "US" else array


def _of_numbers(array: Any) -> bool:
    return isinstance(array.dtype, np.dtype) and array.dtype.kind in "biufc"
