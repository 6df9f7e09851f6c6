"""Rows of Parquet and Arrow files, which are read a row group at a time when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from sklearn_mtl.features.arrow_files import opened
from sklearn_mtl.features.row_groups import RowGroups
from sklearn_mtl.messages import shown

# 30 columns of so many rows take 31 MB in single precision.
BUFFER_SIZE = 2**18


class ArrowRows:
    """Columns of Parquet or Arrow files as X or y, whose rows are read when they are asked for.

    Indexed by a list of names it gives these columns; by a slice, positions or a mask, these rows. Nothing is
    read for it, so features and labels are told apart, and folds are made, as of a DataFrame. Needs pyarrow:
    ``pip install "sklearn-mtl[arrow]"``.

    As X, of no more rows than ``buffer_size``, it is read into memory. Of more rows, ``fit`` reads a row
    group at a time, in another order in each epoch, and mixes the rows of so many groups as the buffer holds.
    As y it is read into memory whole: labels are needed all along.

    Parameters
    ----------
    source : str, path, list of these, or pyarrow.dataset.Dataset
        Parquet files, or Arrow files, whose names end in ``.arrow`` or ``.feather``. Of a folder, and the
        folders in it, files that end so or in ``.parquet`` are read, where there are any, and all others left
        out; names such as ``year=2024`` of folders are the values of a column. A column that some files lack
        is missing there. Anything else is a `pyarrow.dataset.dataset`; one that is filtered is refused.
    columns : sequence of str, optional
        The columns, in this order; all by default, but for an index that pandas has written.
    buffer_size : int, default=262144
        Rows that are mixed, and which ``fit`` has in memory, encoded, beside two row groups.

    Attributes
    ----------
    columns : list of str
        The names of the columns.
    shape : tuple of int
        Number of rows and of columns.

    Raises
    ------
    ImportError
        If pyarrow is not there.
    TypeError
        If what it is indexed by is neither names nor rows.
    ValueError
        If it has no rows, if files are of other formats or can't be one table, if ``columns`` names one that
        is not there, or if ``buffer_size`` is not positive; when rows are read, if a file was changed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pyarrow as pa  # doctest: +SKIP
    >>> import pyarrow.parquet as pq  # doctest: +SKIP
    >>> with TemporaryDirectory() as folder:  # doctest: +SKIP
    ...     table = pa.table({"area": [50.0, 80.0, 65.0], "price": [1.0, 2.0, 1.5]})
    ...     pq.write_table(table, Path(folder) / "houses.parquet")
    ...     houses = ArrowRows(folder)
    ...     houses.shape, houses[["area"]][1:].to_pandas()["area"].tolist()
    ((3, 2), [80.0, 65.0])
    """

    ndim = 2

    def __init__(
        self, source: Any, columns: Sequence[str] | None = None, *, buffer_size: int = BUFFER_SIZE
    ) -> None:
        _check_number("buffer_size", buffer_size)
        self._groups = RowGroups(opened(source))
        self.buffer_size = int(buffer_size)
        self._rows: np.ndarray | None = None
        every = [name for name in self._groups.names if not name.startswith("__index_level_")]
        self.columns = every if columns is None else self._known(columns, every)
        if not len(self):
            raise ValueError("`source` of ArrowRows must hold at least one row. Found none.")

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return len(self), len(self.columns)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._groups.n_rows if self._rows is None else len(self._rows)

    def __getitem__(self, key: Any) -> Self:
        """Return some columns, for a list of names, or some rows."""
        if isinstance(key, tuple) and len(key) == 2 and key[1] in (Ellipsis, slice(None)):
            key = key[0]
        if isinstance(key, slice):
            return self._like(rows=np.arange(len(self))[key])
        chosen = np.asarray(key)
        if (chosen.ndim == 1 and chosen.dtype.kind in "iub") or chosen.shape == (0,):
            return self._like(rows=np.arange(len(self))[chosen if chosen.size else chosen.astype(np.intp)])
        if isinstance(key, str) or chosen.ndim != 1 or not all(isinstance(name, str) for name in key):
            raise TypeError(
                "ArrowRows are indexed by a list of names of columns, or by rows: a slice, positions or a "
                f"mask. Found {shown(key)}."
            )
        return self._like(columns=self._known(list(key), self.columns))

    def drop(self, columns: Sequence[str]) -> Self:
        """Return all columns but some.

        Parameters
        ----------
        columns : sequence of str
            Their names, such as those of the labels.
        """
        left_out = self._known(columns, self.columns)
        return self._like(columns=[name for name in self.columns if name not in left_out])

    def parts(self, n_rows: int = BUFFER_SIZE) -> Iterator[Self]:
        """Iterate over consecutive rows, to predict for some at a time.

        Parameters
        ----------
        n_rows : int, default=262144
            Rows of each part, but for the last.

        Returns
        -------
        iterator of ArrowRows
            One part after the other.
        """
        _check_number("n_rows", n_rows)
        return (self[start : start + n_rows] for start in range(0, len(self), n_rows))

    def to_pandas(self) -> pd.DataFrame:
        """Return all rows as a frame in memory, numbered from 0."""
        return self.read(slice(None))

    def read(self, rows: slice | np.ndarray) -> pd.DataFrame:
        """Return some rows as a frame in memory, numbered from 0.

        Parameters
        ----------
        rows : slice or ndarray of int
            Positions among these rows.
        """
        return self._groups.read(self._places(rows), self.columns)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Raise a ``TypeError``: what makes an array of its argument would read all rows into memory."""
        raise TypeError(
            "ArrowRows must be given to what reads them by row groups, such as `fit` and `predict` of this "
            "package's estimators. Found a use as an array; `to_pandas()` reads all rows into memory."
        )

    @property
    def groups(self) -> np.ndarray:
        """The number of the row group that each row is in, an array of int32."""
        return self._groups.numbers if self._rows is None else self._groups.of(self._rows)

    def _places(self, rows: slice | np.ndarray) -> np.ndarray:
        """Return where in the files some rows are."""
        if self._rows is not None:
            return self._rows[rows]
        # Not by way of all positions, which may be many more.
        return np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows

    def _like(self, rows: np.ndarray | None = None, columns: list[str] | None = None) -> Self:
        found = type(self).__new__(type(self))
        vars(found).update(vars(self))
        if rows is not None:
            found._rows = rows if self._rows is None else self._rows[rows]
        if columns is not None:
            found.columns = columns
        return found

    @staticmethod
    def _known(columns: Sequence[str], every: list[str]) -> list[str]:
        unknown = [name for name in columns if name not in every]
        if isinstance(columns, str) or unknown or not len(columns):
            raise ValueError(
                "`columns` of ArrowRows must be a list of names of its columns, at least one. Found "
                f"{shown(unknown or columns)}; the columns are {shown(every)}."
            )
        return list(columns)

    def __repr__(self) -> str:
        """Describe it in a line, for which nothing is read."""
        return f"ArrowRows({len(self)} rows, columns={shown(self.columns)})"


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"`{name}` of ArrowRows must be a positive number of rows. Found {shown(value)}.")
