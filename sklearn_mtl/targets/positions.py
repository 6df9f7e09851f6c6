"""Labels of which a row has one for each of its positions: steps of a sequence, tokens, pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_mtl.messages import shown
from sklearn_mtl.targets.column import Column, rows_as_objects


@dataclass(frozen=True, eq=False)
class PositionColumn(Column):
    """One task's labels, of which a row has one for each of its positions.

    ``values`` and ``missing`` are of shape (n_rows, n_positions): the positions of a row one after the other,
    and after its last one cells that are missing.

    Parameters
    ----------
    axes : tuple of int
        Shape of the labels of a row: ``(steps,)`` of the longest, or ``(height, width)``.
    lengths : ndarray of int, shape (n_rows,)
        How many labels a row was given, missing ones among them; -1 for a row without any.
    ragged : bool
        Whether the labels were given row by row, and not as one array.
    """

    axes: tuple[int, ...]
    lengths: np.ndarray
    ragged: bool

    @property
    def complete(self) -> np.ndarray:
        """Whether each row has all of its labels, ndarray of bool of shape (n_rows,)."""
        n_known = np.logical_not(self.missing).sum(axis=1)
        return (self.lengths >= 0) & (n_known == self.lengths)

    @property
    def given(self) -> np.ndarray:
        """The labels in the shape that they were given in: one array, or an array of objects, one a row."""
        if not self.ragged:
            return self.values.reshape(len(self), *self.axes)
        every = zip(self.values, self.lengths, strict=True)
        return rows_as_objects([row[: max(length, 0)] for row, length in every])

    @property
    def by_position(self) -> Column:
        """The labels of all positions of all rows, one after the other."""
        return Column(self.name, self.values.ravel(), self.missing.ravel(), self.dtype)

    def take(self, rows: np.ndarray | slice) -> PositionColumn:
        """Return the column of the given rows, filled up to the longest of all."""
        taken = {"values": self.values[rows], "missing": self.missing[rows], "lengths": self.lengths[rows]}
        return replace(self, **taken)  # type: ignore[arg-type]


def positions_of(column: Column) -> PositionColumn:
    """Return a column as one of positions: of a block of two dimensions, each column is a position.

    Parameters
    ----------
    column : Column
        Labels of a row for each of its positions.

    Raises
    ------
    ValueError
        If there is one label for each row.
    """
    if isinstance(column, PositionColumn):
        return column
    # Rows of one step each, and rows without labels, look like labels of one dimension.
    if column.values.ndim == 1 and (column.was_block or column.missing.all()):
        return _of_one_position(column)
    if column.values.ndim != 2:
        raise ValueError(
            f"Task {shown(column.name)} needs a label for each position of a row: a list or an array for "
            "each row, or one array of two or more dimensions. "
            f"Found labels of shape {column.values.shape}."
        )
    lengths = np.where(column.has_label, column.values.shape[1], -1)
    held = (column.name, column.values, column.missing, column.dtype)
    return PositionColumn(*held, axes=column.values.shape[1:], lengths=lengths, ragged=False)


def _of_one_position(column: Column) -> PositionColumn:
    held = (column.name, column.values[:, None], column.missing[:, None], column.dtype)
    lengths = np.where(column.missing, -1, 1)
    return PositionColumn(*held, axes=(1,), lengths=lengths, ragged=not column.was_block)


def padded(flat: np.ndarray, lengths: np.ndarray, fill: Any) -> np.ndarray:
    """Return the labels of rows, given one after the other, as a block filled up at the end of rows.

    Parameters
    ----------
    flat : ndarray of shape (sum of lengths,)
        Labels of all rows, one after the other.
    lengths : ndarray of int, shape (n_rows,)
        How many of them each row has; none where it is negative.
    fill : object
        What the rest is filled with.
    """
    n_positions = max(int(lengths.max(initial=0)), 0)
    block = np.full((len(lengths), n_positions), fill, dtype=flat.dtype)
    block[np.arange(n_positions) < lengths[:, None]] = flat
    return block
