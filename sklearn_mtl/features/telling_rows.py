"""The few rows of a streamed table that tell which of its columns hold nothing but 0 and 1."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sklearn_mtl.features.kinds import holds_bits
from sklearn_mtl.features.row_groups import by_group
from sklearn_mtl.features.streamed_table import StreamedTable
from sklearn_mtl.features.table import refuse_other_than_numbers, to_numbers


def telling_rows(X: StreamedTable, rows: np.ndarray, dtype: type[np.floating]) -> pd.DataFrame:
    """Return some of the rows of a table of numbers, which tell its columns of 0 and 1 as all of them do.

    These are the rows of one row group, and for each column that has nothing but 0 and 1 there, a row that
    has something else. Of most tables one row group is read, and not all.

    Parameters
    ----------
    X : StreamedTable
        The table.
    rows : ndarray of int
        Positions of the rows, at least one.
    dtype : {numpy.float32, numpy.float64}
        The dtype in which numbers are looked at.

    Raises
    ------
    ValueError
        If columns hold neither numbers nor booleans.
    """
    (_, chosen), *others = by_group(X.groups[rows])
    found = X[rows[chosen]]
    refuse_other_than_numbers(found)
    undecided = np.flatnonzero(holds_bits(_in_dtype(found, dtype)))
    more: list[int] = []
    for _, chosen in others:
        if not len(undecided):
            break
        values = _in_dtype(X.columns(undecided)[rows[chosen]], dtype)
        is_bit = holds_bits(values)
        more += [rows[chosen[_first_beyond(column)]] for column in values[:, ~is_bit].T]
        undecided = undecided[is_bit]
    return pd.concat([found, X[np.unique(more)]], ignore_index=True) if more else found


def _in_dtype(X: pd.DataFrame, dtype: type[np.floating]) -> np.ndarray:
    with np.errstate(over="ignore"):
        return to_numbers(X).astype(dtype)


def _first_beyond(column: np.ndarray) -> int:
    """Return where a column first has something else than 0 and 1."""
    return int(np.argmin(holds_bits(column[None])))
