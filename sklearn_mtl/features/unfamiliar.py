"""A warning where the columns of a table are unlike those of `fit`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.features.kinds import as_texts, content_of, dates_of, listed, named, numbers_of
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import may_mean_missing

# Nearly always one of the first rows holds a value as in `fit`, and no others need be looked at.
ROWS_TO_LOOK_AT_FIRST = 32
# Fewer rows may well hold nothing but new levels.
FEWEST_NEW_LEVELS = 10
_IN_TEXT = {"number in text": "numbers", "date in text": "dates"}


def warn_of_unfamiliar_columns(transformer: Any, X: Any) -> None:
    """Warn of columns of which nothing parses any more, and of those whose levels are all new.

    Parameters
    ----------
    transformer : Pipeline or ColumnTransformer
        A fitted `default_preprocessing`. In files of early versions it is a ColumnTransformer, which reads
        no text, and there is nothing to warn of.
    X : ndarray or DataFrame
        All rows that will be encoded.

    Warns
    -----
    UserWarning
        If no text of a column parses that was read as numbers or dates in ``fit``, texts that mean a missing
        value apart. If a column of levels, some of which have an encoded column of their own, has at least
        ten known values and none that was there in ``fit``.

    Examples
    --------
    >>> from sklearn_mtl.features import default_preprocessing
    >>> fitted = default_preprocessing().fit(pd.DataFrame({"zip": ["01067", "20095"] * 5}))
    >>> warn_of_unfamiliar_columns(fitted, pd.DataFrame({"zip": ["20095"] * 10}))
    """
    is_table = isinstance(X, np.ndarray | pd.DataFrame) and X.ndim == 2 and len(X) > 0
    if not is_table or not isinstance(transformer, Pipeline):
        return
    readings = transformer[0].readings_
    unread = [
        f"{shown(name)} as {_IN_TEXT[readings[i]]}, such as {shown(example)}"
        for i, name, column in _columns(X, [i for i, reading in enumerate(readings) if reading in _IN_TEXT])
        if (example := _unread(column, readings[i])) is not None
    ]
    if unread:
        warn_caller(
            f"None of the text of columns of `X` parses as it did in `fit`, so all of it is missing: "
            f"{listed(unread)}. Write it as in `fit`, or convert the columns there and here.",
        )
    levels = _levels_of_fit(transformer) if len(X) >= FEWEST_NEW_LEVELS and "level" in readings else {}
    new = [name for i, name, column in _columns(X, list(levels)) if _is_new(column, *levels[i])]
    if new:
        warn_caller(
            f"None of the values of {named(new)} was met in `fit`, where other levels were told apart: they "
            "all count as rare or unknown. Write the columns of `X` as in `fit`, codes as the same text.",
        )


def _columns(X: np.ndarray | pd.DataFrame, positions: list[int]) -> Iterator[tuple[int, Any, pd.Series]]:
    for i in positions:
        if isinstance(X, pd.DataFrame):
            yield i, X.columns[i], X.iloc[:, i]
        else:
            yield i, i, pd.Series(X[:, i])


def _unread(column: pd.Series, reading: str) -> str | None:
    """Return a text of a column in which none parses; None where one does, or all are missing."""
    parts = [column] if len(column) <= ROWS_TO_LOOK_AT_FIRST else [column[:ROWS_TO_LOOK_AT_FIRST], column]
    example = None
    for part in parts:
        if content_of(part) not in ("text", "categories"):
            # Missing values, or values that need no parsing or are refused later.
            continue
        distinct = pd.factorize(as_texts(part))[1]
        parsed = numbers_of(distinct) if reading == "number in text" else dates_of(distinct).to_numpy()
        if not np.isnan(parsed).all():
            return None
        example = next((text for text in distinct if not may_mean_missing(text)), None)
    return example


def _levels_of_fit(transformer: Pipeline) -> dict[int, tuple[np.ndarray, Any]]:
    """Return for each column the levels of `fit` and the rare ones among them, where not all are rare."""
    of_levels = [
        (columns, levels[-1])
        for name, levels, columns in transformer[-1].transformers_
        if name == "level" and len(columns)
    ]
    return {
        i: (every, () if rare is None else rare)
        for columns, one_hot in of_levels
        for i, every, rare in zip(columns, one_hot.categories_, one_hot.infrequent_categories_, strict=True)
        if rare is None or len(rare) < len(every)
    }


def _is_new(column: pd.Series, levels: np.ndarray, rare: Any) -> bool:
    """Whether a column has many known values, none of them a level of `fit`, whose levels tell something."""
    if _some_are_in(as_texts(column[:ROWS_TO_LOOK_AT_FIRST]), levels) or content_of(column) == "sequences":
        return False
    codes, distinct = pd.factorize(as_texts(column))
    known = np.array([not may_mean_missing(text) for text in distinct], dtype=bool)
    few = np.count_nonzero(known[codes[codes >= 0]]) < FEWEST_NEW_LEVELS
    if few or _some_are_in(distinct, levels):
        return False
    # Where all levels are rare, as of identifiers, only whether a value is missing tells anything.
    return any(not may_mean_missing(level) for level in set(levels) - {None, *rare})


def _some_are_in(texts: np.ndarray, levels: np.ndarray) -> bool:
    return not (set(texts) - {None}).isdisjoint(levels)
