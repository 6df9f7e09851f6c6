"""Rows of X that are encoded when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_mtl.features.encoder import FeatureEncoder
from sklearn_mtl.features.streamed import StreamedRows
from sklearn_mtl.features.unfamiliar import warn_of_unfamiliar


class EncodedRows:
    """Rows of X, encoded when they are read, so that X is never encoded in memory as a whole.

    Where the preprocessing is the user's own, X is encoded at once: nobody knows whether it would do the
    same to parts.

    Parameters
    ----------
    encoder : FeatureEncoder
        Fitted.
    X : ndarray, pandas.DataFrame or StreamedRows
        As `read_features` returns it.
    rows : ndarray of int, optional
        Positions of the rows; all of X by default.
    at_once : bool, default=False
        Whether to encode X at once all the same: rows that are read again and again.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0], [3.0], [2.0]])
    >>> EncodedRows(FeatureEncoder(None).fit(X), X).read(np.array([2, 0]))
    {'x': array([[2.],
           [1.]], dtype=float32)}
    """

    def __init__(
        self, encoder: FeatureEncoder, X: Any, rows: np.ndarray | None = None, *, at_once: bool = False
    ) -> None:
        if encoder.is_own and encoder.transformer is not None:
            # Said of all rows at once: they are encoded in parts.
            warn_of_unfamiliar(encoder.transformer, X)
        self._encoder = encoder
        self._X = X
        self._rows = rows
        self._encoded = encoder.transform(X, rows) if at_once or not encoder.is_own else None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._X if self._rows is None else self._rows)

    @property
    def is_streamed(self) -> bool:
        """Whether X is not in memory, so that there is something to wait for."""
        return isinstance(self._X, StreamedRows)

    def read(self, rows: slice | np.ndarray) -> dict[str, np.ndarray]:
        """Return the blocks of some rows, which may be views of X where there is nothing to encode.

        Parameters
        ----------
        rows : slice or ndarray of int
            Which.
        """
        if self._encoded is not None:
            return {name: block[rows] for name, block in self._encoded.items()}
        return self._encoder.transform(self._X, rows if self._rows is None else self._rows[rows])


@dataclass(eq=False)
class SharedRows:
    """Rows that several estimators with one encoder are asked about: the first of them encodes them.

    Parameters
    ----------
    X : object
        As a user gives it. Only this very object is meant.
    encoded : EncodedRows, optional
        What the first estimator made of it.
    """

    X: Any
    encoded: EncodedRows | None = None
