"""From y to named columns, and from predictions back to the container of y."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.utils import check_array, column_or_1d

from sklearn_mtl.messages import shown
from sklearn_mtl.targets.column import (
    Column,
    as_array,
    check_lengths,
    frame_columns,
    integer_names,
    is_frame,
)
from sklearn_mtl.targets.container import MultiTaskTarget
from sklearn_mtl.targets.dtypes import pack_dtype, unpack_dtype
from sklearn_mtl.targets.labels import read_column

# What only a polars Series, a sparse matrix and a tensor have.
OF_NO_ARRAY = ("null_count", "toarray", "detach")


@dataclass(frozen=True)
class Layout:
    """The container of y, into which predictions go back.

    Parameters
    ----------
    kind : {"mapping", "pandas", "polars", "1d", "2d"}
        A mapping, a DataFrame of pandas or polars, or an array of one or two dimensions.
    schema : mapping of str to polars data type, or None
        The data types of the columns of a polars frame.
    integers : tuple of str
        The tasks of a pandas frame whose columns had integers for names.
    """

    kind: Literal["mapping", "pandas", "polars", "1d", "2d"]
    schema: Mapping[str, Any] | None = None
    integers: tuple[str, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickling, with dtypes as plain words, which any version reads."""
        schema = self.schema
        packed = schema and {name: pack_dtype(dtype, f"task {name!r}") for name, dtype in schema.items()}
        return {"kind": self.kind, "schema": packed, "integers": self.integers}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a pickled state over."""
        packed = state["schema"]
        schema = None if packed is None else {name: unpack_dtype(dtype) for name, dtype in packed.items()}
        self.__dict__.update(kind=state["kind"], schema=schema, integers=state.get("integers", ()))

    def restore(self, predictions: Mapping[str, Any], index: Any = None) -> Any:
        """Return predictions in the container of y.

        Parameters
        ----------
        predictions : mapping of str to array of shape (n_rows,) or (n_rows, n_outputs)
            The predictions of each task, in the dtype of its labels.
        index : pandas.Index, optional
            The index for a pandas frame.
        """
        if self.kind == "mapping":
            return MultiTaskTarget(predictions)
        if self.kind == "pandas":
            frame = MultiTaskTarget(predictions).to_frame(index)
            if not self.integers:
                return frame
            return frame.rename(columns={name: int(name) for name in self.integers})
        if self.kind == "polars":
            return _polars_frame(predictions, self.schema or {})
        if self.kind == "1d":
            return np.asarray(next(iter(predictions.values())))
        return _stacked(list(predictions.values()))

    def restore_blocks(self, blocks: Mapping[str, np.ndarray]) -> Any:
        """Return arrays of several columns for each task as a `MultiTaskTarget`, one array, or a list.

        Parameters
        ----------
        blocks : mapping of str to ndarray of shape (n_rows, ...)
            One array for each task, such as its probabilities.
        """
        if self.kind == "1d":
            return next(iter(blocks.values()))
        return list(blocks.values()) if self.kind == "2d" else MultiTaskTarget(blocks)

    def restore_classes(self, classes: Mapping[str, Any]) -> Any:
        """Return the classes of each task as a dict, one array, or a list.

        Parameters
        ----------
        classes : mapping of str to ndarray or list of ndarray
            The classes of each task.
        """
        if self.kind == "1d":
            return next(iter(classes.values()))
        return list(classes.values()) if self.kind == "2d" else dict(classes)


@dataclass(frozen=True)
class Targets:
    """All of y: the labels of each task, and the container they came in.

    Parameters
    ----------
    columns : dict of str to Column
        The labels of each task, in the order of y.
    layout : Layout
        The container of y.
    """

    columns: dict[str, Column]
    layout: Layout


def read_targets(y: Any, n_rows: int | None = None) -> Targets:
    """Read y as a column of labels for each task.

    Parameters
    ----------
    y : mapping, DataFrame of pandas or polars, or array-like of shape (n_rows,) or (n_rows, n_tasks)
        A one-dimensional array is the task y, also one of lists or arrays, and so is one of three dimensions;
        a two-dimensional one has the tasks y0, y1, …. Columns named by integers are named by their text.
    n_rows : int, optional
        Number of rows of X, which y must have too.

    Returns
    -------
    Targets

    Raises
    ------
    TypeError
        If a task name is no string.
    ValueError
        If y is empty, sparse, complex or infinite, if lengths differ, if a name holds ``__``, or if a
        one-dimensional array has a missing label.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.targets import read_targets
    >>> targets = read_targets({"price": [1.0, np.nan], "type": ["flat", None]})
    >>> targets.columns["type"].missing
    array([False,  True])
    >>> targets.layout.kind
    'mapping'
    """
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None.")
    if isinstance(y, Mapping):
        layout, data = Layout("mapping"), dict(y)
    elif isinstance(y := _in_memory(y), pd.DataFrame):
        layout, data = Layout("pandas", integers=integer_names(y)), frame_columns(y)
    elif is_frame(y):
        layout, data = Layout("polars", dict(y.schema)), frame_columns(y)
    else:
        _refuse_list_of_tasks(y, n_rows)
        layout, data = _from_array(y)
    _check_names(list(data))
    columns = {name: read_column(name, values) for name, values in data.items()}
    check_lengths({name: len(column) for name, column in columns.items()}, n_rows)
    if len(next(iter(columns.values()))) == 0:
        raise ValueError("y must have at least one row. Found 0.")
    if layout.kind == "1d":
        _refuse_gaps(columns["y"])
    return Targets(columns, layout)


def _in_memory(y: Any) -> Any:
    """Return tables of Arrow, and rows that are read from such files, as a frame; anything else as it is."""
    is_table = hasattr(y, "to_pandas") and len(getattr(y, "shape", ())) == 2
    return y.to_pandas() if is_table and not is_frame(y) else y


def _from_array(y: Any) -> tuple[Layout, dict[str, Any]]:
    if isinstance(y, pd.Series) and isinstance(y.dtype, pd.api.extensions.ExtensionDtype):
        return Layout("1d"), {"y": y}
    if isinstance(y, list | tuple | np.ma.MaskedArray) or any(hasattr(y, of) for of in OF_NO_ARRAY):
        # numpy would make the text "nan" of a missing value among strings, and labels of masked ones.
        y = as_array(y)
    array = check_array(
        y,
        dtype=None,
        ensure_2d=False,
        allow_nd=True,
        ensure_all_finite=False,
        ensure_min_samples=0,
        input_name="y",
    )
    if array.ndim == 2 and array.shape[1] == 1:
        array = column_or_1d(array, warn=True)
    if array.ndim in (1, 3):
        return Layout("1d"), {"y": array}
    if array.ndim != 2:
        raise ValueError(f"y must have one, two or three dimensions. Found an array of shape {array.shape}.")
    # In Fortran order, so that the labels of each task lie together.
    return Layout("2d"), {f"y{i}": labels for i, labels in enumerate(np.asfortranarray(array).T)}


def _check_names(names: list[Any]) -> None:
    if not names:
        raise ValueError("y must have at least one task. Found none.")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"Task names must be strings. Found {shown(name)} of type {type(name).__name__}.")
        if "__" in name:
            raise ValueError(
                f"Task names must not hold '__', which separates parameters. Found {shown(name)}."
            )


def _refuse_list_of_tasks(y: Any, n_rows: int | None) -> None:
    """Raise a ``ValueError`` for a list of one array a task, since lists are read as rows."""
    if not isinstance(y, list | tuple) or n_rows in (None, len(y)):
        return
    arrays = [part for part in y if hasattr(part, "__len__") and not isinstance(part, str | bytes)]
    if y and len(arrays) == len(y) and all(len(labels) == n_rows for labels in arrays):
        raise ValueError(
            f"y must hold the labels of one row of X in each of its {n_rows} rows. Found a "
            f"{type(y).__name__} of {len(y)} arrays of {n_rows} labels each; labels task by task are a "
            "mapping from names to arrays, such as {'price': y[0], 'type': y[1]}."
        )


def _refuse_gaps(column: Column) -> None:
    gaps = np.logical_not(column.has_label)
    if gaps.any():
        raise ValueError(
            f"Input y contains NaN: {int(gaps.sum())} of {len(column)} labels. In an array of one "
            "dimension a label can't be missing; drop those rows, or pass y as a mapping or DataFrame."
        )


def _stacked(predictions: list[Any]) -> np.ndarray:
    arrays = [np.asarray(values) for values in predictions]
    text = {array.dtype.kind in "US" for array in arrays}
    objects = len(text) > 1 or any(array.dtype == object for array in arrays)
    dtype = object if objects else np.result_type(*arrays)
    return np.column_stack([array.astype(dtype, copy=False) for array in arrays])


def _polars_frame(predictions: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    polars = importlib.import_module("polars")
    series = []
    for name, values in predictions.items():
        # Regressions come back as floats whatever they went in as.
        is_float = isinstance(values, np.ndarray) and values.dtype.kind == "f"
        dtype = None if is_float else schema[name]
        series.append(polars.Series(name, np.asarray(values).tolist() if dtype else values, dtype=dtype))
    return polars.DataFrame(series)
