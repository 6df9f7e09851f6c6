"""What a column of a table holds: by its dtype, by its values where that is ``object``, and by its text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass
from decimal import Decimal
from numbers import Complex, Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types

from sklearn_mtl.messages import shown
from sklearn_mtl.targets import may_mean_missing

Kind = Literal["continuous", "bit", "date", "duration", "text", "free text"]
Content = Literal[
    "numbers", "booleans", "dates", "durations", "categories", "text", "sequences", "complex numbers", "gaps"
]

_OF_OBJECTS: dict[str, Content] = {
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "decimal": "numbers",
    "boolean": "booleans",
    "date": "dates",
    "datetime": "dates",
    "datetime64": "dates",
    "period": "dates",
    "timedelta": "durations",
    "timedelta64": "durations",
    "complex": "complex numbers",
    "empty": "gaps",
}
# What pandas infers of objects that have little in common; `_of_types` finds more.
_VAGUE = ("mixed", "mixed-integer")
_MOST_NAMES = 10

# This share of the distinct texts of a column must parse, not counting those that mean a missing value. Of
# codes or names a few parse by chance; among measurements a few are mistyped.
SHARE_THAT_PARSES = 0.9
# Under this name a frame says which of its columns, by position, are free text, for all that select columns.
FREE_TEXT = "sklearn_mtl: free text"

_CODE = re.compile(r"[+-]?0[0-9]+")
# The year comes first. Six digits of a second's fraction count: with nine, years after 2262 would not fit.
_DATE = re.compile(
    r"([0-9]{4}([-/])[0-9]{1,2}(?:\2[0-9]{1,2}(?:[T ][0-9:]+(?:\.[0-9]{1,6})?)?)?)[0-9]*(Z|[+-][0-9:]+)?"
)


def content_of(column: pd.Series) -> Content:
    """Return what a column holds; ``"text"`` where it is nothing else.

    Values are looked at only where the dtype is ``object``.

    Examples
    --------
    >>> import pandas as pd
    >>> content_of(pd.Series([pd.Timedelta("1h"), None], dtype=object))
    'durations'
    >>> content_of(pd.Series([40, "L"], dtype=object))
    'text'
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        # Asked first: a category of booleans calls itself a boolean.
        return "categories"
    if types.is_object_dtype(dtype):
        inferred = types.infer_dtype(column, skipna=True)
        return _of_types(column.dropna()) if inferred in _VAGUE else _OF_OBJECTS.get(inferred, "text")
    if types.is_bool_dtype(dtype):
        return "booleans"
    if dtype.kind == "c":
        return "complex numbers"
    if types.is_numeric_dtype(dtype):
        return "numbers"
    if types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        return "dates"
    # Durations of Arrow are no timedelta64.
    return "durations" if dtype.kind == "m" else _of_arrow(dtype)


def columns_of(X: np.ndarray | pd.DataFrame, kind: Kind) -> list[int]:
    """Return the positions of the columns of one kind: by dtype, bits by value, free text as a frame says.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"area": [50.0, 80.0], "garden": [0, 1], "colour": ["red", None]})
    >>> [columns_of(X, kind) for kind in ("continuous", "bit", "text")]
    [[0], [1], [2]]
    """
    if isinstance(X, pd.DataFrame):
        if kind == "free text":
            # What a reader found: to find it again would take as long as all else.
            return list(X.attrs.get(FREE_TEXT, []))
        return [i for i, (_, column) in enumerate(X.items()) if _is_kind(column, kind)]
    if kind not in ("continuous", "bit"):
        return []
    return np.flatnonzero(holds_bits(X) == (kind == "bit")).tolist()


@dataclass(frozen=True)
class ColumnsOf:
    """Selects the columns of one kind; for a ``ColumnTransformer``.

    Parameters
    ----------
    kind : {"continuous", "bit", "date", "duration", "text", "free text"}
        Numbers, numbers that are all 0 or 1, dates, durations, anything else, or what of that is free text.
    """

    kind: Kind

    def __call__(self, X: np.ndarray | pd.DataFrame) -> list[int]:
        """Return the positions of the columns."""
        return columns_of(X, self.kind)


def columns_with_gaps(X: np.ndarray | pd.DataFrame) -> list[int]:
    """Return the positions of the columns with missing values, but for text, which has a level for them."""
    text = set(columns_of(X, "text"))
    gaps = np.asarray(pd.isna(X)).any(axis=0)
    return [i for i in np.flatnonzero(gaps).tolist() if i not in text]


def columns_not_numeric(X: pd.DataFrame) -> list[int]:
    """Return the positions of the columns that hold neither numbers nor booleans."""
    return [i for i, (_, column) in enumerate(X.items()) if content_of(column) not in ("numbers", "booleans")]


