"""Warnings of what columns are read as, where that may not be what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.features.kinds import listed, named
from sklearn_mtl.messages import shown

# Of fewer values, each may well be a number on a scale.
MANY_IDS = 50


def warn_of_parsed_text(said: Mapping[str, Sequence[str]]) -> None:
    """Warn of text that is read as something else.

    Parameters
    ----------
    said : mapping of str to sequence of str
        By what the text is read as, the columns in words.
    """
    kinds = "; ".join(f"as {kind}: {listed(columns)}" for kind, columns in said.items())
    warn_caller(
        f"Columns of `X` that hold text are read {kinds}. What does not parse is missing. Convert a column "
        "yourself, with pandas.to_numeric, pandas.to_datetime, or X[name].astype('category') to keep each "
        "text as a level of its own.",
    )


def how_it_parsed(name: Any, texts: np.ndarray, parsed: np.ndarray) -> str:
    """Return the name of a column and how many of its texts did not parse.

    Parameters
    ----------
    name : object
        Name of the column.
    texts : ndarray of str or None
        Its texts.
    parsed : ndarray of the same length
        What they were read as, NaN or NaT where they did not parse.
    """
    failed = texts[np.isnan(parsed) & pd.notna(texts)]
    if not len(failed):
        return shown(name)
    return (
        f"{shown(name)} ({len(failed)} of {len(texts)} values did not parse, such as {in_short(failed[0])})"
    )


def in_short(value: Any) -> str:
    """Return the first letters of a value for a message."""
    text = str(value) if isinstance(value, np.generic) else repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def warn_of_free_text(names: Sequence[Any]) -> None:
    """Warn of columns of free text, by their names."""
    warn_caller(
        f"Columns of `X` hold free text, several words that seldom repeat: {named(names)}. What words it has "
        "becomes at most 50 numbers, by TF-IDF and truncated SVD; only texts that occur at least 5 times are "
        "also told apart as wholes. Drop the columns if they say nothing; X[name].astype('category') makes a "
        "level of each text.",
    )


def warn_of_ids(X: pd.DataFrame) -> None:
    """Warn of columns that hold whole numbers, many different ones that come again.

    Parameters
    ----------
    X : DataFrame
        The columns that are named as ids, of the rows that are fitted.
    """
    whole = X.loc[:, [dtype.kind in "iu" for dtype in X.dtypes]]
    names = [name for name, count in whole.nunique().items() if MANY_IDS < count <= len(X) / 2]
    if names:
        warn_caller(
            "Columns of `X` are named as ids, and hold whole numbers, which are read as numbers on a scale: "
            f"{named(names)}. X[name].astype('category') makes a level of each, and X[name].astype(float) "
            "says that they are numbers.",
        )
