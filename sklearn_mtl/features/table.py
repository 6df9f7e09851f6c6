"""The default preprocessing of a table, composed of scikit-learn's own transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_object_dtype
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, RobustScaler, StandardScaler

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.features.clipping import OutlierClip
from sklearn_mtl.features.clipping import smooth_clip as smooth_clip  # Files written before name it here.
from sklearn_mtl.features.free_text import FreeTextEncoder
from sklearn_mtl.features.kinds import (
    ColumnsOf,
    as_texts,
    columns_not_numeric,
    columns_with_gaps,
    content_of,
    holds_bits,
    named,
    refuse_sequences,
    which_vary,
)
from sklearn_mtl.features.ragged import RaggedRows
from sklearn_mtl.features.reader import TableReader, as_frame, read_columns
from sklearn_mtl.features.reading import check_transformer
from sklearn_mtl.features.sparse import SparseRows

# Of the levels of a column, those that occur so often have an encoded column of their own, so many at most.
RAREST_LEVEL, MOST_LEVELS = 5, 50
# The first value and the number of values of what repeats.
_CYCLES = {"month": (1, 12), "day_of_week": (0, 7), "hour": (0, 24)}
_DATE_PARTS = ("seconds", "year", *(f"{name}_{wave}" for name in _CYCLES for wave in ("sin", "cos")))


def default_preprocessing() -> Pipeline:
    """Return what ``preprocessing="auto"`` does to a table.

    What becomes of a column depends on what it holds in ``fit``, not on its name or place.

    ============  =================================================================================
    holds         becomes
    ============  =================================================================================
    numbers       median where missing, centred and scaled by quartiles; a column with values beyond
                  (-4, 4) is smoothly clipped to (-3, 3)
    0 and 1       0 and 1, the more frequent where missing; booleans too
    dates         seconds, year, and sine and cosine of month, day of week and hour, then as numbers
    durations     seconds, then as numbers
    anything      a 0/1 column for each level seen at least 5 times, missing being a level, and
    else          one for all rarer levels; 50 columns at most
    free text     the same, and at most 50 numbers for its words, by `FreeTextEncoder`, then as numbers
    ============  =================================================================================

    Periods are dates. Text of which nearly all reads as dates, or as numbers, is read so, with a warning;
    text that does not parse is missing. Free text has three or more words on average, and at least half of
    the texts are distinct. Each column with missing values, but for text, also has a 0/1 column that says
    where they are.

    Returns
    -------
    Pipeline
        Not fitted: a `TableReader`, which finds what each column holds, and a ColumnTransformer. Takes a
        pandas frame or a two-dimensional array.

    References
    ----------
    The scaling and the clip are those of RealMLP: Holzmüller, Grinsztajn and Steinwart (2024),
    "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data", arXiv:2407.04491.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"area": [50.0, None, 80.0, 65.0], "garden": [False, True, True, True]})
    >>> preprocessing = default_preprocessing().fit(X)
    >>> preprocessing.get_feature_names_out()
    array(['number__area', 'bit__garden', 'gap__area'], dtype=object)
    >>> preprocessing.transform(X).round(2)
    array([[-2.,  0.,  0.],
           [ 0.,  1.,  1.],
           [ 2.,  1.,  0.],
           [ 0.,  1.,  0.]])
    """
    bits = make_pipeline(
        FunctionTransformer(to_bits, feature_names_out="one-to-one"),
        SimpleImputer(strategy="most_frequent", keep_empty_features=True),
    )
    levels = make_pipeline(
        FunctionTransformer(to_text, feature_names_out="one-to-one"),
        OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=RAREST_LEVEL,
            max_categories=MOST_LEVELS,
            sparse_output=False,
        ),
    )
    table = ColumnTransformer(
        [
            ("number", _numbers(to_numbers, "one-to-one"), ColumnsOf("continuous")),
            ("date", _numbers(date_parts, date_part_names), ColumnsOf("date")),
            ("duration", _numbers(to_seconds, "one-to-one"), ColumnsOf("duration")),
            ("bit", bits, ColumnsOf("bit")),
            ("gap", FunctionTransformer(to_gaps, feature_names_out="one-to-one"), columns_with_gaps),
            ("level", levels, ColumnsOf("text")),
            ("words", _scaled(FreeTextEncoder()), ColumnsOf("free text")),
        ],
        sparse_threshold=0,
    )
    # Arrays throughout, whatever `sklearn.set_config(transform_output=...)` says.
    return Pipeline([("read", TableReader()), ("encode", table.set_output(transform="default"))])


def _scaled(*convert: Any) -> Pipeline:
    # RobustScaler leaves a column whose quartiles coincide as it is, so it must come in at a sane scale.
    # What was converted is nobody else's, and is scaled where it is.
    return make_pipeline(*convert, StandardScaler(copy=False), RobustScaler(copy=False), OutlierClip())


def _numbers(convert: Any, names: Any) -> Pipeline:
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return _scaled(FunctionTransformer(convert, feature_names_out=names), fill)


def to_numbers(X: np.ndarray | pd.DataFrame, kept: Any = np.float64) -> np.ndarray:
    """Return numbers and booleans of any dtype as float64, missing ones as NaN.

    Parameters
    ----------
    X : ndarray or DataFrame
        The numbers.
    kept : dtype, default=numpy.float64
        A floating-point dtype in which a frame stays as it is.
    """
    if isinstance(X, np.ndarray) and X.dtype.kind in "biuf":
        return np.asarray(X, dtype=np.float64)
    table = as_frame(X)
    if (table.dtypes == kept).all():
        return table.to_numpy()
    read = read_columns(table, ["number"] * table.shape[1], [None] * table.shape[1])
    return read.to_numpy(dtype=np.float64)


def refuse_other_than_numbers(X: np.ndarray | pd.DataFrame) -> None:
    """Raise a ``ValueError`` that names the columns of a table that hold neither numbers nor booleans."""
    table = as_frame(X)
    others = table.columns[columns_not_numeric(table)].tolist()
    if others:
        raise ValueError(
            f"`preprocessing=None` takes columns of numbers only. Found others: {named(others)}; "
            "preprocessing='auto' takes columns of any kind."
        )


def to_bits(X: np.ndarray | pd.DataFrame) -> np.ndarray:
    """Return numbers and booleans as float64 no less than 0 and no more than 1, missing ones as NaN."""
    # A column of 0 and 1 in `fit` may hold a count of 40 later; the network has seen nothing beyond 1.
    return np.clip(to_numbers(X), 0, 1)


def to_gaps(X: np.ndarray | pd.DataFrame) -> np.ndarray:
    """Return 1 where a value is missing and 0 elsewhere."""
    return np.asarray(pd.isna(X), dtype=np.float64)


def to_seconds(X: pd.DataFrame) -> np.ndarray:
    """Return durations as seconds, missing ones as NaN."""
    columns = [pd.to_timedelta(column).dt.total_seconds() for _, column in pd.DataFrame(X).items()]
    return np.column_stack([column.to_numpy(dtype=np.float64) for column in columns])


def date_parts(X: pd.DataFrame) -> np.ndarray:
    """Return the eight numbers that stand for each date, NaN where it is missing."""
    return np.column_stack([part for _, column in pd.DataFrame(X).items() for part in _parts(column)])


def date_part_names(transformer: FunctionTransformer, names: np.ndarray) -> np.ndarray:  # noqa: ARG001
    """Name the columns of `date_parts`."""
    return np.array([f"{name}_{part}" for name in names for part in _DATE_PARTS], dtype=object)


def _parts(column: pd.Series) -> list[np.ndarray]:
    when = pd.to_datetime(column).dt.tz_localize(None)
    seconds = (when - pd.Timestamp("1970-01-01")) / pd.Timedelta(seconds=1)
    parts = [seconds.to_numpy(dtype=np.float64), when.dt.year.to_numpy(dtype=np.float64)]
    for name, (first, period) in _CYCLES.items():
        # Sines are looked up among the few values there are: numpy's vectorised sine may differ, in the last
        # bit, from the one it computes for a single row, and a row would not be encoded by itself.
        angles = np.append(np.arange(period) * (2 * np.pi / period), np.nan)
        step = (getattr(when.dt, name) - first).fillna(period).to_numpy(dtype=np.intp)
        parts += [np.sin(angles)[step], np.cos(angles)[step]]
    return parts


def to_text(X: pd.DataFrame) -> np.ndarray:
    """Return values of any type as text, missing ones as None.

    Examples
    --------
    >>> to_text(pd.DataFrame({"size": ["L", 40, 40.0, None]})).ravel().tolist()
    ['L', '40', '40', None]
    """
    table = pd.DataFrame(X)
    vague = [i for i, dtype in enumerate(table.dtypes) if is_object_dtype(dtype)]
    refuse_sequences(table, [i for i in vague if content_of(table.iloc[:, i]) == "sequences"])
    return np.column_stack([as_texts(column) for _, column in table.items()])


def source_columns(table: Pipeline) -> np.ndarray:
    """Return, for each encoded column of a fitted `default_preprocessing`, the position of its source.

    Parameters
    ----------
    table : Pipeline
        What `default_preprocessing` made, fitted.

    Examples
    --------
    >>> X = pd.DataFrame({"colour": ["red", "blue"] * 5, "area": range(10)})
    >>> source_columns(default_preprocessing().fit(X)).tolist()
    [1, 0, 0]
    """
    encode = table[-1]
    sources = []
    for name, transformer, columns in encode.transformers_:
        n_encoded = len(range(*encode.output_indices_[name].indices(2**31)))
        if name in ("level", "words") and n_encoded:
            # In place of the names of the columns, their positions.
            places = [str(i) for i in columns]
            named = transformer[-1 if name == "level" else 0].get_feature_names_out(places)
            sources += [int(of_column.partition("_")[0]) for of_column in named]
        elif n_encoded:
            sources += np.repeat(columns, n_encoded // len(columns)).tolist()
    return np.array(sources, dtype=np.intp)


def with_text_of(table: Any, sample: np.ndarray | pd.DataFrame) -> np.ndarray | pd.DataFrame:
    """Return a sample of a table in which a column of objects is text if any row of the table has text.

    Otherwise it would depend on the sample whether a column with one text among numbers is text.

    Parameters
    ----------
    table : ndarray or DataFrame
        All rows.
    sample : ndarray or DataFrame
        Some of the rows.

    Examples
    --------
    >>> table = pd.DataFrame({"area": pd.Series([50, 80, "?"], dtype=object)})
    >>> with_text_of(table, table[:2])["area"].tolist()
    ['50', '80']
    """
    if not isinstance(table, np.ndarray | pd.DataFrame) or table.ndim != 2:
        return sample
    dtypes = table.dtypes if isinstance(table, pd.DataFrame) else [table.dtype] * table.shape[1]
    objects = [i for i, dtype in enumerate(dtypes) if is_object_dtype(dtype)]
    if not objects:
        return sample
    some, every = pd.DataFrame(sample), pd.DataFrame(table)
    some = some.copy(deep=False)
    for i in objects:
        if content_of(every.iloc[:, i]) == "text" != content_of(some.iloc[:, i]):
            some.isetitem(i, as_texts(some.iloc[:, i]))
    return some if isinstance(sample, pd.DataFrame) else some.to_numpy(dtype=object)


def take_rows(X: Any, rows: np.ndarray | slice) -> Any:
    """Return rows of X as `read_features` returns it, sparse ones sparse, uneven ones not filled up."""
    if isinstance(X, SparseRows | RaggedRows):
        return X.take(rows)
    return X.iloc[rows] if isinstance(X, pd.DataFrame | pd.Series) else X[rows]


def is_table(X: Any) -> bool:
    """Whether the columns of X may be of several kinds."""
    return isinstance(X, pd.DataFrame) or (isinstance(X, np.ndarray) and X.dtype.kind not in "biufc")


def new_transformer(preprocessing: Any, X: np.ndarray | pd.DataFrame | SparseRows) -> Any:
    """Return the transformer of X that a preprocessing stands for, not fitted; None where it is none."""
    if preprocessing is None:
        if is_table(X):
            refuse_other_than_numbers(X)
        return None
    if isinstance(preprocessing, str) and preprocessing == "auto":
        if isinstance(X, SparseRows):
            return None
        return default_preprocessing() if X.ndim == 2 else None
    check_transformer(preprocessing)
    return clone(preprocessing)


def bit_columns(values: np.ndarray | SparseRows) -> np.ndarray:
    """Return for each column whether it holds nothing but 0 and 1."""
    return values.holds_bits() if isinstance(values, SparseRows) else holds_bits(values)


def columns_in_order(values: np.ndarray | SparseRows) -> tuple[np.ndarray, int]:
    """Return the positions of the columns to keep, and how many of them, at the front, are continuous."""
    varies = values.which_vary() if isinstance(values, SparseRows) else which_vary(values)
    if not varies.any():
        varies[0] = True
    bits = bit_columns(values)
    continuous = np.flatnonzero(varies & ~bits)
    return np.concatenate([continuous, np.flatnonzero(varies & bits)]), len(continuous)


def warn_of_constant_columns(
    transformer: Pipeline | None,
    X: np.ndarray | pd.DataFrame,
    encoded: np.ndarray,
    coded: Sequence[int] = (),
) -> None:
    """Warn of the columns of a table that vary, though nothing that is made of them does.

    Parameters
    ----------
    transformer : Pipeline or None
        The fitted `default_preprocessing`, if there is any preprocessing.
    X : ndarray or DataFrame
        The fitted rows.
    encoded : ndarray of shape (n_rows, n_encoded)
        The same rows, encoded.
    coded : sequence of int, optional
        Positions of the columns that also have codes.
    """
    sources = np.arange(X.shape[1]) if transformer is None else source_columns(transformer)
    silent = set(range(X.shape[1])) - set(sources[which_vary(encoded)].tolist()) - set(coded)
    lost = [i for i in sorted(silent) if _varies(X, i)]
    if lost:
        names = X.columns[lost].tolist() if isinstance(X, pd.DataFrame) else lost
        warn_caller(
            f"Columns of `X` vary, but reach the network as a constant: {named(names)}. Of text, only levels "
            "that occur at least 5 times are told apart. Drop the columns, merge their levels, or convert "
            "them to numbers or dates.",
        )


def _varies(X: np.ndarray | pd.DataFrame, column: int) -> bool:
    values = X.iloc[:, column] if isinstance(X, pd.DataFrame) else pd.Series(X[:, column])
    return values.nunique(dropna=False) > 1
