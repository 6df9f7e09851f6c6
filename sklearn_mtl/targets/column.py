"""One task's labels as a `Column`, and arrays and frames of any kind as they hold labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray, ExtensionDtype

from sklearn_mtl.messages import shown

_WORDS_FOR_MISSING = frozenset(
    {"na", "n/a", "#n/a", "<na>", "nan", "none", "null", "nil", "missing", "unknown"}
)
# As programs write them. In other letters they are as often words: "Na" is sodium, and "none" a degree.
_WRITTEN_BY_PROGRAMS = frozenset(
    {"NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "None", "null", "Null", "NULL"}
)


@dataclass(frozen=True, eq=False)
class Column:
    """One task's labels, as they were given.

    Parameters
    ----------
    name : str
        The task.
    values : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        The labels as numpy holds them: numbers and booleans in their own dtype, everything else as
        ``object``. What stands in a missing cell means nothing.
    missing : ndarray of bool, the shape of ``values``
        True where there is no label (NaN, None, NA, NaT).
    dtype : numpy dtype, pandas extension dtype or polars data type
        The dtype of the labels as they were given, which predictions have too.
    was_block : bool, default=False
        Whether ``values`` of one dimension were given as one column of two.
    """

    name: str
    values: np.ndarray
    missing: np.ndarray
    dtype: Any
    was_block: bool = field(default=False, kw_only=True)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)

    @property
    def known(self) -> np.ndarray:
        """The labels that are there, one after the other."""
        return self.values[~self.missing] if self.missing.any() else self.values.ravel()

    @property
    def has_label(self) -> np.ndarray:
        """Whether each row has a label in some column, ndarray of bool of shape (n_rows,)."""
        missing = self.missing if self.missing.ndim == 1 else self.missing.all(axis=1)
        return np.logical_not(missing)

    @property
    def complete(self) -> np.ndarray:
        """Whether each row has all of its labels, ndarray of bool of shape (n_rows,)."""
        missing = self.missing if self.missing.ndim == 1 else self.missing.any(axis=1)
        return np.logical_not(missing)

    @property
    def given(self) -> np.ndarray:
        """The labels in the shape that they were given in."""
        return self.values

    def take(self, rows: np.ndarray | slice) -> Column:
        """Return the column of the given rows.

        Parameters
        ----------
        rows : ndarray of int or bool, or slice
            Positions, a mask, or a range.
        """
        return replace(self, values=self.values[rows], missing=self.missing[rows])


def as_array(values: Any) -> Any:
    """Return a numpy array, or a pandas extension array where the dtype is one of pandas' own."""
    if isinstance(values, ExtensionArray):
        return values
    if isinstance(values, pd.Series | pd.Index):
        return values.array if isinstance(values.dtype, ExtensionDtype) else values.to_numpy()
    if isinstance(values, np.ma.MaskedArray):
        return _from_masked(values)
    if isinstance(values, np.ndarray):
        return values
    if hasattr(values, "detach"):
        # A tensor, wherever it is and whatever it belongs to.
        return values.detach().cpu().numpy()
    if hasattr(values, "toarray"):
        raise TypeError("Sparse targets are not supported: labels must be dense. Pass y.toarray().")
    if hasattr(values, "null_count") and hasattr(values, "to_list"):
        return _from_polars(values)
    if hasattr(values, "to_numpy"):
        return values.to_numpy()
    if _are_ragged(values):
        return rows_as_objects(values)
    array = np.asarray(values)
    # numpy turns a list of strings and None, or of strings and numbers, into text.
    mixed = array.dtype.kind in "US" and not all(isinstance(value, str | bytes) for value in np.ravel(values))
    return np.asarray(values, dtype=object) if mixed or array.dtype.kind in "US" else array


def rows_as_objects(rows: Sequence[Any]) -> np.ndarray:
    """Return an array of objects, one for each row, whatever rows are and also if all are of one length.

    Parameters
    ----------
    rows : sequence of array or None
        The rows.
    """
    found = np.empty(len(rows), dtype=object)
    for place, row in enumerate(rows):
        found[place] = row
    return found


def _are_ragged(values: Any) -> bool:
    """Whether a list holds lists or arrays of unequal lengths, or some and None."""
    if not isinstance(values, list | tuple):
        return False
    if not is_row(next((row for row in values if not _is_gap(row)), None)):
        return False
    return len({len(row) if is_row(row) else None for row in values}) > 1


def is_row(value: Any) -> bool:
    """Whether a value holds the labels of one row: a list, an array, a Series or a tensor."""
    kinds = list | tuple | np.ndarray | pd.Series | pd.Index | ExtensionArray
    of_others = hasattr(value, "detach") or hasattr(value, "null_count")
    return (isinstance(value, kinds) or of_others) and getattr(value, "ndim", 1) > 0


