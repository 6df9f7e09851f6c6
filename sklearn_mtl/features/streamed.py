"""X that is too large for memory, whose rows are read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
from sklearn.utils import check_array
from torch.utils.data import Dataset, IterableDataset

from sklearn_mtl.features.rows_of_values import floats_for, naming_row, of_tensor
from sklearn_mtl.messages import shown


class StreamedRows:
    """Rows of numbers that are read, and checked, when they are asked for.

    Parameters
    ----------
    fetch : callable
        Takes positions, an array of integers or a slice, and returns an array of those rows.
    shape : tuple of int
        Number of rows, and the shape of each row.
    check : callable
        Takes an array of rows and returns them as the encoder takes them, or raises a ``ValueError``.
    """

    is_streamed = True

    def __init__(
        self,
        fetch: Callable[[Any], np.ndarray],
        shape: tuple[int, ...],
        check: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self._fetch = fetch
        self._check = check
        self.shape = shape

    @property
    def ndim(self) -> int:
        """Number of axes, that of the rows included."""
        return len(self.shape)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Read rows into memory."""
        found = self._fetch(rows)
        of_rows = range(len(self))[rows] if isinstance(rows, slice) else rows
        with naming_row(found, of_rows) if found.ndim > 2 else nullcontext():
            return self._check(found)


def streamed_rows(
    X: np.memmap | Dataset, *, allow_nan: bool, dtype: type[np.floating] | None = None
) -> StreamedRows:
    """Return the rows of X, of which none but the first is read.

    Parameters
    ----------
    X : memmap or Dataset
        A dataset must have ``__len__``, and a ``__getitem__`` that returns the features of one row.
    allow_nan : bool
        Whether a table may have missing values.
    dtype : {numpy.float32, numpy.float64}, optional
        The dtype in which rows of more than one dimension are returned. By default it is that which holds
        their numbers as they are.
    """
    fetch = _from_memmap(X) if isinstance(X, np.memmap) else _from_dataset(X)
    row_shape = X.shape[1:] if isinstance(X, np.memmap) else fetch(np.arange(1)).shape[1:]
    many = len(row_shape) > 1

    def check(rows: np.ndarray) -> np.ndarray:
        checked: np.ndarray = check_array(
            rows,
            dtype=(dtype or floats_for(rows)) if many else [np.float64, np.float32],
            ensure_all_finite="allow-nan" if allow_nan and not many else True,
            allow_nd=True,
            input_name="X",
        )
        return checked

    return StreamedRows(fetch, (len(X), *row_shape), check)  # type: ignore[arg-type]


def refuse_to_stream(X: Any, *, stream: bool) -> None:
    """Raise a ``TypeError`` where X must be in memory.

    Parameters
    ----------
    X : object
        Rows that are read when they are asked for.
    stream : bool
        Whether what preprocesses them takes such rows.
    """
    if not stream:
        raise TypeError(
            "`X` must be in memory, or a memory map, for a transformer of your own as `preprocessing`, which "
            f"is fitted on all rows at once. Found a {type(X).__name__}; 'auto' and None take one."
        )


def _from_memmap(X: np.memmap) -> Callable[[Any], np.ndarray]:
    # Copied, since a view of the map would be read from disk again, and could not be written to.
    return lambda rows: np.array(X[rows])


def _from_dataset(X: Any) -> Callable[[Any], np.ndarray]:
    if isinstance(X, IterableDataset) or not hasattr(X, "__len__"):
        raise TypeError(
            "`X` must be a Dataset with `__len__` and `__getitem__`, or its rows could not be shuffled. "
            f"Found {type(X).__name__}."
        )
    if not len(X):
        raise ValueError(f"Found array with 0 sample(s): the {type(X).__name__} is empty.")
    several = getattr(X, "__getitems__", None)

    def fetch(rows: slice | np.ndarray) -> np.ndarray:
        positions = range(len(X))[rows] if isinstance(rows, slice) else rows.tolist()
        found = [X[i] for i in positions] if several is None else several(list(positions))
        return _stacked([_as_row(row) for row in found])

    return fetch


def _as_row(row: Any) -> np.ndarray:
    if isinstance(row, tuple | Mapping):
        raise TypeError(
            "A row of the Dataset `X` must be one array or tensor, the features; labels go into `y`. "
            f"Found a {type(row).__name__} of {len(row)}."
        )
    return np.asarray(of_tensor(row))


def _stacked(rows: list[np.ndarray]) -> np.ndarray:
    """Return rows as one array."""
    shapes = sorted({row.shape for row in rows})
    if len(shapes) > 1:
        raise ValueError(
            f"The rows of a Dataset `X` must have one shape. Found {shown(shapes)}; sequences of unequal "
            "lengths are given in a list."
        )
    return np.stack(rows)
