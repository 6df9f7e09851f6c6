"""Warnings of columns of text: what they are read as, and what of them is not read at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.features.kinds import listed, named


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


def warn_of_free_text(names: Sequence[Any]) -> None:
    """Warn of columns of free text, by their names."""
    warn_caller(
        f"Columns of `X` hold free text, several words that seldom repeat, which is not read as language: "
        f"{named(names)}. Only texts that occur at least 5 times are told apart. Drop the columns, or make "
        "numbers of their words first, as scikit-learn's TfidfVectorizer does.",
    )
