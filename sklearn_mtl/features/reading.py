"""X as scikit-learn reads it: checked, its width and names recorded on the estimator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sklearn_mtl.features.arrays import holds_other_than_numbers, one_column, unmasked, with_own_types
from sklearn_mtl.features.kinds import content_of, named, refuse_sequences
from sklearn_mtl.features.polars import from_polars, is_polars
from sklearn_mtl.features.streamed import StreamedRows, can_be_streamed, streamed_rows

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def read_features(
    estimator: BaseEstimator,
    X: Any,
    *,
    reset: bool,
    allow_nan: bool,
    dtype: type[np.floating] = np.float32,
    stream: bool = False,
    texts: bool = False,
) -> np.ndarray | pd.DataFrame | StreamedRows:
    """Check X and record, or compare with, ``n_features_in_`` and ``feature_names_in_``.

    Parameters
    ----------
    estimator : BaseEstimator
        Where the number and the names of the features are kept.
    X : DataFrame of pandas or polars, or array-like of shape (n_rows, n_features, ...)
        The input. The mask of a masked array marks missing values.
    reset : bool
        Whether to record (in ``fit``) or to compare (in ``predict``).
    allow_nan : bool
        Whether a table may have missing values. Arrays of three or more dimensions never may.
    dtype : {numpy.float32, numpy.float64}
        What arrays of three or more dimensions come back in.
    stream : bool, default=False
        Whether rows may be read when they are asked for. Otherwise a memory map is read into memory, and
        a Dataset is refused.
    texts : bool, default=False
        Whether X is one column of texts, which may then come in one dimension too: a list, a Series.

    Returns
    -------
    ndarray, pandas.DataFrame or StreamedRows
        A pandas frame for a frame of either library, and `StreamedRows` for what is streamed. Otherwise an
        array: of float64 or float32, as it came, in two dimensions, where more precision helps whatever
        rescales the columns; or of objects, text or dates, where some are no numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.base import BaseEstimator
    >>> estimator = BaseEstimator()
    >>> X = pd.DataFrame({"area": [50.0, 80.0], "colour": ["red", None]})
    >>> frame = read_features(estimator, X, reset=True, allow_nan=True)
    >>> estimator.feature_names_in_
    array(['area', 'colour'], dtype=object)
    >>> read_features(estimator, X[["colour"]], reset=False, allow_nan=True)
    Traceback (most recent call last):
        ...
    ValueError: The feature names should match those that were passed during fit.
    Feature names seen at fit time, yet now missing:
    - area
    <BLANKLINE>
    """
    if not reset and _is_plain(estimator, X):
        return X
    if can_be_streamed(X) and (stream or not isinstance(X, np.memmap)):
        return _read_streamed(estimator, X, reset=reset, allow_nan=allow_nan, dtype=dtype, stream=stream)
    if isinstance(X, Mapping):
        raise TypeError(f"`X` must be an array or a DataFrame. Found {type(X).__name__} with keys {list(X)}.")
    if is_polars(X):
        X = from_polars(X)
    if texts:
        X = one_column(X)
    if isinstance(X, pd.DataFrame):
        return _read_frame(estimator, X, reset=reset, allow_nan=allow_nan)
    X = unmasked(with_own_types(X))
    if holds_other_than_numbers(X):
        return _read_objects(estimator, X, reset=reset, allow_nan=allow_nan)
    many = getattr(X, "ndim", 0) > 2
    return validate_data(
        estimator,
        X,
        reset=reset,
        dtype=dtype if many else [np.float64, np.float32],
        ensure_all_finite="allow-nan" if allow_nan and not many else True,
        allow_nd=True,
    )


def _read_streamed(
    estimator: BaseEstimator, X: Any, *, reset: bool, allow_nan: bool, dtype: type[np.floating], stream: bool
) -> StreamedRows:
    if not stream:
        raise TypeError(
            "`X` must be in memory, or a memory map, for a transformer of your own as `preprocessing`, which "
            f"is fitted on all rows at once. Found a {type(X).__name__}; 'auto' and None take one."
        )
    rows = streamed_rows(X, allow_nan=allow_nan, dtype=dtype)
    first = np.empty(rows.shape) if 0 in rows.shape or rows.ndim < 2 else rows[slice(1)]
    # The first row tells the number of features, and what else is wrong with all of them.
    validate_data(estimator, first, reset=reset, ensure_all_finite="allow-nan", allow_nd=True)
    return rows


def _is_plain(estimator: BaseEstimator, X: Any) -> bool:
    """Whether X would come through all checks as it is: they take longer than a network takes for a row."""
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype not in _FLOATS or not len(X):
        return False
    if X.shape[1] != estimator.n_features_in_ or hasattr(estimator, "feature_names_in_"):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))


def _read_frame(estimator: BaseEstimator, X: pd.DataFrame, *, reset: bool, allow_nan: bool) -> pd.DataFrame:
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()].unique().tolist()
        raise ValueError(f"The columns of `X` must have distinct names. Found more than once: {twice}.")
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    if 0 in X.shape:
        # Only for scikit-learn's message about what is empty.
        check_array(np.empty(X.shape), estimator=estimator, input_name="X")
    for name, column in X.items():
        _check_column(name, column, allow_nan=allow_nan)
    return X


def _read_objects(estimator: BaseEstimator, X: np.ndarray, *, reset: bool, allow_nan: bool) -> np.ndarray:
    """Check an array whose columns may be of several kinds, as a table has."""
    X = validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite=False)
    table = pd.DataFrame(X)
    refuse_sequences(table, [i for i, column in table.items() if content_of(column) == "sequences"])
    gaps = [] if allow_nan else [i for i, column in table.items() if column.isna().any()]
    if gaps:
        raise ValueError(f"Input X contains NaN. Found it in the columns {named(gaps)}.")
    return X


def _check_column(name: Any, column: pd.Series, *, allow_nan: bool) -> None:
    if column.dtype.kind == "c":
        raise ValueError(f"Complex data not supported. Found it in column {name!r} of X.")
    if not allow_nan and column.isna().any():
        raise ValueError(f"Input X contains NaN. Found it in column {name!r}.")
    if column.dtype.kind == "f" and np.isinf(column.to_numpy(dtype=np.float64, na_value=np.nan)).any():
        raise ValueError(
            f"Input X contains infinity or a value too large for {column.dtype!r}. "
            f"Found it in column {name!r}."
        )
