"""Reading the columns of a table: what each was found to hold in `fit`, it must hold in `predict`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin
from sklearn.utils.validation import validate_data

from sklearn_mtl.features.dates import on_the_clock_of, to_dates, zone_of
from sklearn_mtl.features.free_text import is_free_text
from sklearn_mtl.features.kinds import (
    FREE_TEXT,
    Content,
    as_texts,
    content_of,
    dates_in,
    kind_of_text,
    named,
    numbers_in,
    refuse_sequences,
)
from sklearn_mtl.features.sizes import LARGEST, refuse_too_large
from sklearn_mtl.features.text_warnings import (
    how_it_parsed,
    in_short,
    warn_of_free_text,
    warn_of_ids,
    warn_of_parsed_text,
)
from sklearn_mtl.messages import shown

Reading = Literal["number", "date", "duration", "number in text", "date in text", "level", "nothing"]

_BY_CONTENT: dict[Content, Reading] = {
    "numbers": "number",
    "booleans": "number",
    "dates": "date",
    "durations": "duration",
    "categories": "level",
    "gaps": "nothing",
}
_IN_TEXT: dict[str, Reading] = {"number": "number in text", "date": "date in text", "level": "level"}
# Names such as "id", "user_id" and "userId".
_ID = re.compile(r"(^|[^a-zA-Z])(id|Id|ID)$|[a-z](Id|ID)$")
# For each reading: what a column may hold, missing values apart; what a message calls that; and what stands
# for a missing value.
_ADMITTED: dict[Reading, set[Content]] = {
    "number": {"numbers", "booleans"},
    "date": {"dates"},
    "duration": {"durations"},
    "number in text": {"text", "categories", "numbers", "booleans"},
    "date in text": {"text", "categories", "dates"},
    "nothing": set(),
}
_EXPECTED: dict[Reading, str] = {
    "number": "numbers",
    "date": "dates",
    "duration": "durations",
    "number in text": "numbers",
    "date in text": "dates",
}
_GAP: dict[Reading, Any] = {
    "date": np.datetime64("NaT", "us"),
    "date in text": np.datetime64("NaT", "us"),
    "duration": np.timedelta64("NaT", "us"),
}


class TableReader(OneToOneFeatureMixin, BaseEstimator):
    """Reads a table of any dtypes as columns of numbers, dates, durations and levels.

    What a column holds is found in ``fit``, and expected in ``transform``. Text of which nearly all reads as
    numbers or dates is read so, and text that does not parse is missing. Dates are shown by the clock of the
    time zone that they had in ``fit``. Other content than in ``fit`` is an error, but any column may have
    missing values, and levels may be anything.

    Attributes
    ----------
    readings_ : list of str
        By column: ``"number"`` (booleans too), ``"date"``, ``"duration"``, ``"number in text"``,
        ``"date in text"``, ``"level"``, or ``"nothing"`` where all values were missing.
    zones_ : list of str or None
        By column: the time zone of its dates, where they have one.
    free_text_ : list of int
        Positions of the columns whose text has several words and seldom repeats.

    Warns
    -----
    UserWarning
        If text is read as numbers or dates; if text is free; if whole numbers come again and are named ids.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"area": [50, 80], "sold": pd.to_datetime(["2024-02-29", "2024-03-01"])})
    >>> reader = TableReader().fit(X)
    >>> reader.readings_
    ['number', 'date']
    >>> reader.transform(X.assign(sold=[20240229, 20240301]))
    Traceback (most recent call last):
        ...
    ValueError: Columns of `X` must hold what they held in `fit`. Found numbers in place of dates in
    ['sold'], such as 20240229.
    """

    readings_: list[Reading]
    zones_: list[str | None]
    # Files of early versions say nothing of it.
    free_text_: Sequence[int] = ()

    def fit(self, X: np.ndarray | pd.DataFrame, y: Any = None) -> Self:
        """Find what the columns hold.

        Parameters
        ----------
        X : ndarray or DataFrame
            The table.
        y : object
            It is ignored; the parameter is there for pipelines.

        Raises
        ------
        TypeError
            If cells are lists, arrays or dicts.
        ValueError
            If numbers are complex or too large to be scaled, or dates can't be read.
        """
        validate_data(self, X, skip_check_array=True)
        self.readings_ = ["number"] * X.shape[1]
        self.zones_ = [None] * X.shape[1]
        self.free_text_ = []
        if _holds_numbers(X):
            self._check_sizes(range(X.shape[1]), dict(enumerate(_largest(X))))
            return self
        table = as_frame(X)
        contents = [content_of(column) for _, column in table.items()]
        refuse_sequences(table, _where(contents, "sequences"))
        _refuse_complex(table, _where(contents, "complex numbers"))
        self.readings_ = [_BY_CONTENT.get(content, "level") for content in contents]
        for i in _where(contents, "dates"):
            self.zones_[i] = zone_of(_times(table.columns[i], table.iloc[:, i], "dates"))
        self.free_text_ = self._read_texts(table, _where(contents, "text"))
        if any(named_as_ids := [bool(_ID.search(str(name))) for name in table.columns]):
            warn_of_ids(table.loc[:, named_as_ids])
        numbers = [i for i, reading in enumerate(self.readings_) if reading in ("number", "number in text")]
        self._check_sizes(table.columns, {i: self._largest_of(table, i) for i in numbers})
        return self

    def transform(self, X: np.ndarray | pd.DataFrame) -> np.ndarray | pd.DataFrame:
        """Read the columns.

        Parameters
        ----------
        X : ndarray or DataFrame
            The table.

        Returns
        -------
        ndarray or DataFrame
            X itself where it holds only numbers of numpy's dtypes, and levels. Otherwise a frame in which
            numbers are float64, dates datetime64 without a zone, and durations timedelta64, and whose
            ``attrs`` say which columns are free text.

        Raises
        ------
        ValueError
            If columns hold other things than in ``fit``; names them.
        """
        if _holds_numbers(X) and set(self.readings_) <= {"number"}:
            return X
        names = getattr(self, "feature_names_in_", None)
        read = read_columns(as_frame(X, names), self.readings_, self.zones_)
        if self.free_text_:
            read = read.copy(deep=False)
            read.attrs = {FREE_TEXT: list(self.free_text_)}
        return read

    def _check_sizes(self, names: Sequence[Any], largest: Mapping[int, float]) -> None:
        if max(largest.values(), default=0) > LARGEST:
            refuse_too_large(names, {i: number for i, number in largest.items() if number > LARGEST})

    def _largest_of(self, table: pd.DataFrame, i: int) -> float:
        column = table.iloc[:, i]
        plain = self.readings_[i] == "number" and _is_plain(column.dtype)
        values = column.to_numpy() if plain else _read(table.columns[i], column, self.readings_[i], None)
        return float(_largest(values))

    def _read_texts(self, table: pd.DataFrame, columns: Sequence[int]) -> list[int]:
        """Find whether text reads as numbers or dates, and warn of it; return which columns are free text."""
        said: dict[str, list[str]] = defaultdict(list)
        free_text = []
        for i in columns:
            texts = as_texts(table.iloc[:, i])
            distinct = pd.factorize(texts)[1]
            reading = self.readings_[i] = _IN_TEXT[kind_of_text(distinct)]
            if reading != "level":
                parsed = numbers_in(texts) if reading == "number in text" else dates_in(texts).to_numpy()
                said[_EXPECTED[reading]].append(how_it_parsed(table.columns[i], texts, parsed))
            elif is_free_text(texts, distinct):
                free_text.append(i)
        if said:
            warn_of_parsed_text(said)
        if free_text:
            warn_of_free_text(table.columns[free_text].tolist())
        return free_text


def as_frame(X: np.ndarray | pd.DataFrame, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a table as a frame, whose columns have dtypes of their own.

    Parameters
    ----------
    X : ndarray or DataFrame
        The table.
    names : sequence of str, optional
        Names for the columns of an array.
    """
    return X if isinstance(X, pd.DataFrame) else pd.DataFrame(X, columns=names).infer_objects()


