"""Frames of polars as frames of pandas, without pyarrow."""

from __future__ import annotations

from typing import Any

import pandas as pd


def is_polars(X: Any) -> bool:
    """Whether X is a DataFrame of polars."""
    return type(X).__name__ == "DataFrame" and type(X).__module__.partition(".")[0] == "polars"


def from_polars(X: Any) -> pd.DataFrame:
    """Return a frame of polars as one of pandas, column by column.

    Parameters
    ----------
    X : polars.DataFrame
        Its own ``to_pandas`` needs pyarrow.
    """
    return pd.DataFrame({series.name: _from_series(series) for series in X.get_columns()})


def _from_series(series: Any) -> pd.Series:
    dtype = series.dtype
    if dtype.is_numeric():
        # Integers with nulls become floats with NaN by themselves, decimals do not.
        numbers = series.cast(float) if dtype.is_decimal() else series
        return pd.Series(numbers.to_numpy())
    if dtype.is_nested():
        return pd.Series(series.to_list(), dtype=object)
    if hasattr(dtype, "categories"):
        return pd.Series(series.to_list(), dtype="category")
    zone = getattr(dtype, "time_zone", None)
    values = series.to_numpy()
    column = pd.Series(values, dtype=object if values.dtype == object else None)
    # What polars hands over is in UTC.
    return column if zone is None else column.dt.tz_localize("UTC").dt.tz_convert(zone)
