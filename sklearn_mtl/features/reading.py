"""X is read as scikit-learn does: checked, and its width and names recorded on the estimator."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import InputTags, check_array, get_tags
from sklearn.utils.validation import validate_data
from torch.utils.data import Dataset

from sklearn_mtl.features.arrow_rows import ArrowRows
from sklearn_mtl.features.frames_of_polars import from_polars
from sklearn_mtl.features.kinds import Content, content_of, named, refuse_sequences
from sklearn_mtl.features.rows_of_values import as_rows_of_values, floats_for, naming_row, one_column
from sklearn_mtl.features.sizes import is_beyond_floats
from sklearn_mtl.features.sparse import SparseRows, read_sparse
from sklearn_mtl.features.streamed import StreamedRows, refuse_to_stream, streamed_rows
from sklearn_mtl.features.streamed_table import StreamedTable, streamed_table
from sklearn_mtl.messages import shown

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
# What scikit-learn makes floats of, or refuses itself.
_FOR_FLOATS: set[Content] = {"numbers", "booleans", "gaps", "complex numbers"}


def read_features(
    estimator: BaseEstimator,
    X: Any,
    *,
    reset: bool,
    allow_nan: bool,
    dtype: type[np.floating] | None = None,
    stream: bool = False,
    texts: bool = False,
) -> np.ndarray | pd.DataFrame | StreamedRows | StreamedTable | SparseRows:
    """Check X and record, or compare with, ``n_features_in_`` and ``feature_names_in_``.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator that keeps the number and the names of the features.
    X : DataFrame of pandas or polars, or array-like or sparse matrix of shape (n_rows, n_features, ...)
        The input. The mask of a masked array marks missing values.
    reset : bool
        Whether to record (in ``fit``) or to compare (in ``predict``).
    allow_nan : bool
        Whether a table may have missing values. Arrays of three or more dimensions never may, and a sparse
        table only where a user's transformer takes it, which is where nothing is streamed.
    dtype : {numpy.float32, numpy.float64}, optional
        The dtype in which arrays of three or more dimensions are returned. By default it is that which
        holds their numbers as they are: what scales them gains from more precision.
    stream : bool, default=False
        Whether rows may be read when they are asked for. Otherwise a memory map is read into memory, and
        a Dataset is refused.
    texts : bool, default=False
        Whether X is one column of texts or dicts, which may then have one dimension too: a list, a Series.

    Returns
    -------
    ndarray, pandas.DataFrame, StreamedRows, StreamedTable or SparseRows
        A pandas frame for a frame of either library, `StreamedRows` for a memory map or a Dataset that
        is streamed, `StreamedTable` for `ArrowRows` of more rows than their buffer takes, and `SparseRows`
        for a sparse matrix. Otherwise an array: in two dimensions of float64 or float32 as it was given,
        since scaling gains from more precision; of objects, text or dates, where some columns hold no
        numbers.

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
    if not reset and is_plain(estimator, X):
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(X.sum()):
                return X
    X = in_memory_if_few(X)
    if isinstance(X, ArrowRows | Dataset) or (stream and isinstance(X, np.memmap)):
        return _read_streamed(estimator, X, reset=reset, allow_nan=allow_nan, dtype=dtype, stream=stream)
    if issparse(X) and not texts:
        # What scales a sparse table keeps its zeros, and knows no value for a gap.
        return read_sparse(estimator, X, reset=reset, allow_nan=allow_nan and not stream)
    if isinstance(X, Mapping):
        raise TypeError(f"`X` must be an array or a DataFrame. Found {type(X).__name__} with keys {list(X)}.")
    if is_polars(X):
        X = from_polars(X)
    if texts:
        X = one_column(X)
    if isinstance(X, pd.DataFrame):
        return _read_frame(estimator, X, reset=reset, allow_nan=allow_nan)
    X = unmasked(as_rows_of_values(X))
    if holds_other_than_numbers(X):
        return _read_objects(estimator, X, reset=reset, allow_nan=allow_nan, single=not texts)
    many = getattr(X, "ndim", 0) > 2
    with naming_row(X) if many else nullcontext():
        return validate_data(
            estimator,
            X,
            reset=reset,
            dtype=(dtype or floats_for(X)) if many else [np.float64, np.float32],
            ensure_all_finite="allow-nan" if allow_nan and not many else True,
            allow_nd=True,
        )


def in_memory_if_few(X: Any) -> Any:
    """Return `ArrowRows` that are no more than their buffer takes as a frame; anything else as it is."""
    return X.to_pandas() if isinstance(X, ArrowRows) and len(X) <= X.buffer_size else X


def is_built_in(preprocessing: Any) -> bool:
    """Whether the preprocessing is the package's: fitted on a sample, and encoding each row by itself."""
    return preprocessing is None or isinstance(preprocessing, str)


def check_transformer(preprocessing: Any) -> None:
    """Raise a ``TypeError`` unless it is a transformer."""
    methods = ("fit", "transform", "get_params")
    if isinstance(preprocessing, type) or not all(hasattr(preprocessing, method) for method in methods):
        raise TypeError(
            "`preprocessing` must be 'auto', None or a scikit-learn transformer. Found "
            f"{shown(preprocessing)}."
        )


def takes_texts(preprocessing: Any) -> bool:
    """Whether a transformer takes a sequence of texts or dicts, not a table: a vectorizer, or what begins so.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> takes_texts(Pipeline([("words", TfidfVectorizer()), ("scale", "passthrough")]))
    True
    """
    tags = _first_input_tags(preprocessing)
    return tags is not None and bool((tags.string or tags.dict) and not tags.two_d_array)