def read_columns(
    table: pd.DataFrame, readings: Sequence[Reading], zones: Sequence[str | None]
) -> pd.DataFrame:
    """Return a table with its columns read.

    Parameters
    ----------
    table : DataFrame
        A table with columns of any dtypes.
    readings : sequence of str
        What each column is read as, as in `TableReader.readings_`.
    zones : sequence of str or None
        Time zone of the dates of each column, as in `TableReader.zones_`.
    """
    read: dict[int, np.ndarray] = {}
    others: dict[str, list[int]] = defaultdict(list)
    for i, (reading, dtype) in enumerate(zip(readings, table.dtypes, strict=True)):
        if reading == "level" or (reading == "number" and _is_plain(dtype)):
            continue
        try:
            read[i] = _read(table.columns[i], table.iloc[:, i], reading, zones[i])
        except _OtherContentError as other:
            others[str(other)].append(i)
    if others:
        raise ValueError(_what_others_hold(table, others))
    if read:
        # A new frame over the same columns, so that the caller's stays as it is.
        table = table.copy(deep=False)
    for i, values in read.items():
        table.isetitem(i, values)
    return table


class _OtherContentError(Exception):
    """A column holds something else than in ``fit``; the message says what in place of what."""


def _are_categories_of_numbers(dtype: Any) -> bool:
    return isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype.kind in "iuf"


