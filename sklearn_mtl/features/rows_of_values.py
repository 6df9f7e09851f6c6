"""Lists, Series and tensors as arrays that scikit-learn's checks can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor, bfloat16

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
        return of_tensor(X)
    array = _of_list(X) if isinstance(X, list | tuple) else X
    if isinstance(array, np.ndarray | pd.Series | pd.Index) and array.ndim == 1 and not _of_numbers(array):
        raise ValueError(
            f"Expected 2D array, got 1D array instead: `X` must be a table. Found a {type(X).__name__} of "
            f"{len(X)} values. Reshape your data by array.reshape(-1, 1) or Series.to_frame() if it has a "
            "single feature, or by array.reshape(1, -1) if it is a single sample."
        )
    return array


def of_tensor(values: Any) -> Any:
    """Return a tensor of any dtype, on any device, as an array; what is no tensor comes back as it is."""
    if not isinstance(values, Tensor):
        return values
    # numpy has no such floats.
    values = values.float() if values.dtype == bfloat16 else values
    return values.detach().cpu().numpy()


def floats_for(values: Any) -> type[np.floating]:
    """Return the floats that hold numbers as they are: single precision where it does, double otherwise.

    Parameters
    ----------
    values : array-like
        Numbers. What has no dtype, or one of objects, gets double precision.

    Raises
    ------
    ValueError
        If they are complex numbers, dates or durations.

    Examples
    --------
    >>> [floats_for(np.zeros(2, dtype)).__name__ for dtype in ("uint8", "float32", "int64")]
    ['float32', 'float32', 'float64']
    """
    dtype = getattr(values, "dtype", None)
    if not isinstance(dtype, np.dtype):
        return np.float64
    if dtype.kind in "cmM":
        what = "Complex data not supported: " if dtype.kind == "c" else ""
        raise ValueError(f"{what}`X` must hold real numbers. Found {dtype}.")
    is_short = dtype.kind in "biu" and dtype.itemsize <= 2
    return np.float32 if is_short or (dtype.kind == "f" and dtype.itemsize <= 4) else np.float64


@contextmanager
def naming_row(X: Any, rows: Sequence[int] | np.ndarray | None = None) -> Iterator[None]:
    """Name the row in the error of a check that has found NaN or infinity.

    Parameters
    ----------
    X : array-like
        What is checked; only floats are looked at.
    rows : sequence of int, optional
        Which row each one is, where they are some of several.

    Examples
    --------
    >>> with naming_row(np.array([[[1.0]], [[np.nan]]])):
    ...     raise ValueError("Input X contains NaN.")
    Traceback (most recent call last):
    ValueError: Input X contains NaN. `X` must hold finite numbers. Found it in row 1.
    """
    try:
        yield
    except ValueError:
        array = np.asarray(X)
        bad = ~np.isfinite(array).reshape(len(array), -1) if array.dtype.kind == "f" else np.zeros((0, 0))
        if not bad.any():
            raise
        row = int(bad.any(axis=1).argmax())
        what = "NaN" if np.isnan(array[row]).any() else "infinity"
        raise ValueError(
            f"Input X contains {what}. `X` must hold finite numbers. "
            f"Found it in row {row if rows is None else rows[row]}."
        ) from None


def is_column(X: Any) -> bool:
    """Whether X is a list, a tuple, or an array or Series of one axis, of any library and dtype."""
    is_array = hasattr(X, "__array__") and not isinstance(X, Tensor) and len(getattr(X, "shape", ())) == 1
    return (isinstance(X, list | tuple) or is_array) and len(X) > 0


def first_there(X: Any) -> Any:
    """Return the first value of a column that is no gap; None where there is none.

    Examples
    --------
    >>> first_there([None, float("nan"), "a good film"])
    'a good film'
    """
    return next((one for one in X if not (pd.api.types.is_scalar(one) and pd.isna(one))), None)


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
