"""Labels of any kind, read as a `Column`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.messages import shown
from sklearn_mtl.targets.column import Column, as_array, holds_survival, is_row
from sklearn_mtl.targets.positions import PositionColumn, padded

# What a cell of objects may not be.
CONTAINERS = (dict, set, frozenset)


def read_column(name: str, values: Any) -> Column:
    """Return labels as a column, with the missing ones found.

    Parameters
    ----------
    name : str
        The task.
    values : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, height, width)
        Labels of any dtype; one column is taken as one dimension. Rows may also be lists or arrays of
        unequal lengths, one label for each position of a row, and None for a row without labels.

    Returns
    -------
    Column
        A `PositionColumn` where rows are lists or arrays, or there are three dimensions.

    Raises
    ------
    ValueError
        If labels are complex, infinite, of more than three dimensions, or mappings and the like.
    """
    _refuse_nested(name, values)
    array = as_array(values)
    if array.ndim == 2 and array.shape[1] == 1:
        return replace(read_column(name, array[:, 0]), was_block=True)
    if array.ndim not in (1, 2, 3):
        raise ValueError(
            f"Labels must have one to three dimensions. Found shape {array.shape} for task {shown(name)}."
        )
    if not isinstance(array, np.ndarray):
        return _from_extension(name, array)
    if array.dtype.names is not None:
        return _from_structured(name, array)
    missing = np.asarray(pd.isna(array))
    if array.ndim == 1 and array.dtype == object and is_row(_first(array, missing)):
        return _from_rows(name, array, missing)
    natural = _natural(name, array, missing)
    _refuse_complex(name, natural, missing)
    _refuse_infinite(name, natural)
    if array.ndim < 3:
        return Column(name, natural, missing, array.dtype)
    return _from_stack(name, natural, missing, array.dtype)


def _first(array: np.ndarray, missing: np.ndarray) -> Any:
    """Return the first label that is there."""
    return None if missing.all() else array[np.argmin(missing)]


def _from_rows(name: str, array: np.ndarray, missing: np.ndarray) -> PositionColumn:
    """Return a column of rows that are lists or arrays, one label for each position."""
    other = next((row for row in array[~missing] if not is_row(row)), None)
    if other is not None:
        raise _nested(name, f"a {type(other).__name__} among lists or arrays")
    rows = [_labels_of_row(row) for row in array[~missing]]
    shapes = {row.shape for row in rows}
    if any(len(shape) > 1 for shape in shapes):
        return _from_images(name, rows, shapes, missing)
    lengths = np.full(len(array), -1, dtype=np.intp)
    lengths[~missing] = [len(row) for row in rows]
    if (lengths == 0).any():
        raise ValueError(
            f"A row of task {shown(name)} must have at least one label, or None for it. Found none in row "
            f"{int(np.argmax(lengths == 0))}."
        )
    # numpy would make text of numbers that are next to text.
    of_numbers = all(row.dtype.kind in "biuf" for row in rows)
    flat = np.concatenate([row if of_numbers else row.astype(object) for row in rows])
    gaps = np.asarray(pd.isna(flat))
    natural = _natural(name, flat, gaps)
    _refuse_complex(name, natural, gaps)
    _refuse_infinite(name, natural)
    values, gone = padded(natural, lengths, natural.dtype.type(0)), padded(gaps, lengths, True)
    return PositionColumn(name, values, gone, natural.dtype, values.shape[1:], lengths, ragged=True)


def _labels_of_row(row: Any) -> np.ndarray:
    """Return the labels of one row as an array of numpy, objects where some are missing among integers."""
    found = as_array(row)
    if isinstance(found, np.ndarray):
        return found
    is_whole = getattr(found.dtype, "kind", "O") in "biuf" and not found.isna().any()
    return found.to_numpy(dtype=found.dtype.numpy_dtype) if is_whole else np.asarray(found, dtype=object)


def _from_images(
    name: str, rows: list[np.ndarray], shapes: set[tuple[int, ...]], missing: np.ndarray
) -> PositionColumn:
    if len(shapes) > 1:
        raise ValueError(
            f"The labels of task {shown(name)} must be of one shape where they have two axes. Found "
            f"{shown(sorted(shapes)[:5])}."
        )
    stack = np.empty((len(missing), *shapes.pop()), dtype=object)
    stack[~missing] = np.stack(rows)
    gaps = np.asarray(pd.isna(stack))
    natural = _natural(name, stack, gaps)
    return _from_stack(name, natural, gaps, natural.dtype)


def _from_stack(name: str, values: np.ndarray, missing: np.ndarray, dtype: Any) -> PositionColumn:
    """Return a column of images of labels."""
    flat, gaps = values.reshape(len(values), -1), missing.reshape(len(values), -1)
    lengths = np.where(gaps.all(axis=1), -1, flat.shape[1])
    return PositionColumn(name, flat, gaps, dtype, values.shape[1:], lengths, ragged=False)


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
    """Refuse what polars has as several values by name; an Array is a block, and a List has positions."""
    dtype = getattr(values, "dtype", None)
    kind = type(dtype).__name__
    if kind not in ("Array", "List") and getattr(dtype, "is_nested", bool)():
        raise _nested(name, f"a polars {kind}")


def _nested(name: str, found: str) -> ValueError:
    return ValueError(
        "Labels must be one value for each row, an array of shape (n_rows, n_outputs), or a list or array of "
        f"labels for each row. Found {found} in task {shown(name)}."
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
