"""Frames of pandas and polars as columns by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd


def is_frame(values: Any) -> bool:
    """Whether something is a DataFrame of pandas or polars."""
    is_polars = type(values).__module__.partition(".")[0] == "polars" and hasattr(values, "columns")
    return is_polars or isinstance(values, pd.DataFrame)


def column_names(frame: Any) -> list[Any]:
    """Return the names of a frame's columns, integers as their text; others stay what they are.

    Parameters
    ----------
    frame : DataFrame of pandas or polars
        Its columns.

    Raises
    ------
    ValueError
        If two columns have one name.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mtl.targets.frames import column_names
    >>> column_names(pd.DataFrame([[1.5, 2.5]]))
    ['0', '1']
    """
    names = [str(name) if _is_integer(name) else name for name in frame.columns]
    twice = sorted({str(name) for name, count in Counter(names).items() if count > 1})
    if twice:
        raise ValueError(f"Task names must be unique. Found several columns named {twice}.")
    return names


def integer_names(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of columns that are integers, as text."""
    return tuple(str(name) for name in frame.columns if _is_integer(name))


def frame_columns(frame: Any) -> dict[Any, Any]:
    """Return the values of each column by name; of numbers of one dtype, taken as one block.

    Parameters
    ----------
    frame : DataFrame of pandas or polars
        Its columns.

    Raises
    ------
    ValueError
        If two columns have one name.
    """
    names = column_names(frame)
    if isinstance(frame, pd.DataFrame) and are_numbers_of_one_dtype(list(frame.dtypes)):
        return dict(zip(names, np.asfortranarray(frame.to_numpy()).T, strict=True))
    return {name: frame[column] for name, column in zip(names, frame.columns, strict=True)}


def are_numbers_of_one_dtype(dtypes: Sequence[Hashable]) -> bool:
    """Whether all dtypes are the same one of numpy's for numbers, so that one array holds all."""
    distinct = set(dtypes)
    return len(distinct) == 1 and all(isinstance(d, np.dtype) and d.kind in "biuf" for d in distinct)


def _is_integer(name: Any) -> bool:
    return isinstance(name, Integral) and not isinstance(name, bool)
