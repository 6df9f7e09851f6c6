"""What kind of thing a column of a table holds, found from its dtype and, where that is vague, its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from pandas.api import types

Kind = Literal["continuous", "bit", "date", "duration", "text"]

_OF_OBJECTS = {
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "boolean": "bit",
    "date": "date",
    "datetime": "date",
    "datetime64": "date",
    "timedelta": "duration",
    "timedelta64": "duration",
}


def columns_of(X: np.ndarray | pd.DataFrame, kind: Kind) -> list[int]:
    """Return the positions of the columns of one kind.

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
        The kind.
    """

    kind: Kind

    def __call__(self, X: np.ndarray | pd.DataFrame) -> list[int]:
        """Return the positions of the columns."""
        return columns_of(X, self.kind)


def columns_with_gaps(X: np.ndarray | pd.DataFrame) -> list[int]:
    """Return the positions of the columns with gaps, text apart, where a gap is a level of its own."""
    text = set(columns_of(X, "text"))
    gaps = np.asarray(pd.isna(X)).any(axis=0)
    return [i for i in np.flatnonzero(gaps).tolist() if i not in text]


def columns_not_numeric(X: pd.DataFrame) -> list[int]:
    """Return the positions of the columns that hold neither numbers nor booleans."""
    return [i for i, (_, column) in enumerate(X.items()) if _rough_kind(column) not in ("number", "bit")]


def holds_bits(values: np.ndarray) -> np.ndarray:
    """Say of each column whether it holds nothing but 0, 1 and NaN."""
    return np.all((values == 0) | (values == 1) | np.isnan(values), axis=0)


def _is_kind(column: pd.Series, kind: Kind) -> bool:
    rough = _rough_kind(column)
    if rough != "number":
        return rough == kind
    # Values are looked at only where the answer depends on them.
    return kind in ("continuous", "bit") and _number_kind(column) == kind


def _number_kind(column: pd.Series) -> Kind:
    return "bit" if holds_bits(column.to_numpy(dtype=np.float64, na_value=np.nan)) else "continuous"


def _rough_kind(column: pd.Series) -> str:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        # Asked first: a category of booleans calls itself a boolean.
        return "text"
    if types.is_object_dtype(dtype):
        return _OF_OBJECTS.get(types.infer_dtype(column, skipna=True), "text")
    if types.is_bool_dtype(dtype):
        return "bit"
    if types.is_numeric_dtype(dtype):
        return "number"
    if types.is_datetime64_any_dtype(dtype):
        return "date"
    return "duration" if types.is_timedelta64_dtype(dtype) else "text"
