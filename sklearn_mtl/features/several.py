"""Several inputs: read one by one, and encoded side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from sklearn_mtl.features.files import Files
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
    estimator: BaseEstimator, X: Any, read: Mapping[str, Callable[..., Any]], *, reset: bool
) -> SeveralRows:
    """Read each of several inputs, and record their names as those of the features, or compare these.

    Parameters
    ----------
    estimator : BaseEstimator
        The number and the names of the inputs are recorded on it.
    X : MultiInput
        The inputs.
    read : mapping of str to callable
        What reads each input, given an estimator, the rows that have it, and ``reset``.
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
    found = {name: _read_one(name, X[name], read[name]) for name in names}
    if len(names) == 1:
        found[names[0]].check_there(names[0], "since it is the only input")
    return SeveralRows(found, len(X))


def _read_one(name: str, values: Any, read: Callable[..., Any]) -> RowsOfInput:
    missing = rows_without(values)
    # Its width and the names of its columns are those of the input, not of X: an estimator of its own.
    reader, places = BaseEstimator(), None
    if missing is not None:
        places = np.where(missing, -1, np.cumsum(~missing) - 1)
        values = values[~missing]
        if missing.all():
            return RowsOfInput(None, {}, places)
    if isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 1:
        values = list(values)
    with naming(name):
        found = read(reader, values, reset=True)
    return RowsOfInput(found, vars(reader), places)


def rows_without(values: Any) -> np.ndarray | None:
    """Return which rows of an input lack it; None where all have it, or where that can't be told.

    Parameters
    ----------
    values : object
        A value of a `MultiInput`. Texts, lists of arrays and paths lack a row where there is None, NaN or NA;
        arrays of three or more axes where all numbers of the row are NaN. A table has gaps, and lacks none.

    Examples
    --------
    >>> rows_without(np.array(["fine", None], dtype=object))
    array([False,  True])
    """
    if isinstance(values, Files):
        missing = values.missing
        return missing if missing.any() else None
    if isinstance(values, pd.DataFrame | np.memmap) or not hasattr(values, "dtype"):
        return None
    if values.ndim == 1:
        missing = np.array([np.ndim(one) == 0 and bool(pd.isna(one)) for one in values], dtype=bool)
    elif values.ndim > 2 and values.dtype.kind == "f":
        missing = np.isnan(values).all(axis=tuple(range(1, values.ndim)))
    else:
        return None
    return missing if missing.any() else None


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Name the input in errors that say `X`.

    Parameters
    ----------
    name : str
        The name of the input.
    """
    of_input = f"`X[{shown(name)}]`"
    try:
        yield
    except (ValueError, TypeError) as error:
        message = str(error)
        named = message.replace("`X`", of_input) if "`X`" in message else f"{of_input}: {message}"
        raise type(error)(named) from error


def _in_words(columns: Any) -> str:
    return shown(list(columns)) if np.ndim(columns) else f"{columns} of them"
