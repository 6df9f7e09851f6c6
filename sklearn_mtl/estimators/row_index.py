"""Indexes of rows, where pandas gives these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd


def indexes(given: Any, *names: Any) -> Iterator[tuple[tuple[Any, ...], pd.Index]]:
    """Yield each index, with the names of what it is of in the mappings around it.

    Parameters
    ----------
    given : object
        A pandas object, a mapping to such, or anything else, which has no index.
    *names : object
        Names of what it is in.
    """
    if isinstance(given, Mapping):
        for name, one in given.items():
            yield from indexes(one, *names, name)
    elif isinstance(given, pd.DataFrame | pd.Series):
        yield names, given.index


def index_of(X: Any) -> pd.Index | None:
    """Return the index of X, of several inputs that of the first which has one; None where there is none.

    Parameters
    ----------
    X : object
        Features as the user gave them.

    Examples
    --------
    >>> index_of({"photo": [[0.0]], "table": pd.DataFrame({"area": [50]}, index=["u"])}).tolist()
    ['u']
    """
    return next((index for _, index in indexes(X)), None)
