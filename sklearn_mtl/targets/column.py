"""One task's labels as a `Column`, read from arrays of any kind and from frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray, ExtensionDtype

from sklearn_mtl.messages import shown

# What a cell of objects may not be.
CONTAINERS = (list, dict, set, frozenset, np.ndarray)

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
    """

    name: str
    values: np.ndarray
    missing: np.ndarray
    dtype: Any

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

    def take(self, rows: np.ndarray | slice) -> Column:
        """Return the column of the given rows.

        Parameters
        ----------
        rows : ndarray of int or bool, or slice
            Positions, a mask, or a range.
        """
        return Column(self.name, self.values[rows], self.missing[rows], self.dtype)


def read_column(name: str, values: Any) -> Column:
    """Return labels as a column, with the missing ones found.

    Parameters
    ----------
    name : str
        The task.
    values : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Labels of any dtype; one column is taken as one dimension.

    Raises
    ------
    ValueError
        If labels are complex, infinite, of more than two dimensions, or lists and the like.
    """
    _refuse_nested(name, values)
    array = as_array(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2):
        raise ValueError(
            f"Labels must have one or two dimensions. Found shape {array.shape} for task {shown(name)}."
        )
    if not isinstance(array, np.ndarray):
        return _from_extension(name, array)
    if array.dtype.names is not None:
        return _from_structured(name, array)
    missing = np.asarray(pd.isna(array))
    natural = _natural(name, array, missing)
    _refuse_complex(name, natural, missing)
    _refuse_infinite(name, natural)
    return Column(name, natural, missing, array.dtype)


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
    array = np.asarray(values)
    # numpy turns a list of strings and None, or of strings and numbers, into text.
    mixed = array.dtype.kind in "US" and not all(isinstance(value, str | bytes) for value in np.ravel(values))
    return np.asarray(values, dtype=object) if mixed or array.dtype.kind in "US" else array


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


def _from_structured(name: str, array: np.ndarray) -> Column:
    """Return a column of the times and the events."""
    if not holds_survival(array.dtype):
        raise ValueError(
            "Labels must not be a structured array, but for one field of booleans and one of numbers, the "
            "event and the time of a survival task. Found the fields "
            f"{shown(list(array.dtype.names or ()))} in "
            f"task {shown(name)}; pass y as a mapping, {{field: y[field], ...}}."
        )
    fields = sorted(array.dtype.names or (), key=lambda field: array.dtype[field].kind == "b")
    values = np.column_stack([array[field].astype(np.float64) for field in fields])
    _refuse_infinite(name, values)
    return Column(name, values, np.isnan(values), array.dtype)


def _from_extension(name: str, array: Any) -> Column:
    dtype = array.dtype
    missing = np.asarray(array.isna(), dtype=bool)
    if isinstance(dtype, pd.SparseDtype):
        array = np.asarray(array)
    if isinstance(dtype, pd.CategoricalDtype):
        array = array.astype(dtype.categories.dtype) if not missing.any() else array.astype(object)
    kind = getattr(dtype, "kind", "O")
    if isinstance(array, np.ndarray):
        natural = _natural(name, array, missing)
    elif kind in "iufb" and not isinstance(dtype, pd.CategoricalDtype):
        natural = array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
    else:
        natural = _natural(name, np.asarray(array, dtype=object), missing)
    _refuse_infinite(name, natural)
    _refuse_complex(name, natural, missing)
    return Column(name, natural, missing, dtype)


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
    wide = kind in ("Int128", "UInt128")
    if series.dtype.is_float() or (series.dtype.is_numeric() and not wide and not series.null_count()):
        values: np.ndarray = series.to_numpy()
        return values
    # numpy would make floats of integers with nulls, and so a regression; it has none of 128 bits.
    return np.array(series.to_list(), dtype=object)


def _natural(name: str, array: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return objects that are all numbers, or all booleans, as such; text as objects."""
    if array.dtype.kind in "US":
        return array.astype(object)
    if array.dtype.kind in "mM":
        return pd.Series(array.ravel()).astype(object).to_numpy().reshape(array.shape)
    if array.dtype.kind != "O":
        return array
    known = array[~missing]
    if len(known) and isinstance(known[0], CONTAINERS):
        raise _nested(name, f"a {type(known[0]).__name__}")
    inferred = pd.api.types.infer_dtype(known, skipna=False)
    dtype = {"boolean": np.bool_, "integer": np.int64}.get(inferred)
    if inferred in ("floating", "mixed-integer-float", "decimal"):
        dtype = np.float64
    if dtype is None:
        return array
    filled: np.ndarray = np.zeros(array.shape, dtype=dtype)
    try:
        filled[~missing] = known
    except OverflowError:
        # Python's integers know no bounds.
        return array
    return filled


def _refuse_nested(name: str, values: Any) -> None:
    """Refuse what polars has as lists of any length, or as several values; an Array is a block."""
    dtype = getattr(values, "dtype", None)
    kind = type(dtype).__name__
    if kind != "Array" and getattr(dtype, "is_nested", bool)():
        raise _nested(name, f"a polars {kind}")


def _nested(name: str, found: str) -> ValueError:
    return ValueError(
        f"Labels must be one value for each row, or an array of shape (n_rows, n_outputs). Found {found} in "
        f"task {shown(name)}."
    )


def _refuse_complex(name: str, values: np.ndarray, missing: np.ndarray) -> None:
    of_objects = values.dtype.kind == "O" and pd.api.types.infer_dtype(values[~missing]) == "complex"
    if values.dtype.kind == "c" or of_objects:
        raise ValueError(f"Complex data not supported. Found it in task {shown(name)}.")


def _refuse_infinite(name: str, values: np.ndarray) -> None:
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise ValueError(
            f"Input y contains infinity or a value too large for {shown(values.dtype)}: task "
            f"{shown(name)} has "
            f"{int(np.isinf(values).sum())} infinite labels."
        )


def _is_integer(name: Any) -> bool:
    return isinstance(name, Integral) and not isinstance(name, bool)


def _as_str(text: str | bytes) -> str:
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).strip()


def _is_without_letters(text: str) -> bool:
    return not any(map(str.isalnum, text))
