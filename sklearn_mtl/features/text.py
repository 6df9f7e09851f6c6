"""Text that holds numbers or dates, found from the distinct texts of a column."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types

from sklearn_mtl.features.kinds import content_of
from sklearn_mtl.targets import may_mean_missing

# This share of the distinct texts of a column must parse, not counting those that mean a missing value. Of
# codes or names a few parse by chance; among measurements a few are mistyped.
SHARE_THAT_PARSES = 0.9
# Text is free where texts have so many words on average, and at least half of the texts are distinct.
WORDS_OF_FREE_TEXT = 3
SHARE_OF_DISTINCT = 0.5

_CODE = re.compile(r"[+-]?0[0-9]+")
# The year comes first. Six digits of a second's fraction count: with nine, years after 2262 would not fit.
_DATE = re.compile(
    r"([0-9]{4}([-/])[0-9]{1,2}(?:\2[0-9]{1,2}(?:[T ][0-9:]+(?:\.[0-9]{1,6})?)?)?)[0-9]*(Z|[+-][0-9:]+)?"
)


def as_texts(column: pd.Series) -> np.ndarray:
    """Return values of any type as text, missing ones as None.

    Examples
    --------
    >>> as_texts(pd.Series(["L", 40, 40.0, b"L", None], dtype=object)).tolist()
    ['L', '40', '40', 'L', None]
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = [_text(level) for level in column.cat.categories]
        # The code of a missing value is -1, which takes the last.
        return np.array([*levels, None], dtype=object)[column.cat.codes.to_numpy()]
    gaps = column.isna().to_numpy(dtype=bool)
    texts = column.to_numpy(dtype=object, copy=True)
    texts[gaps] = None
    if not set(map(type, texts)) <= {str, type(None)}:
        texts[:] = [None if gap else _text(value) for value, gap in zip(column, gaps, strict=True)]
    return texts


def kind_of_text(distinct: np.ndarray) -> Literal["number", "date", "level"]:
    """Return whether the distinct texts of a column are numbers, dates, or levels.

    Text is a number or a date if at least 0.9 of the distinct texts parse as such, and at least two do.
    Texts that mean a missing value, such as ``"?"`` and ``"n/a"``, do not count. Whole numbers with a leading
    zero are codes: with one of them in the column, all are levels.

    Parameters
    ----------
    distinct : ndarray of str
        The distinct texts, none missing.

    Examples
    --------
    >>> kind_of_text(np.array(["1.5", "2", "-3e4", "?"], dtype=object))
    'number'
    >>> kind_of_text(np.array(["2024-02-29", "2023-12-31T10:00Z"], dtype=object))
    'date'
    >>> kind_of_text(np.array(["01067", "80331"], dtype=object))
    'level'
    """
    parsed = ~np.isnan(numbers_of(distinct))
    if _nearly_all(distinct, parsed):
        is_code = any(_CODE.fullmatch(text.strip()) for text in distinct[parsed])
        return "level" if is_code else "number"
    return "date" if _nearly_all(distinct, dates_of(distinct).notna().to_numpy()) else "level"


def numbers_in(texts: np.ndarray) -> np.ndarray:
    """Return the numbers that texts read as, in float64; NaN where a text is no number, or is missing.

    Only text that reads alike everywhere is a number: no separators of thousands, decimal commas or percents.

    Examples
    --------
    >>> numbers_in(np.array(["1.5", " 2", "1e3", "1,5", "7%", "inf", None], dtype=object))
    array([   1.5,    2. , 1000. ,    nan,    nan,    nan,    nan])
    """
    codes, distinct = pd.factorize(texts)
    # The code of a missing text is -1, which takes the last.
    return np.append(numbers_of(distinct), np.nan)[codes]


def dates_in(texts: np.ndarray) -> pd.Series:
    """Return the dates that texts read as, in UTC; NaT where a text is no date, or is missing.

    Dates are those of ISO 8601 with a hyphen or slash, the year first. Without an offset they are in UTC.

    Examples
    --------
    >>> dates_in(np.array(["2024-02-29", "2024-02-29T09:00+09:00", "29.2.2024"], dtype=object)).tolist()
    [Timestamp('2024-02-29 00:00:00'), Timestamp('2024-02-29 00:00:00'), NaT]
    """
    codes, distinct = pd.factorize(texts)
    return pd.concat([dates_of(distinct), pd.Series([pd.NaT])], ignore_index=True).iloc[codes]


def numbers_of(distinct: np.ndarray) -> np.ndarray:
    """Return the numbers of distinct texts."""
    numbers = np.asarray(pd.to_numeric(distinct, errors="coerce"), dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def dates_of(distinct: np.ndarray) -> pd.Series:
    """Return the dates of distinct texts."""
    # pandas would also take numbers, and "now".
    matches = [_DATE.fullmatch(text.strip()) for text in distinct]
    cleaned = [None if match is None else match[1] + (match[3] or "") for match in matches]
    dates = pd.to_datetime(pd.Series(cleaned, dtype=object), format="ISO8601", errors="coerce", utc=True)
    return dates.dt.tz_localize(None)


def is_free_text(texts: np.ndarray, distinct: np.ndarray) -> bool:
    """Whether texts have several words and seldom repeat.

    Parameters
    ----------
    texts : ndarray of str or None
        The texts of all rows.
    distinct : ndarray of str
        The distinct texts among them, none missing.
    """
    n_known = np.count_nonzero(pd.notna(texts))
    if len(distinct) < max(2, SHARE_OF_DISTINCT * n_known):
        return False
    return sum(len(text.split()) for text in distinct) >= WORDS_OF_FREE_TEXT * len(distinct)


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
    objects = [i for i, dtype in enumerate(dtypes) if types.is_object_dtype(dtype)]
    if not objects:
        return sample
    some, every = pd.DataFrame(sample), pd.DataFrame(table)
    some = some.copy(deep=False)
    for i in objects:
        if content_of(every.iloc[:, i]) == "text" != content_of(some.iloc[:, i]):
            some.isetitem(i, as_texts(some.iloc[:, i]))
    return some if isinstance(sample, pd.DataFrame) else some.to_numpy(dtype=object)


def _nearly_all(distinct: np.ndarray, parsed: np.ndarray) -> bool:
    n_parsed = int(np.count_nonzero(parsed))
    if n_parsed < 2:
        return False
    n_known = n_parsed + sum(not may_mean_missing(text) for text in distinct[~parsed])
    return n_parsed >= SHARE_THAT_PARSES * n_known


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    # A whole number is a float as soon as its column has gaps; its level stays the same.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
