"""What all encoders of X have in common: they are fitted, and make blocks of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import copy
from typing import Any, Self

import numpy as np

from sklearn_mtl.features.sparse import SparseRows
from sklearn_mtl.features.spec import FeatureSpec
from sklearn_mtl.features.table import take_rows

# So many rows are enough to find the quantiles, the levels and what the columns hold.
ROWS_FOR_STATISTICS = 100_000


class Encoder(ABC):
    """From X as it was read to the blocks of the network.

    Every row is encoded by itself: what comes out for a row does not depend on the others, but for how far
    sequences are filled up.

    Parameters
    ----------
    preprocessing : object
        As the user gave it.
    dtype : {numpy.float32, numpy.float64}
        The dtype of the blocks of numbers.

    Attributes
    ----------
    spec : FeatureSpec
        After ``fit``: the blocks.
    """

    spec: FeatureSpec

    def __init__(self, preprocessing: Any, dtype: type[np.floating] = np.float32) -> None:
        self.preprocessing = preprocessing
        self.dtype = dtype

    def in_dtype(self, dtype: type[np.floating]) -> Self:
        """Return the encoder, fitted as it is, with blocks of another dtype."""
        found = copy(self)
        found.dtype = dtype
        return found

    @property
    @abstractmethod
    def accepted(self) -> Any:
        """What reads X once the encoder is fitted: an `AcceptedInput`."""

    @abstractmethod
    def fit(
        self,
        X: Any,
        sample_weight: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        y: np.ndarray | None = None,
    ) -> Self:
        """Fit to rows; those of weight 0 are as if they were not there.

        Parameters
        ----------
        X : object
            X as it was read.
        sample_weight : ndarray of shape (n_rows,), optional
            Weights of the rows.
        rows : ndarray of int of shape (n_rows,), optional
            Positions of the rows to fit on; all of X by default.
        y : ndarray of shape (n_rows,) or (n_rows, n_columns), optional
            Labels of the rows as numbers, for a transformer whose ``fit`` takes them.
        """

    @abstractmethod
    def transform(self, X: Any, rows: np.ndarray | slice | None = None) -> dict[str, Any]:
        """Encode X.

        Parameters
        ----------
        X : object
            X as it was read.
        rows : slice or ndarray of int of shape (n_rows,), optional
            The rows to encode; all of X by default.

        Returns
        -------
        dict of str to ndarray or SparseRows
            For each block of `spec` an array of shape ``(n_rows, *block.shape)``.
        """

    def look_over(self, X: Any) -> None:
        """Warn of rows that are unlike those of ``fit``, or refuse them, before they are encoded in parts.

        Parameters
        ----------
        X : object
            X as it was read.
        """
        return

    def encodes_when_read(self, X: Any) -> bool:
        """Whether rows are to be encoded when they are read, not all of X at once.

        Parameters
        ----------
        X : object
            X as it was read.
        """
        return True

    def rows_at_once(self, X: Any) -> int:
        """Return how many rows of X are best encoded together; 1 where it makes no difference.

        Parameters
        ----------
        X : object
            X as it was read.
        """
        return 1


def spaced(places: np.ndarray, most: int) -> np.ndarray:
    """Return evenly spaced ones of some places: all where there are no more than ``most``.

    Parameters
    ----------
    places : ndarray of int
        Positions of rows.
    most : int
        The greatest number to return.
    """
    return places[:: max(1, -(-len(places) // most))]


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
