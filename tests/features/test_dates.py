"""Dates of any dtype, on the clock of one time zone."""

import datetime
import zoneinfo

import dateutil.tz
import pandas as pd
import pytest

from sklearn_mtl.features.dates import on_the_clock_of, to_dates, zone_of

TOKYO = zoneinfo.ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["2024-03-01", None], dtype="datetime64[s]"),
        pd.Series(["2024-03-01", None], dtype="datetime64[ns]"),
        pd.Series([datetime.date(2024, 3, 1), None], dtype=object),
        pd.Series([datetime.datetime(2024, 3, 1), None], dtype=object),
        pd.Series(pd.PeriodIndex(["2024-03", None], freq="M")),
        pd.Series([pd.Period("2024-03-01"), None], dtype=object),
        pd.Series([pd.Period("2024-03"), pd.NaT, datetime.date(2024, 1, 1)], dtype=object),
    ],
    ids=lambda column: str(column.dtype),
)
def test_to_dates(column):
    dates = to_dates(column)
    assert dates.dtype.kind == "M"
    assert dates[0] == pd.Timestamp("2024-03-01")
    assert pd.isna(dates[1])


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        (TOKYO, "Asia/Tokyo"),
        ("UTC", "UTC"),
        (datetime.timezone(datetime.timedelta(hours=9)), "UTC+09:00"),
        # It goes by the name of a file.
        (dateutil.tz.gettz("Asia/Tokyo"), "UTC"),
        (None, None),
    ],
)
def test_zone(zone, name):
    assert zone_of(pd.Series(pd.to_datetime(["2024-03-01"])).dt.tz_localize(zone)) == name


def test_the_same_instant_shows_the_same_clock():
    instant = pd.Timestamp("2024-03-01T12:00Z")
    moved = [pd.Series([instant.tz_convert(zone)]) for zone in ("UTC", "Asia/Tokyo", "America/New_York")]
    assert {on_the_clock_of(dates, "Asia/Tokyo")[0] for dates in moved} == {pd.Timestamp("2024-03-01T21:00")}


def test_zones_that_differ_from_row_to_row():
    instants = [pd.Timestamp("2024-03-01T12:00Z"), pd.Timestamp("2024-03-01T21:00", tz=TOKYO), None]
    dates = to_dates(pd.Series(instants, dtype=object))
    assert zone_of(dates) == "UTC"
    assert dates[0] == dates[1]


def test_some_with_a_zone_and_some_without():
    instants = [pd.Timestamp("2024-03-01T12:00Z"), datetime.datetime(2024, 3, 1)]
    with pytest.raises(ValueError, match="some have a time zone, others have none"):
        to_dates(pd.Series(instants, dtype=object))
