"""Arrays and lists as the reading of X takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.features.kinds import Content, content_of

# What scikit-learn makes floats of, or refuses itself.
_FOR_FLOATS: set[Content] = {"numbers", "booleans", "gaps", "complex numbers"}


def unmasked(X: Any) -> Any:
    """Return X with what a mask hides as missing values.

    Examples
    --------
    >>> unmasked(np.ma.MaskedArray([[1, 2]], mask=[[False, True]]))
    array([[ 1., nan]])
    """
    if not isinstance(X, np.ma.MaskedArray):
        return X
    mask = np.ma.getmaskarray(X)
    values: np.ndarray = X.data
    if not mask.any():
        return values
    if values.dtype.kind in "biu":
        values = values.astype(np.float64)
    elif values.dtype.kind not in "fmM":
        values = values.astype(object)
    gap = {"f": np.nan, "O": None}.get(values.dtype.kind, "NaT")
    return np.where(mask, np.array(gap, dtype=values.dtype), values)


def with_own_types(X: Any) -> Any:
    """Return a list of rows as an array in which a number beside text stays a number.

    Examples
    --------
    >>> with_own_types([["u", 1.5]])
    array([['u', 1.5]], dtype=object)
    """
    if not isinstance(X, list | tuple):
        return X
    try:
        array = np.asarray(X)
    except ValueError:
        # Of rows of several lengths, of which scikit-learn speaks.
        return X
    return np.array(X, dtype=object) if array.dtype.kind in "US" else array


def holds_other_than_numbers(X: Any) -> bool:
    """Whether X is a table, as an array, of which some columns hold something else than numbers.

    Examples
    --------
    >>> holds_other_than_numbers(np.array([["u", 1.5]], dtype=object))
    True
    >>> holds_other_than_numbers(np.array([[True, 1.5]], dtype=object))
    False
    """
    if not isinstance(X, np.ndarray) or X.ndim != 2:
        return False
    if X.dtype != object:
        return X.dtype.kind not in "biufcV"
    return any(content_of(column) not in _FOR_FLOATS for _, column in pd.DataFrame(X).items())


def one_column(X: Any) -> Any:
    """Return texts as a table of one column.

    Parameters
    ----------
    X : DataFrame, Series, or array-like of str, of shape (n_rows,) or (n_rows, 1)
        The texts.

    Raises
    ------
    ValueError
        If there is more than one column.

    Examples
    --------
    >>> one_column(["a good film", "a bad film"]).shape
    (2, 1)
    """
    if isinstance(X, pd.Series):
        X = X.to_frame()
    elif not isinstance(X, pd.DataFrame):
        X = np.array(X.to_list() if hasattr(X, "to_list") else X, dtype=object)
        X = X[:, None] if X.ndim == 1 else X
    if X.ndim != 2 or X.shape[1] != 1:
        raise ValueError(
            "`X` must be one column of texts where `preprocessing` takes texts, as TfidfVectorizer does; a "
            f"ColumnTransformer gives each of several columns a transformer. Found shape {X.shape}."
        )
    return X
