"""Rows of X that are encoded when they are read."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_mtl.features.encoding import Encoder
from sklearn_mtl.features.ragged import RaggedRows
from sklearn_mtl.features.sparse import SparseRows


class EncodedRows:
    """Rows of X, encoded when they are read, so that X is never encoded in memory as a whole.

    With a user's own preprocessing, X is encoded at once: it might do something else to parts of X. What is
    sparse is encoded at once too, and made dense when it is read.

    Parameters
    ----------
    encoder : Encoder
        A fitted encoder.
    X : object
        X as it was read.
    rows : ndarray of int, optional
        Positions of the rows; all of X by default.
    at_once : bool, default=False
        Whether to encode X at once all the same, for rows that are read again and again; what is streamed
        might not fit into memory, and never is.
    check : callable, optional
        Raises an error if X holds numbers that are not finite. It is called where some are read, so that
        many rows need not be looked at before; by default it is known that there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.features import FeatureEncoder
    >>> X = np.array([[1.0], [3.0], [2.0]])
    >>> EncodedRows(FeatureEncoder(None).fit(X), X).read(np.array([2, 0]))
    {'x': array([[2.],
           [1.]], dtype=float32)}
    """

    def __init__(
        self,
        encoder: Encoder,
        X: Any,
        rows: np.ndarray | None = None,
        *,
        at_once: bool = False,
        check: Callable[[], Any] | None = None,
    ) -> None:
        # Here, at all rows together, since they are encoded in parts.
        encoder.look_over(X)
        self._encoder = encoder
        self._X = X
        self._rows = rows
        self.check = check
        self._encoded: dict[str, np.ndarray | SparseRows] | None = None
        at_once = at_once and not getattr(X, "is_streamed", False)
        if at_once or not encoder.encodes_when_read(X):
            self._encoded = self._checked(encoder.transform(X, rows))
            self.check = None

    def unchecked(self) -> EncodedRows:
        """Return these rows for a caller that looks itself whether numbers are finite."""
        other = copy(self)
        other.check = None
        return other

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._X if self._rows is None else self._rows)

    @property
    def is_streamed(self) -> bool:
        """Whether the rows are not in memory as they are read, so that there is something to wait for."""
        kept = [self._X] if self._encoded is None else self._encoded.values()
        return any(getattr(rows, "is_streamed", False) for rows in kept)

    @property
    def at_once(self) -> int:
        """How many rows are best read together; 1 where it makes no difference, or where reading waits."""
        return 1 if self._encoded is not None or self.is_streamed else self._encoder.rows_at_once(self._X)

    @property
    def groups(self) -> np.ndarray | None:
        """The number of the row group that each row is read with; None where rows are read one by one."""
        groups: np.ndarray | None = getattr(self._X, "groups", None)
        return groups if groups is None or self._rows is None else groups[self._rows]

    @property
    def buffer_size(self) -> int:
        """How many rows of row groups are mixed."""
        return getattr(self._X, "buffer_size", 0)

    def read(self, rows: slice | np.ndarray) -> dict[str, np.ndarray]:
        """Return the blocks of some rows, which may be views of X where there is nothing to encode.

        Parameters
        ----------
        rows : slice or ndarray of int
            Positions among these rows.
        """
        if self._encoded is not None:
            return {name: block[rows] for name, block in self._encoded.items()}
        encoded = self._encoder.transform(self._X, rows if self._rows is None else self._rows[rows])
        return {name: block[:] for name, block in self._checked(encoded).items()}

    def kept(self, name: str) -> np.ndarray | None:
        """Return a block of numbers of all rows, such as their lengths; None where they are not in memory.

        Parameters
        ----------
        name : str
            The block, which is not filled up.
        """
        if self._encoded is None and self.is_streamed and not isinstance(self._X, RaggedRows):
            return None
        encoded: Any = self._encoded
        if encoded is None:
            encoded = self._checked(self._encoder.transform(self._X, self._rows))
        found: np.ndarray = encoded[name]
        return found

    def _checked(self, encoded: dict[str, Any]) -> dict[str, Any]:
        if self.check is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                if not all(np.isfinite(block.sum()) for block in encoded.values()):
                    self.check()
        return encoded


@dataclass(eq=False)
class SharedRows:
    """Rows that several estimators with one encoder predict for: the first of them encodes the rows.

    Parameters
    ----------
    X : object
        X as a user gives it; it is recognised by being the same object.
    encoded : EncodedRows, optional
        The rows, once the first estimator has encoded them.
    """

    X: Any
    encoded: EncodedRows | None = None
