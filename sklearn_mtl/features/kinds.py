"""What a column of a table holds, by its dtype and, where that is ``object``, by its values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass
from decimal import Decimal
from numbers import Complex, Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types

Kind = Literal["continuous", "bit", "date", "duration", "text"]
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
    """Return the positions of the columns of one kind: by dtype, and bits among numbers by value.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"area": [50.0, 80.0], "garden": [0, 1], "colour": ["red", None]})
    >>> [columns_of(X, kind) for kind in ("continuous", "bit", "text")]
    [[0], [1], [2]]
    """
    if isinstance(X, pd.DataFrame):
        return [i for i, (_, column) in enumerate(X.items()) if _is_kind(column, kind)]
    if kind not in ("continuous", "bit"):
        return []
    return np.flatnonzero(holds_bits(X) == (kind == "bit")).tolist()


@dataclass(frozen=True)
class ColumnsOf:
    """Selects the columns of one kind; for a ``ColumnTransformer``.

    Parameters
    ----------
    kind : {"continuous", "bit", "date", "duration", "text"}
        Numbers, numbers that are all 0 or 1, dates, durations, or anything else.
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


def named(names: Iterable[Any]) -> str:
    """Return the names of columns for a message: at most ten, and how many more there are.

    Examples
    --------
    >>> named(["area", "rooms"])
    "['area', 'rooms']"
    """
    return f"[{listed(list(map(repr, names)))}]"


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
