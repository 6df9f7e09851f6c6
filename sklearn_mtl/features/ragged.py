"""Rows of unequal lengths, which are filled up when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

# Filled up to the longest of all at once, rows may take so many times as much memory as by themselves: what
# is filled up for each batch takes a little longer to read.
MOST_FILLED = 1.25


class RaggedRows:
    """Rows of unequal lengths one behind the other, which are filled up with zeros when they are asked for.

    Parameters
    ----------
    values : ndarray of shape (n_steps, …)
        The steps of all rows.
    lengths : ndarray of int, shape (n_rows,)
        How many of them each row has.

    Examples
    --------
    >>> rows = RaggedRows.of([np.array([1.0, 2.0]), np.array([3.0]), np.array([4.0])])
    >>> rows[:2]
    array([[1., 2.],
           [3., 0.]])
    >>> rows[np.array([2, 1])]
    array([[4.],
           [3.]])
    """

    def __init__(self, values: np.ndarray, lengths: np.ndarray) -> None:
        self.values = values
        self.lengths = lengths
        self._ends = np.cumsum(lengths)

    @classmethod
    def of(cls, rows: Sequence[np.ndarray]) -> Self:
        """Return the rows of a sequence of at least one array, whose steps are of one shape."""
        return cls(np.concatenate(rows), np.array([len(row) for row in rows], dtype=np.int64))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all rows filled up."""
        return (len(self.lengths), self.longest, *self.values.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes, that of the rows included."""
        return 1 + self.values.ndim

    @property
    def longest(self) -> int:
        """Length of the longest row."""
        return int(self.lengths.max(initial=1))

    @property
    def is_streamed(self) -> bool:
        """Whether rows are best filled up batch by batch, since all at once would take much more memory."""
        return len(self) * self.longest > MOST_FILLED * len(self.values)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lengths)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Return rows as one array, filled up to the longest of them."""
        lengths = self.lengths[rows]
        filled = np.zeros(
            (len(lengths), int(lengths.max(initial=1)), *self.values.shape[1:]), self.values.dtype
        )
        filled[np.arange(filled.shape[1]) < lengths[:, None]] = self.values[self._places(rows)]
        return filled

    def take(self, rows: slice | np.ndarray) -> Self:
        """Return rows as they are, not filled up."""
        return type(self)(self.values[self._places(rows)], self.lengths[rows])

    def astype(self, dtype: Any, *, copy: bool = True) -> Self:
        """Return the rows with numbers of another dtype."""
        return self.with_values(self.values.astype(dtype, copy=copy))

    def with_values(self, values: np.ndarray) -> Self:
        """Return rows of the same lengths with other steps."""
        return type(self)(values, self.lengths)

    def _places(self, rows: slice | np.ndarray) -> Any:
        """Return where the steps of some rows are, row after row."""
        lengths, ends = self.lengths[rows], self._ends[rows]
        if isinstance(rows, slice) and rows.step in (None, 1):
            return slice(int(ends[0] - lengths[0]), int(ends[-1])) if len(ends) else slice(0)
        # Each place is one more than the one before it, but where a row begins.
        before = np.cumsum(lengths) - lengths
        return np.repeat(ends - lengths - before, lengths) + np.arange(int(lengths.sum()))
