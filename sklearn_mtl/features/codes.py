"""Codes of the columns of a table that have more levels than columns of 0 and 1 tell apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from sklearn_mtl.features.kinds import as_texts
from sklearn_mtl.features.row_groups import by_group
from sklearn_mtl.features.streamed_table import StreamedTable
from sklearn_mtl.features.table import MOST_LEVELS, RAREST_LEVEL, take_rows

# Levels that were rare in the rows of `fit`, or not there, and missing values; then the other levels.
RARE, MISSING, N_OTHERS = 0, 1, 2


@dataclass(frozen=True, eq=False)
class LevelCodes:
    """The codes of the levels of some columns.

    Code 0 is any level that was rare, or not there, in the rows that were fitted; 1 is a missing value.
    What a network learns of the rare levels is so what it knows of one that it has never met.

    Parameters
    ----------
    columns : tuple of int
        Positions of the columns in X.
    levels : tuple of ndarray of str
        The levels of each, sorted, from code 2 on.

    Examples
    --------
    >>> codes = LevelCodes((0,), (np.array(["u1", "u2"], dtype=object),))
    >>> codes.of(pd.DataFrame({"user": ["u2", None, "u7", "u1"]})).ravel().tolist()
    [3, 1, 0, 2]
    """

    columns: tuple[int, ...]
    levels: tuple[np.ndarray, ...]

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of codes of each column."""
        return tuple(len(levels) + N_OTHERS for levels in self.levels)

    @cached_property
    def _places(self) -> tuple[pd.Index, ...]:
        """The levels as what is fast to look into."""
        return tuple(pd.Index(levels, dtype=object) for levels in self.levels)

    def of(self, X: np.ndarray | pd.DataFrame, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return the codes of rows of X, an array of int64 of shape (n_rows, n_columns).

        Parameters
        ----------
        X : ndarray or DataFrame
            A table as `read_features` returns it.
        rows : ndarray of int, or slice
            The rows; all of X by default.
        """
        return np.column_stack(
            [
                _codes_among(levels, texts_of(X, column, rows))
                for column, levels in zip(self.columns, self._places, strict=True)
            ]
        )


def _codes_among(levels: pd.Index, texts: np.ndarray) -> np.ndarray:
    places = levels.get_indexer(pd.Index(texts, dtype=object))
    return np.where(places >= 0, places + N_OTHERS, np.where(pd.isna(texts), MISSING, RARE))


def level_codes(
    X: np.ndarray | pd.DataFrame | StreamedTable, rows: np.ndarray | slice, columns: Sequence[int]
) -> LevelCodes | None:
    """Return the codes of the columns that have many levels; None where none has.

    Those are the columns with more than 50 levels that occur at least 5 times. Unlike all else that is found
    in ``fit``, they are counted in all rows: a sample of a table of 100,000 levels has most of them once.

    Parameters
    ----------
    X : ndarray, DataFrame or StreamedTable
        The table; one that is streamed is read once for each of the columns.
    rows : ndarray of int, or slice
        The rows to fit on.
    columns : sequence of int
        The columns that may have many levels.
    """
    found = {
        column: levels
        for column in columns
        if len(levels := _frequent(parts_of(X, column, rows))) > MOST_LEVELS
    }
    return LevelCodes(tuple(found), tuple(found.values())) if found else None


def texts_of(X: np.ndarray | pd.DataFrame, column: int, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Return the values of a column as text, missing ones as None."""
    values = X.iloc[:, column] if isinstance(X, pd.DataFrame) else pd.Series(X[:, column]).infer_objects()
    return as_texts(take_rows(values, rows))


def parts_of(
    X: np.ndarray | pd.DataFrame | StreamedTable, column: int, rows: np.ndarray | slice
) -> Iterator[np.ndarray]:
    """Iterate over the values of a column as text: all at once, or by row groups where they are read so.

    Parameters
    ----------
    X : ndarray, DataFrame or StreamedTable
        The table.
    column : int
        Position of the column.
    rows : ndarray of int, or slice
        The rows.
    """
    if not isinstance(X, StreamedTable):
        yield texts_of(X, column, rows)
        return
    values, places = X.columns([column]), np.arange(len(X))[rows]
    for _, chosen in by_group(X.groups[places]):
        yield texts_of(values[places[chosen]], 0)


def _frequent(parts: Iterable[np.ndarray]) -> np.ndarray:
    counts: Counter[str] = Counter()
    for texts in parts:
        codes, distinct = pd.factorize(texts)
        of_part = np.bincount(codes[codes >= 0], minlength=len(distinct))
        counts.update(dict(zip(distinct, of_part.tolist(), strict=True)))
    return np.sort(np.array([text for text, count in counts.items() if count >= RAREST_LEVEL], dtype=object))