def takes_dicts(preprocessing: Any) -> bool:
    """Whether what a transformer takes are dicts.

    Examples
    --------
    >>> from sklearn.feature_extraction import DictVectorizer
    >>> takes_dicts(DictVectorizer())
    True
    """
    tags = _first_input_tags(preprocessing)
    return tags is not None and bool(tags.dict)


def _first_input_tags(preprocessing: Any) -> InputTags | None:
    """Return what is said of its input by a transformer, or by the first step of a pipeline or a union."""
    first = preprocessing
    while isinstance(first, Pipeline | FeatureUnion | FrozenEstimator):
        if isinstance(first, FrozenEstimator):
            first = first.estimator
        else:
            parts = first.steps if isinstance(first, Pipeline) else first.transformer_list
            first = parts[0][1] if parts else None
    return _input_tags(first)


def _input_tags(transformer: Any) -> InputTags | None:
    """Return what a transformer says of its input; None where it says nothing."""
    has_tags = hasattr(transformer, "__sklearn_tags__") and not isinstance(transformer, type)
    return get_tags(transformer).input_tags if has_tags else None


def takes_sparse(preprocessing: Any) -> bool:
    """Whether a preprocessing takes a sparse matrix, by what it says of itself.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> [takes_sparse(given) for given in ("auto", StandardScaler(), StandardScaler(with_mean=False))]
    [True, False, True]
    """
    tags = _input_tags(preprocessing)
    return is_built_in(preprocessing) or (tags is not None and bool(tags.sparse))


def _read_streamed(
    estimator: BaseEstimator,
    X: Any,
    *,
    reset: bool,
    allow_nan: bool,
    dtype: type[np.floating] | None,
    stream: bool,
) -> StreamedRows | StreamedTable:
    refuse_to_stream(X, stream=stream)
    if isinstance(X, ArrowRows):
        return streamed_table(estimator, X, partial(_check_column, allow_nan=allow_nan), reset=reset)
    rows = streamed_rows(X, allow_nan=allow_nan, dtype=dtype)
    first = np.empty(rows.shape) if 0 in rows.shape or rows.ndim < 2 else rows[slice(1)]
    # The first row tells the number of features, and what else is wrong with all of them.
    validate_data(estimator, first, reset=reset, ensure_all_finite="allow-nan", allow_nd=True)
    return rows


def is_plain(estimator: BaseEstimator, X: Any) -> bool:
    """Whether X would pass all checks unchanged, if its numbers are finite: they take long for one row.

    Parameters
    ----------
    estimator : BaseEstimator
        A fitted estimator, which has the number and the names of the features.
    X : object
        X as the user gave it.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype not in _FLOATS or not len(X):
        return False
    # Who takes the number of features away gets the checks of scikit-learn, which do without.
    return X.shape[1] == getattr(estimator, "n_features_in_", None) and not hasattr(
        estimator, "feature_names_in_"
    )


def _read_frame(estimator: BaseEstimator, X: pd.DataFrame, *, reset: bool, allow_nan: bool) -> pd.DataFrame:
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()].unique().tolist()
        raise ValueError(f"The columns of `X` must have distinct names. Found more than once: {twice}.")
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    if 0 in X.shape:
        # scikit-learn raises, with its message about empty input.
        check_array(np.empty(X.shape), estimator=estimator, input_name="X")
    for name, column in X.items():
        _check_column(name, column, allow_nan=allow_nan)
    return X


def _read_objects(
    estimator: BaseEstimator, X: np.ndarray, *, reset: bool, allow_nan: bool, single: bool
) -> np.ndarray:
    """Check an array whose columns may be of several kinds, as a table has."""
    X = validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite=False)
    table = pd.DataFrame(X)
    if single:
        refuse_sequences(table, [i for i, column in table.items() if content_of(column) == "sequences"])
    gaps = [] if allow_nan else [i for i, column in table.items() if column.isna().any()]
    if gaps:
        raise ValueError(f"Input X contains NaN. Found it in the columns {named(gaps)}.")
    return X


def _check_column(name: Any, column: pd.Series, *, allow_nan: bool) -> None:
    if column.dtype.kind == "c":
        raise ValueError(f"Complex data not supported. Found it in column {shown(name)} of X.")
    if column.dtype in _FLOATS:
        # The sum is finite where all is, but for very large numbers: a closer look takes longer.
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(column.to_numpy().sum()):
                return
    if not allow_nan and column.isna().any():
        raise ValueError(f"Input X contains NaN. Found it in column {shown(name)}.")
    if column.dtype.kind == "f" and np.isinf(column.to_numpy(dtype=np.float64, na_value=np.nan)).any():
        raise ValueError(
            f"Input X contains infinity or a value too large for {shown(column.dtype)}. "
            f"Found it in column {shown(name)}."
        )


def unmasked(X: Any) -> Any:
    """Return X with masked values as missing values.

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


def holds_other_than_numbers(X: Any) -> bool:
    """Whether X is an array of two dimensions, of which some columns hold something else than numbers.

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
    columns = [column for _, column in pd.DataFrame(X).items()]
    return any(content_of(column) not in _FOR_FLOATS or is_beyond_floats(column) for column in columns)


def is_polars(X: Any) -> bool:
    """Whether X is a DataFrame of polars."""
    return type(X).__name__ == "DataFrame" and type(X).__module__.partition(".")[0] == "polars"
