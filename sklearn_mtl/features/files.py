"""Rows that are files, each of which is read when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from torch.utils.data import Dataset

from sklearn_mtl.messages import shown


class Files(Dataset):
    """A list of paths as X: the row that is in a file is read when it is asked for.

    Indexed by one integer it gives the row, an array. A slice, positions or a mask give `Files` of these
    rows, of which none is read, so that splitters and searches split it like an array. Rows of any shape
    will do, such as images, or sequences of one length; all have the same.

    Parameters
    ----------
    paths : sequence of str or path
        At least one. Whatever ``load`` takes may stand for a path. Where this is one of several inputs, None
        or NaN stands for a row that lacks it.
    load : callable, optional
        Takes a path, and returns the row: an array, or what numpy makes an array of, such as an image of
        Pillow. It must return the same each time, and is called from another thread than ``fit``. By default
        it is `numpy.load`, for files whose names end in ``.npy``.

    Attributes
    ----------
    paths : ndarray of object
        The paths.
    shape : tuple of int
        Number of rows, and the shape of a row, for which the first file is read; the number of rows alone
        where none has a path.

    Raises
    ------
    TypeError
        If ``paths`` is no sequence, or ``load`` can't be called.
    ValueError
        If there is no path, or one that ``numpy.load`` does not read where there is no ``load``. While rows
        are read: if a file can't be, or its shape is another than that of the first.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_mtl.features import Files
    >>> with TemporaryDirectory() as folder:
    ...     paths = [Path(folder) / f"{i}.npy" for i in range(4)]
    ...     for i, path in enumerate(paths):
    ...         np.save(path, np.full((3, 8, 8), i))
    ...     X = Files(paths)
    ...     X.shape, len(X[[0, 2]]), X[2].max().item()
    ((4, 3, 8, 8), 2, 2)
    """

    def __init__(self, paths: Sequence[Any], load: Callable[[Any], Any] | None = None) -> None:
        if isinstance(paths, str | bytes | os.PathLike) or not hasattr(paths, "__len__"):
            raise TypeError(f"`paths` of Files must be a sequence of paths. Found {shown(paths)}.")
        if load is not None and not callable(load):
            raise TypeError(
                f"`load` of Files must be None, or take a path and return a row. Found {shown(load)}."
            )
        self.paths = np.empty(len(paths), dtype=object)
        for place, path in enumerate(paths):
            self.paths[place] = path
        if not len(self.paths):
            raise ValueError("`paths` of Files must hold at least one path. Found none.")
        self.load = load
        self._row_shape: tuple[int, ...] | None = None
        others = [] if load is not None else [p for p in self.paths[~self.missing] if not _is_npy(p)]
        if others:
            raise ValueError(
                "`load` of Files must be given for files that are not .npy: a function that takes a path and "
                f"returns an array. Found {shown(others[0])}."
            )

    @property
    def missing(self) -> np.ndarray:
        """Which rows have no path."""
        return np.array([np.ndim(path) == 0 and bool(pd.isna(path)) for path in self.paths], dtype=bool)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, and the shape of a row."""
        if self._row_shape is None:
            there = np.flatnonzero(~self.missing)
            if not len(there):
                return (len(self),)
            self._row_shape = self._read(self.paths[there[0]]).shape
        return (len(self), *self._row_shape)

    @property
    def ndim(self) -> int:
        """Number of axes, that of the rows included."""
        return len(self.shape)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.paths)

    def __getitem__(self, rows: Any) -> Any:
        """Return one row, or `Files` of some rows."""
        if isinstance(rows, tuple) and len(rows) == 2 and rows[1] is Ellipsis:
            rows = rows[0]
        if not isinstance(rows, int | np.integer):
            return self._take(rows)
        found, shape = self._read(self.paths[rows]), self.shape[1:]
        if found.shape != shape:
            raise ValueError(
                f"The files of `X` must hold rows of one shape. Found {found.shape} in "
                f"{shown(self.paths[rows])} and {shape} in the first."
            )
        return found

    def _take(self, rows: Any) -> Self:
        if not isinstance(rows, slice):
            rows = np.asarray(rows)
            # An empty list is an array of floats to numpy, which can't index.
            rows = rows if rows.size else rows.astype(np.intp)
        some = type(self).__new__(type(self))
        some.paths, some.load, some._row_shape = self.paths[rows], self.load, self._row_shape
        return some

    def _read(self, path: Any) -> np.ndarray:
        try:
            return np.asarray((self.load or np.load)(path))
        except Exception as error:
            raise ValueError(
                f"The files of `X` must be readable by `load`. Found {type(error).__name__} for "
                f"{shown(path)}: {error}"
            ) from error

    def __repr__(self) -> str:
        """Describe it in a line, for which nothing is read."""
        return f"Files({len(self)} rows, load={self.load!r})"


def _is_npy(path: Any) -> bool:
    return isinstance(path, str | os.PathLike) and str(path).endswith(".npy")
