"""Numbers of a table that are too large to be scaled, or for the dtype of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.features.kinds import named
from sklearn_mtl.features.sparse import SparseRows

# The squares of such numbers, and sums of them over very many rows, are finite.
LARGEST = 1e150


def refuse_too_large(names: Sequence[Any], largest: Mapping[int, float]) -> None:
    """Raise a ``ValueError`` that names the columns whose numbers can't be scaled.

    Parameters
    ----------
    names : sequence
        The names of all columns.
    largest : mapping of int to float
        The largest absolute value of those columns, by position.

    Examples
    --------
    >>> refuse_too_large(["area", "sum"], {1: 1e200})
    Traceback (most recent call last):
    ValueError: Columns of `X` must hold numbers whose squares are finite, at most 1e+150. Found 1e+200 in \
['sum']; divide them by a constant.
    """
    raise ValueError(
        f"Columns of `X` must hold numbers whose squares are finite, at most {LARGEST:g}. Found "
        f"{max(largest.values()):.3g} in {named(names[i] for i in largest)}; divide them by a constant."
    )


def is_beyond_floats(column: pd.Series) -> bool:
    """Whether a column has what no float holds, as huge integers: a table says which column it is."""
    try:
        column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (OverflowError, TypeError):
        return True
    return False


def refuse_not_finite(
    values: np.ndarray | SparseRows, names: Sequence[Any] | None, about_gaps: str = ""
) -> None:
    """Raise a ``ValueError`` that names the encoded columns which are missing, or too large for their dtype.

    Parameters
    ----------
    values : ndarray of shape (n_rows, ...) or SparseRows
        What is given to the network, in its dtype.
    names : sequence or None
        The names of its columns, where they have any.
    about_gaps : str, default=""
        What else is to be said of missing values.
    """
    if isinstance(values, SparseRows):
        numbers, places = values.matrix.data, values.matrix.indices
    else:
        numbers = values.reshape(len(values), -1)
        places = np.broadcast_to(np.arange(numbers.shape[1]), numbers.shape)
    too_large = f"infinity or a value too large for {numbers.dtype!r}"
    for wrong, what, more in ((np.isnan(numbers), "NaN", about_gaps), (np.isinf(numbers), too_large, "")):
        if wrong.any():
            columns = np.unique(places[wrong]).tolist()
            where = named(columns if names is None else [names[i] for i in columns])
            raise ValueError(f"Input X after preprocessing contains {what}. Found it in {where}.{more}")
