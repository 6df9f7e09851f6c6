"""Several inputs: read one by one, and encoded side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator

from sklearn_mtl.features.files import Files
from sklearn_mtl.features.multi_input import RowsOfList
from sklearn_mtl.messages import shown


@dataclass(frozen=True, eq=False)
class RowsOfInput:
    """Rows of one of several inputs.

    Parameters
    ----------
    X : object
        The rows that have the input, as they were read; None where none has.
    features : mapping of str to object
        The number and the names of its columns, where it has these.
    places : ndarray of int, optional
        Where in ``X`` each row is, -1 for one that lacks the input; None where all rows are there.
    """

    X: Any
    features: Mapping[str, Any]
    places: np.ndarray | None = None

    @cached_property
    def rows(self) -> np.ndarray | None:
        """Which row each one in ``X`` is; None where all rows are there."""
        if self.places is None:
            return None
        found, there = np.arange(len(self.places)), np.flatnonzero(self.places >= 0)
        found[self.places[there]] = there
        return found

    def check_columns(self, name: str, known: Mapping[str, Any]) -> None:
        """Raise a ``ValueError`` if the input has other columns than in ``fit``.

        Parameters
        ----------
        name : str
            The name of the input.
        known : mapping of str to object
            The ``features`` of the input in ``fit``.
        """
        for attribute in ("feature_names_in_", "n_features_in_"):
            before, now = known.get(attribute), self.features.get(attribute)
            if before is not None and now is not None and not np.array_equal(before, now):
                raise ValueError(
                    f"`X[{shown(name)}]` must have the columns of `fit`, {_in_words(before)}. "
                    f"Found {_in_words(now)}."
                )

    def check_there(self, name: str, why: str) -> None:
        """Raise a ``ValueError`` if some row lacks the input.

        Parameters
        ----------
        name : str
            The name of the input.
        why : str
            Why none may.
        """
        if self.places is not None and (lacking := np.flatnonzero(self.places < 0)).size:
            raise ValueError(
                f"`X[{shown(name)}]` must be there in every row, {why}. Found none in row {lacking[0]}."
            )

    def where(self, rows: np.ndarray | slice) -> tuple[Any, np.ndarray | None]:
        """Return where in ``X`` those of some rows are that have the input, and which have it; None for all.

        Parameters
        ----------
        rows : ndarray of int or slice
            The rows.
        """
        if self.places is None:
            return rows, None
        places = self.places[rows]
        return places[places >= 0], places >= 0


class InputReader(Protocol):
    """What reads one input."""

    def may_lack(self, X: Any) -> bool:
        """Whether a row may lack the input, X being the rows that have it."""

    def read(self, estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
        """Return X as rows."""


class SeveralRows:
    """Rows of several inputs, as they were read.

    Parameters
    ----------
    inputs : mapping of str to RowsOfInput
        Each has all rows.
    n_rows : int
        Number of rows.
    """

    def __init__(self, inputs: Mapping[str, RowsOfInput], n_rows: int) -> None:
        self.inputs = dict(inputs)
        self.n_rows = n_rows

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n_rows

    @property
    def is_streamed(self) -> bool:
        """Whether rows of some input are read when they are asked for."""
        return any(getattr(one.X, "is_streamed", False) for one in self.inputs.values())


def read_several(
    estimator: BaseEstimator, X: Any, readers: Mapping[str, InputReader], *, reset: bool
) -> SeveralRows:
    """Read each of several inputs, and record their names as those of the features, or compare these.

    Parameters
    ----------
    estimator : BaseEstimator
        The number and the names of the inputs are recorded on it.
    X : MultiInput
        The inputs.
    readers : mapping of str to InputReader
        What reads each input.
    reset : bool
        Whether to record (in ``fit``) or to compare (in ``predict``).

    Raises
    ------
    ValueError
        If an input is not what it must be, with the name of the input; if inputs are others than in ``fit``.
    """
    names = np.array(list(X), dtype=object)
    if reset:
        estimator.n_features_in_, estimator.feature_names_in_ = len(names), names
    else:
        known = list(estimator.feature_names_in_)
        if set(known) != set(names):
            raise ValueError(
                f"`X` must have the inputs of `fit`, {shown(known)}. Found {shown(list(X))}; None in every "
                "row stands for an input that all rows lack."
            )
    found = {name: _read_one(name, X[name], readers[name]) for name in names}
    if len(names) == 1:
        found[names[0]].check_there(names[0], "since it is the only input")
    return SeveralRows(found, len(X))


def _read_one(name: str, values: Any, reader: InputReader) -> RowsOfInput:
    missing, there = _that_lack(values, reader)
    # Its width and the names of its columns are those of the input, not of X: an estimator of its own.
    columns = BaseEstimator()
    if missing is None:
        with naming(name):
            return RowsOfInput(reader.read(columns, there, reset=True), vars(columns))
    if missing.all():
        return RowsOfInput(None, {}, np.full(len(missing), -1))
    kept = np.flatnonzero(~missing)
    with naming(name, kept):
        found = reader.read(columns, there, reset=True)
    # Of a memory map, in which nothing is left out, a row is where it was.
    places = np.arange(len(missing)) if isinstance(values, np.memmap) else np.cumsum(~missing) - 1
    return RowsOfInput(found, vars(columns), np.where(missing, -1, places))


def _that_lack(values: Any, reader: InputReader) -> tuple[np.ndarray | None, Any]:
    """Return which rows of an input lack it, None for none, and the others; of a memory map all."""
    missing = rows_without(values)
    there = values if missing is None else values[~missing]
    # A sparse matrix, whose length can't be asked for, is a table.
    if issparse(there) or len(there) == 0 or not reader.may_lack(_as_given(there)):
        return missing, _as_given(there)
    empty = rows_of_nan(there)
    if empty is None:
        return missing, _as_given(there)
    if missing is None:
        missing = empty
    else:
        missing[~missing] = empty
    return missing, there if isinstance(there, np.memmap) else _as_given(there[~empty])


def _as_given(values: Any) -> Any:
    return list(values) if isinstance(values, RowsOfList) else values


def rows_without(values: Any) -> np.ndarray | None:
    """Return in which rows of an input there is None, NaN or NA in its place; None where there is in none.

    Parameters
    ----------
    values : object
        A value of a `MultiInput`: texts, a list of arrays, or files. A table has gaps, and lacks no row.

    Examples
    --------
    >>> rows_without(np.array(["fine", None], dtype=object))
    array([False,  True])
    """
    if isinstance(values, Files):
        missing = values.missing
    elif isinstance(values, pd.DataFrame) or getattr(values, "ndim", 0) != 1:
        return None
    else:
        missing = np.array([np.ndim(one) == 0 and bool(pd.isna(one)) for one in values], dtype=bool)
    return missing if missing.any() else None


def rows_of_nan(values: Any) -> np.ndarray | None:
    """Return which images or sequences hold nothing but NaN; None where none does, or files hold them.

    Parameters
    ----------
    values : object
        An array or a memory map of three or more axes, or an array of objects or Series of arrays.

    Examples
    --------
    >>> rows_of_nan(np.array([[[1.0], [np.nan]], [[np.nan], [np.nan]]]))
    array([False,  True])
    """
    if isinstance(values, Files) or not hasattr(values, "dtype"):
        return None
    if values.ndim == 1:
        empty = np.array([_is_nan(row) for row in values], dtype=bool)
    elif values.ndim > 2 and values.dtype.kind == "f" and values.size:
        # Of most rows a single number is read, which matters where they are on a disk.
        empty = np.isnan(np.asarray(values[(slice(None), *[0] * (values.ndim - 1))]))
        for row in np.flatnonzero(empty):
            empty[row] = np.isnan(values[row]).all()
    else:
        return None
    return empty if empty.any() else None


def _is_nan(row: Any) -> bool:
    if isinstance(row, str):
        return False
    try:
        numbers = np.asarray(row)
    except (TypeError, ValueError, RuntimeError):
        return False
    return numbers.dtype.kind == "f" and numbers.size > 0 and bool(np.isnan(numbers).all())


@contextmanager
def naming(name: str, places: np.ndarray | None = None) -> Iterator[None]:
    """Name the input in errors that say `X`, and the row of X in those that say ``row``.

    Parameters
    ----------
    name : str
        The name of the input.
    places : ndarray of int, optional
        Which row of X each row of the input is, where some lack it.
    """
    of_input = f"`X[{shown(name)}]`"
    try:
        yield
    except (ValueError, TypeError) as error:
        message = str(error)
        if places is not None:
            message = re.sub(r"(?<=\brow )\d+", lambda row: _place(places, int(row.group())), message)
        named = message.replace("`X`", of_input) if "`X`" in message else f"{of_input}: {message}"
        raise type(error)(named) from error


def _in_words(columns: Any) -> str:
    return shown(list(columns)) if np.ndim(columns) else f"{columns} of them"


def _place(places: np.ndarray, row: int) -> str:
    return str(places[row] if row < len(places) else row)
