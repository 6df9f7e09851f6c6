"""Frames of polars as frames of pandas, without pyarrow."""

from __future__ import annotations

from typing import Any

import pandas as pd


def from_polars(X: Any) -> pd.DataFrame:
    """Return a frame of polars as one of pandas, column by column.

    Parameters
    ----------
    X : polars.DataFrame
        A frame; its own ``to_pandas`` would need pyarrow.
    """
    return pd.DataFrame({series.name: _from_series(series) for series in X.get_columns()})


def _from_series(series: Any) -> pd.Series:
    dtype = series.dtype
    if dtype.is_numeric():
        # Integers with nulls become floats with NaN by themselves, decimals do not.
        wide = type(dtype).__name__ in ("Decimal", "Int128", "UInt128")
        # numpy has neither decimals nor integers of 128 bits.
        return pd.Series((series.cast(float) if wide else series).to_numpy())
    if dtype.is_nested():
        return pd.Series(series.to_list(), dtype=object)
    if dtype.base_type().__name__ in ("Categorical", "Enum"):
        return pd.Series(series.to_list(), dtype="category")
    zone = getattr(dtype, "time_zone", None)
    values = series.to_numpy()
    column = pd.Series(values, dtype=object if values.dtype == object else None)
    # polars returns dates in UTC.
    return column if zone is None else column.dt.tz_localize("UTC").dt.tz_convert(zone)
