"""Dates of any dtype as datetime64, and the clock of a time zone."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pandas.api import types


def to_dates(column: pd.Series) -> pd.Series:
    """Return dates, calendar dates and periods as datetime64, in their time zone where they have one.

    A period is its start. Where zones differ from row to row, UTC is what they have in common.

    Raises
    ------
    ValueError
        If some dates have a zone and others have none, or one does not fit.

    Examples
    --------
    >>> to_dates(pd.Series(pd.PeriodIndex(["2024-03", "2024-04"], freq="M"))).tolist()
    [Timestamp('2024-03-01 00:00:00'), Timestamp('2024-04-01 00:00:00')]
    """
    if isinstance(column.dtype, pd.PeriodDtype):
        return column.dt.to_timestamp()
    if not types.is_object_dtype(column.dtype):
        dates = pd.to_datetime(column)
        # They are counted in microseconds, of which dates of coarser units may be too many.
        return dates.dt.as_unit("us") if dates.dt.unit in ("s", "ms") else dates
    column = column.map(_start_of_period)
    aware = {getattr(date, "tzinfo", None) is not None for date in column.dropna()}
    if len(aware) > 1:
        raise ValueError("some have a time zone, others have none")
    try:
        return pd.to_datetime(column)
    except ValueError:
        if aware != {True}:
            raise
        return pd.to_datetime(column, utc=True)


def zone_of(dates: pd.Series) -> str | None:
    """Return the name of the time zone of dates, None where they have none.

    A zone without a name that pandas reads is UTC.
    """
    zone = dates.dt.tz
    if zone is None:
        return None
    try:
        return str(pd.Timestamp(0, tz=str(zone)).tz)
    except Exception:
        return "UTC"


def on_the_clock_of(dates: pd.Series, zone: str | None) -> pd.Series:
    """Return dates without a zone, as the clocks of a zone show them.

    Parameters
    ----------
    dates : Series of datetime64
        Dates with a time zone, if ``zone`` is one, and without otherwise.
    zone : str or None
        The time zone, or None where dates have none.

    Examples
    --------
    >>> noon = pd.Series(pd.to_datetime(["2024-03-01T12:00+00:00"]))
    >>> on_the_clock_of(noon, "Asia/Tokyo").tolist()
    [Timestamp('2024-03-01 21:00:00')]
    """
    moved = dates if zone is None else dates.dt.tz_convert(zone)
    return moved if moved.dt.tz is None else moved.dt.tz_localize(None)


def _start_of_period(value: Any) -> Any:
    return value.start_time if isinstance(value, pd.Period) else value