def _read(name: Any, column: pd.Series, reading: Reading, zone: str | None) -> np.ndarray:
    if reading == "number" and _are_categories_of_numbers(column.dtype):
        return column.astype(np.float64).to_numpy()
    content = content_of(column)
    if content not in _ADMITTED[reading]:
        if reading == "nothing" or column.isna().all():
            return np.full(len(column), _GAP.get(reading, np.nan))
        raise _OtherContentError(f"{content} in place of {_EXPECTED[reading]}")
    if content == "durations":
        return _times(name, column, content).to_numpy()
    if content in ("numbers", "booleans"):
        return _numbers(name, column)
    if content == "dates":
        return _on_the_clock(_times(name, column, content), reading, zone).to_numpy()
    texts = as_texts(column)
    return numbers_in(texts) if reading == "number in text" else dates_in(texts).to_numpy()


def _numbers(name: Any, column: pd.Series) -> np.ndarray:
    try:
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"Column {shown(name)} of `X` must hold numbers. Found: {error}.") from error
    if np.isinf(numbers).any():
        raise ValueError(
            f"Input X contains infinity or a value too large for {shown(numbers.dtype)}. Found it in column "
            f"{shown(name)}."
        )
    return numbers


def _times(name: Any, column: pd.Series, kind: str) -> pd.Series:
    try:
        return to_dates(column) if kind == "dates" else pd.to_timedelta(column)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"Column {shown(name)} of `X` must hold {kind} that pandas can read as one. Found: {error}."
        ) from error


def _largest(values: np.ndarray) -> np.ndarray:
    """Return the largest absolute value of each column; 0 where there is none."""
    high, low = (of.reduce(values, axis=0, initial=0) for of in (np.fmax, np.fmin))
    return np.maximum(high.astype(np.float64), -low.astype(np.float64))


def _on_the_clock(dates: pd.Series, reading: Reading, zone: str | None) -> pd.Series:
    aware = dates.dt.tz is not None
    if reading == "date in text":
        return on_the_clock_of(dates, "UTC" if aware else None)
    if aware == (zone is not None) or dates.isna().all():
        return on_the_clock_of(dates, zone if aware else None)
    raise _OtherContentError(
        "dates with a time zone in place of dates without one"
        if aware
        else f"dates without a time zone in place of dates with one ({zone})"
    )


def _holds_numbers(X: np.ndarray | pd.DataFrame) -> bool:
    return isinstance(X, np.ndarray) and X.dtype.kind in "biuf"


def _is_plain(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def _where(contents: Iterable[Content], content: Content) -> list[int]:
    return [i for i, found in enumerate(contents) if found == content]


def _refuse_complex(X: pd.DataFrame, columns: list[int]) -> None:
    if columns:
        names = X.columns[columns].tolist()
        raise ValueError(f"Complex data not supported. Found it in the columns {named(names)} of X.")


def _what_others_hold(table: pd.DataFrame, others: dict[str, list[int]]) -> str:
    found = []
    for what, columns in others.items():
        example = table.iloc[:, columns[0]].dropna().iloc[0]
        found.append(f"{what} in {named(table.columns[columns])}, such as {in_short(example)}")
    return f"Columns of `X` must hold what they held in `fit`. Found {'; '.join(found)}."
