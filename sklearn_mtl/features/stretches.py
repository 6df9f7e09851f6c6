"""Rows that are encoded a stretch at a time, to save memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_mtl.features.sparse import SparseRows
from sklearn_mtl.features.table import take_rows


def in_stretches(
    X: Any, rows: np.ndarray | None, at_once: int | None, encode: Callable[[Any], np.ndarray | SparseRows]
) -> np.ndarray | SparseRows:
    """Return rows encoded.

    Parameters
    ----------
    X : ndarray, pandas.DataFrame, StreamedRows or SparseRows
        X as `read_features` returns it.
    rows : ndarray of int of shape (n_rows,), optional
        The rows to encode; all of X by default.
    at_once : int or None
        How many rows to encode at a time; None for all.
    encode : callable
        Encodes rows, each by itself.
    """
    n_rows = len(X) if rows is None else len(rows)
    if at_once is None or n_rows <= at_once:
        return encode(X if rows is None else take_rows(X, rows))
    encoded: Any = None
    for start in range(0, n_rows, at_once):
        stretch = slice(start, start + at_once)
        part: Any = encode(take_rows(X, stretch if rows is None else rows[stretch]))
        if encoded is None:
            encoded = np.empty((n_rows, *part.shape[1:]), part.dtype)
        encoded[stretch] = part
    found: np.ndarray = encoded
    return found
