"""One task's labels: from any array to a `Column`, and predictions back to the dtype given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionDtype

from sklearn_mtl.targets.column import Column
from sklearn_mtl.targets.container import as_array

# What a cell of objects may not be.
CONTAINERS = (list, dict, set, frozenset, np.ndarray)


def read_column(name: str, values: Any) -> Column:
    """Return labels with their gaps found.

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
            f"Labels must have one or two dimensions. Found shape {array.shape} for task {name!r}."
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


def restore_dtype(values: np.ndarray, dtype: Any) -> Any:
    """Return predicted labels in the dtype that the labels came in.

    Parameters
    ----------
    values : ndarray
        Labels, none of them missing.
    dtype : numpy dtype or pandas extension dtype
        As `Column` keeps it.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> restore_dtype(np.array(["a", "b"], dtype=object), pd.CategoricalDtype(["b", "a"]))
    ['a', 'b']
    Categories (2, ...): ['b', 'a']
    """
    if isinstance(dtype, ExtensionDtype):
        # Arrow encodes no numbers of numpy as a dictionary.
        encodes = isinstance(dtype, pd.ArrowDtype) and str(dtype).startswith("dictionary")
        return pd.array(values.astype(object) if encodes else values, dtype=dtype)
    if dtype.kind in "mM":
        # numpy takes no Timestamp or Timedelta of pandas.
        return pd.Series(values).infer_objects().to_numpy().astype(dtype)
    return values.astype(dtype, copy=False)


def holds_labels(dtype: Any, labels: np.ndarray) -> bool:
    """Whether labels come through a dtype unchanged: text may be too long for it, a category unknown.

    Parameters
    ----------
    dtype : numpy dtype or pandas extension dtype
        As `Column` keeps it.
    labels : ndarray of shape (n_labels,)
        None of them missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.targets import holds_labels
    >>> holds_labels(np.dtype("<U2"), np.array(["a", "bb"], dtype=object))
    True
    >>> holds_labels(np.dtype("<U2"), np.array(["a", "bbb"], dtype=object))
    False
    """
    if isinstance(dtype, pd.CategoricalDtype):
        return set(labels.tolist()) <= set(dtype.categories)
    try:
        return list(restore_dtype(labels, dtype)) == labels.tolist()
    except (OverflowError, TypeError, ValueError):
        return False


def holds_survival(dtype: Any) -> bool:
    """Whether a dtype is that of survival labels: a structure of one field of booleans and one of numbers."""
    fields = getattr(dtype, "fields", None) or {}
    return sorted(of_field.kind for of_field, *_ in fields.values()) in (["b", "f"], ["b", "i"], ["b", "u"])


def _from_structured(name: str, array: np.ndarray) -> Column:
    """Return a column of the times and the events."""
    if not holds_survival(array.dtype):
        raise ValueError(
            "Labels must not be a structured array, but for one field of booleans and one of numbers, the "
            f"event and the time of a survival task. Found the fields {list(array.dtype.names or ())} in "
            f"task {name!r}; pass y as a mapping, {{field: y[field], ...}}."
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
        objects = np.asarray(array, dtype=object)
        natural = _natural(name, objects, missing)
    _refuse_infinite(name, natural)
    _refuse_complex(name, natural, missing)
    return Column(name, natural, missing, dtype)


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
        f"task {name!r}."
    )


def _refuse_complex(name: str, values: np.ndarray, missing: np.ndarray) -> None:
    of_objects = values.dtype.kind == "O" and pd.api.types.infer_dtype(values[~missing]) == "complex"
    if values.dtype.kind == "c" or of_objects:
        raise ValueError(f"Complex data not supported. Found it in task {name!r}.")


def _refuse_infinite(name: str, values: np.ndarray) -> None:
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise ValueError(
            f"Input y contains infinity or a value too large for {values.dtype!r}: task {name!r} has "
            f"{int(np.isinf(values).sum())} infinite labels."
        )