def holds_bits(values: np.ndarray) -> np.ndarray:
    """Return for each column whether it holds nothing but 0, 1 and NaN."""
    return np.all((values == 0) | (values == 1) | np.isnan(values), axis=0)


def which_vary(values: np.ndarray) -> np.ndarray:
    """Return for each column whether its values vary."""
    found: np.ndarray = values.min(axis=0) != values.max(axis=0)
    return found


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
    return pd.Series(np.append(dates_of(distinct), np.datetime64("NaT", "us"))[codes])


def numbers_of(distinct: np.ndarray) -> np.ndarray:
    """Return the numbers of distinct texts."""
    numbers = np.asarray(pd.to_numeric(distinct, errors="coerce"), dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def dates_of(distinct: np.ndarray) -> pd.Series:
    """Return the dates of distinct texts, in microseconds."""
    # pandas would also take numbers, and "now".
    matches = [_DATE.fullmatch(text.strip()) for text in distinct]
    # The calendar repeats every 400 years, which are 146,097 days. All are read in the years 1700 to 2099
    # and moved back: up to pandas 2 they are read in nanoseconds, which end in 2262.
    years = np.array([0 if match is None else int(match[1][:4]) for match in matches], dtype=int)
    cycles = (years - 1700) // 400
    cleaned = [
        f"{year}{match[1][4:]}{match[3] or ''}" if match is not None and match[1][:4] != "0000" else None
        for match, year in zip(matches, years - 400 * cycles, strict=True)
    ]
    dates = pd.to_datetime(pd.Series(cleaned, dtype=object), format="ISO8601", errors="coerce", utc=True)
    read = dates.dt.tz_localize(None).to_numpy("datetime64[us]")
    return pd.Series(read + (146_097 * cycles).astype("timedelta64[D]"))


def named(names: Iterable[Any]) -> str:
    """Return the names of columns for a message: at most ten, and how many more there are.

    Examples
    --------
    >>> named(["area", "rooms"])
    "['area', 'rooms']"
    """
    return f"[{listed(list(map(shown, names)))}]"


def listed(items: Sequence[str]) -> str:
    """Return items for a message, separated by commas: at most ten, and how many more there are."""
    beyond = [f"and {len(items) - _MOST_NAMES} more"] if len(items) > _MOST_NAMES else []
    return ", ".join([*items[:_MOST_NAMES], *beyond])


def refuse_sequences(X: pd.DataFrame, columns: Iterable[int]) -> None:
    """Raise a ``TypeError`` that names the columns whose cells are lists, arrays or dicts.

    Parameters
    ----------
    X : DataFrame
        The table.
    columns : iterable of int
        Positions of the columns that are known to hold such cells.
    """
    names = X.columns[list(columns)].tolist()
    if names:
        raise TypeError(
            "The cells of `X` as an argument must be single values: a string, a number, a date. Found lists, "
            f"arrays or dicts in the columns {named(names)}; give each of their elements a column of its "
            "own, or pass sequences of one length as an array of three dimensions."
        )


def is_sequence(of: type) -> bool:
    """Whether objects of a type hold several values."""
    return issubclass(of, Sized) and not issubclass(of, str | bytes | bytearray)


def _is_kind(column: pd.Series, kind: Kind) -> bool:
    dtype = column.dtype
    if types.is_object_dtype(dtype):
        # Objects that are numbers, dates or durations were read as such before.
        return kind == "text"
    content = content_of(column)
    if content == "numbers":
        # Values are looked at only where the answer depends on them.
        return kind in ("continuous", "bit") and _number_kind(column) == kind
    return kind == {"booleans": "bit", "dates": "date", "durations": "duration"}.get(content, "text")


def _number_kind(column: pd.Series) -> Kind:
    return "bit" if holds_bits(column.to_numpy(dtype=np.float64, na_value=np.nan)) else "continuous"


def _of_types(known: pd.Series) -> Content:
    found = set(map(type, known))
    if any(map(is_sequence, found)):
        return "sequences"
    if all(issubclass(of, Real | Decimal | np.bool_) for of in found):
        return "numbers"
    numeric = all(issubclass(of, Complex | Decimal | np.bool_) for of in found)
    return "complex numbers" if numeric else "text"


def _of_arrow(dtype: Any) -> Content:
    name = str(dtype)
    if name.startswith("dictionary"):
        return "categories"
    if name == "null[pyarrow]":
        return "gaps"
    return "sequences" if is_sequence(getattr(dtype, "type", object)) else "text"


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