def _is_gap(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def check_lengths(lengths: Mapping[str, int], n_rows: int | None = None) -> None:
    """Raise a ``ValueError`` that says which task has which length, unless all agree.

    Parameters
    ----------
    lengths : mapping of str to int
        Rows of each task.
    n_rows : int, optional
        Rows of X.
    """
    if n_rows is not None:
        for name, length in lengths.items():
            if length != n_rows:
                raise ValueError(
                    "X and y have inconsistent numbers of samples: "
                    f"X has {n_rows} rows, task {shown(name)} has {length}."
                )
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The tasks of y must have the same number of rows. Found {dict(lengths)}.")


def is_frame(values: Any) -> bool:
    """Whether something is a DataFrame of pandas or polars."""
    is_polars = type(values).__module__.partition(".")[0] == "polars" and hasattr(values, "columns")
    return is_polars or isinstance(values, pd.DataFrame)


def frame_columns(frame: Any) -> dict[Any, Any]:
    """Return the values of each column by name, integers among the names as their text.

    Parameters
    ----------
    frame : DataFrame of pandas or polars
        Columns of one dtype of numbers are taken as one block, which is faster.

    Raises
    ------
    ValueError
        If two columns have one name.
    """
    names = [str(name) if _is_integer(name) else name for name in frame.columns]
    twice = sorted({str(name) for name, count in Counter(names).items() if count > 1})
    if twice:
        raise ValueError(f"Task names must be unique. Found several columns named {twice}.")
    if isinstance(frame, pd.DataFrame) and are_numbers_of_one_dtype(list(frame.dtypes)):
        return dict(zip(names, np.asfortranarray(frame.to_numpy()).T, strict=True))
    return {name: frame[column] for name, column in zip(names, frame.columns, strict=True)}


def integer_names(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of columns that are integers, as text."""
    return tuple(str(name) for name in frame.columns if _is_integer(name))


def are_numbers_of_one_dtype(dtypes: Sequence[Hashable]) -> bool:
    """Whether all dtypes are the same one of numpy's for numbers, so that one array holds all."""
    distinct = set(dtypes)
    return len(distinct) == 1 and all(isinstance(d, np.dtype) and d.kind in "biuf" for d in distinct)


def may_mean_missing(text: str | bytes) -> bool:
    """Whether text may stand for a missing value: it has no letter and no digit, or says so in a word.

    Examples
    --------
    >>> from sklearn_mtl.targets import may_mean_missing
    >>> [may_mean_missing(text) for text in ("?", "", "n/a", "unknown", "0", "flat")]
    [True, True, True, True, False, False]
    """
    stripped = _as_str(text)
    return stripped.lower() in _WORDS_FOR_MISSING or _is_without_letters(stripped)


def is_missing_marker(text: str | bytes) -> bool:
    """Whether text is what programs write for a missing value, so that it is hardly ever a class.

    Examples
    --------
    >>> from sklearn_mtl.targets.column import is_missing_marker
    >>> [is_missing_marker(text) for text in ("?", "", "NA", "None", "none", "unknown")]
    [True, True, True, True, False, False]
    """
    stripped = _as_str(text)
    return stripped in _WRITTEN_BY_PROGRAMS or _is_without_letters(stripped)


def holds_survival(dtype: Any) -> bool:
    """Whether a dtype is that of survival labels: a structure of one field of booleans and one of numbers."""
    fields = getattr(dtype, "fields", None) or {}
    return sorted(of_field.kind for of_field, *_ in fields.values()) in (["b", "f"], ["b", "i"], ["b", "u"])


def _from_masked(values: np.ma.MaskedArray) -> np.ndarray:
    """Return masked values as missing ones; numpy drops the mask."""
    if not np.ma.is_masked(values):
        return values.data
    if values.dtype.kind == "f":
        return values.filled(np.nan)
    return np.where(np.ma.getmaskarray(values), np.array(None), np.asarray(values.astype(object)))


def _from_polars(series: Any) -> Any:
    """Return the values of a polars series, without pyarrow: missing floats as NaN, other values as None."""
    kind = type(series.dtype).__name__
    if kind in ("Categorical", "Enum"):
        # As plain text they would not be known to be classes.
        return pd.Categorical(series.to_list(), series.dtype.categories.to_list() if kind == "Enum" else None)
    if kind == "List":
        return rows_as_objects(series.to_list())
    wide = kind in ("Int128", "UInt128")
    if series.dtype.is_float() or (series.dtype.is_numeric() and not wide and not series.null_count()):
        values: np.ndarray = series.to_numpy()
        return values
    # numpy would make floats of integers with nulls, and so a regression; it has none of 128 bits.
    return np.array(series.to_list(), dtype=object)


def _is_integer(name: Any) -> bool:
    return isinstance(name, Integral) and not isinstance(name, bool)


def _as_str(text: str | bytes) -> str:
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).strip()


def _is_without_letters(text: str) -> bool:
    return not any(map(str.isalnum, text))
