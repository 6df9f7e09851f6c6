"""A table that is too large for memory, whose rows are read by row groups when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sklearn_mtl.features.arrow_rows import ArrowRows


class StreamedTable:
    """Rows of a table that are read, and checked, when they are asked for.

    Parameters
    ----------
    rows : ArrowRows
        The rows.
    check : callable
        Takes the name and the values of a column, and raises a ``ValueError`` if they are none to learn from.
    """

    is_streamed = True
    ndim = 2

    def __init__(self, rows: ArrowRows, check: Callable[[Any, pd.Series], None]) -> None:
        self._source = rows
        self._check = check
        self.shape = rows.shape
        self.buffer_size = rows.buffer_size

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    @property
    def groups(self) -> np.ndarray:
        """The number of the row group that each row is in."""
        return self._source.groups

    def columns(self, positions: Iterable[int]) -> StreamedTable:
        """Return the rows of some columns.

        Parameters
        ----------
        positions : iterable of int
            The columns.
        """
        names = [self._source.columns[position] for position in positions]
        return StreamedTable(self._source[names], self._check)

    def __getitem__(self, rows: slice | np.ndarray) -> pd.DataFrame:
        """Read rows into memory."""
        found = self._source.read(rows)
        for name, column in found.items():
            self._check(name, column)
        return found


def streamed_table(
    estimator: BaseEstimator, X: ArrowRows, check: Callable[[Any, pd.Series], None], *, reset: bool
) -> StreamedTable:
    """Return the rows of X, of which none is read; its columns are recorded, or compared.

    Parameters
    ----------
    estimator : BaseEstimator
        The number and names of the features are recorded on it.
    X : ArrowRows
        The rows.
    check : callable
        As in `StreamedTable`.
    reset : bool
        Whether to record (in ``fit``) or to compare (in ``predict``).
    """
    rows = StreamedTable(X, check)
    validate_data(estimator, rows[slice(0)], reset=reset, skip_check_array=True)
    return rows
