"""Each column is read in `predict` as what it was found to hold in `fit`."""

import datetime
import decimal
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator, clone

from sklearn_mtl.features import read_features
from sklearn_mtl.features.kinds import columns_of
from sklearn_mtl.features.reader import TableReader

N = 40
NUMBERS = np.arange(N) / 4
DATES = pd.date_range("2024-01-01", periods=N, freq="31h", unit="us")
NUMBERS_AS_TEXT = [*map(str, NUMBERS[:-1]), "?"]
DATES_AS_TEXT = [*(date.isoformat() for date in DATES[:-1]), "n/a"]


def frame(column, dtype=None):
    return pd.DataFrame({"a": pd.Series(column, dtype=dtype)})


def fitted(X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return TableReader().fit(X)


def read(X, new=None):
    return fitted(X).transform(X if new is None else new)["a"]


# What is found in fit


@pytest.mark.parametrize(
    ("column", "reading"),
    [
        (pd.Series([1, 2.5]), "number"),
        (pd.Series([1, None], dtype="Int64"), "number"),
        (pd.Series([1, 2.5, None], dtype=object), "number"),
        (pd.Series([True, None], dtype=object), "number"),
        (pd.Series([True, 2.5], dtype=object), "number"),
        (pd.Series([decimal.Decimal("1.5"), 2.5], dtype=object), "number"),
        (pd.Series(DATES), "date"),
        (pd.Series(DATES).dt.tz_localize("UTC"), "date"),
        (pd.Series(DATES).dt.to_period("D"), "date"),
        (pd.Series([pd.Period("2024"), None], dtype=object), "date"),
        (pd.Series([datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 2)], dtype=object), "date"),
        (pd.to_timedelta(pd.Series([1, 2]), unit="h"), "duration"),
        (pd.Series([datetime.timedelta(1), None], dtype=object), "duration"),
        (pd.Series(["u", "v"]), "level"),
        (pd.Series(["1", "2"], dtype="category"), "level"),
        (pd.Series(DATES_AS_TEXT, dtype="category"), "level"),
        (pd.Series([1, "x"], dtype=object), "level"),
        (pd.Series([datetime.time(1), datetime.time(2)], dtype=object), "level"),
        (pd.cut(pd.Series([1, 2]), 2), "level"),
        (pd.Series(pd.IntervalIndex.from_breaks([0, 1, 2])), "level"),
        (pd.Series([None, None], dtype=object), "nothing"),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_reading(column, reading):
    reader = TableReader().fit(column.to_frame("a"))
    assert reader.readings_ == [reading]


@pytest.mark.parametrize("dtype", ["str", object, "string"])
def test_numbers_as_text(dtype):
    X = frame(NUMBERS_AS_TEXT, dtype)
    with pytest.warns(UserWarning, match=r"as numbers: 'a' \(1 of 40 values did not parse, such as '\?'\)"):
        values = TableReader().fit(X).transform(X)["a"]
    np.testing.assert_array_equal(values, [*NUMBERS[:-1], np.nan])


@pytest.mark.parametrize("dtype", ["str", object, "string"])
def test_dates_as_text(dtype):
    X = frame(DATES_AS_TEXT, dtype)
    with pytest.warns(UserWarning, match=r"as dates: 'a' \(1 of 40 values did not parse, such as 'n/a'\)"):
        values = TableReader().fit(X).transform(X)["a"]
    assert values.dtype.kind == "M"
    assert values.tolist()[:-1] == DATES.tolist()[:-1]
    assert pd.isna(values.tolist()[-1])


def test_numbers_and_text_of_numbers_in_one_column():
    values = read(frame([1, 2.5, "3", b"4", "?", None, decimal.Decimal(7)], object))
    np.testing.assert_array_equal(values, [1, 2.5, 3, 4, np.nan, np.nan, 7])


def test_one_warning_names_all_columns_that_were_guessed():
    X = pd.DataFrame(
        {
            "clean": list(map(str, NUMBERS)),
            "dirty": NUMBERS_AS_TEXT,
            "day": DATES_AS_TEXT,
            "colour": ["red", "blue"] * (N // 2),
            "number": NUMBERS,
        }
    )
    with pytest.warns(UserWarning, match="hold text") as caught:
        TableReader().fit(X)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "as numbers: 'clean', 'dirty' (1 of 40" in message
    assert "as dates: 'day' (1 of 40" in message
    assert "astype('category')" in message
    assert "colour" not in message
    assert "'number'" not in message


def test_many_columns_are_not_all_named():
    X = pd.DataFrame({f"c{i:02}": ["1", "2"] for i in range(30)})
    with pytest.warns(UserWarning, match="'c09', and 20 more"):
        TableReader().fit(X)


def test_free_text():
    X = frame([f"house {i} by the sea" for i in range(N)])
    with pytest.warns(UserWarning, match=r"free text.*\['a'\].*truncated SVD"):
        reader = TableReader().fit(X)
    assert reader.free_text_ == [0]
    assert reader.readings_ == ["level"]
    read = reader.transform(X)
    assert columns_of(read, "free text") == [0]
    assert not X.attrs


@pytest.mark.parametrize("cell", [[1, 2], (1, 2), np.ones(2), {"k": 1}, {1}, pd.Series([1])], ids=type)
@pytest.mark.parametrize("other", [None, "u", 3, "same"])
def test_cells_that_hold_several_values(cell, other):
    X = pd.DataFrame({"number": [1.0, 2.0]})
    X["a"] = pd.Series([cell, cell if isinstance(other, str) and other == "same" else other], dtype=object)
    with pytest.raises(TypeError, match=r"single values.*lists, arrays or dicts in the columns \['a'\]"):
        TableReader().fit(X)


@pytest.mark.parametrize("values", [[1j, 2j], [1, 2j], [None, 1j]])
def test_complex_numbers(values):
    with pytest.raises(ValueError, match=r"Complex data not supported. Found it in the columns \['a'\]"):
        TableReader().fit(frame(values, object))


# What is made of them in predict


def test_the_rule_of_fit_is_applied_in_predict():
    new = frame(["7.25", "many", None, "1,5", "inf"])
    np.testing.assert_array_equal(read(frame(NUMBERS_AS_TEXT), new), [7.25, np.nan, np.nan, np.nan, np.nan])
    new = frame(["2030-05-06", "someday", None, "6.5.2030"])
    assert read(frame(DATES_AS_TEXT), new).isna().tolist() == [False, True, True, True]


def test_text_of_numbers_may_come_as_numbers_and_of_dates_as_dates():
    np.testing.assert_array_equal(read(frame(NUMBERS_AS_TEXT), frame([1, 2.5])), [1, 2.5])
    np.testing.assert_array_equal(read(frame(NUMBERS_AS_TEXT), frame(["1"], "category")), [1])
    assert read(frame(DATES_AS_TEXT), frame(DATES)).tolist() == DATES.tolist()
    zoned = frame(DATES.tz_localize("UTC").tz_convert("Asia/Tokyo"))
    assert read(frame(DATES_AS_TEXT), zoned).tolist() == DATES.tolist()


COLUMNS = {
    "numbers": NUMBERS,
    "dates": DATES,
    "durations": pd.to_timedelta(NUMBERS, unit="h"),
    "text": ["u", "v"] * (N // 2),
    "numbers as text": NUMBERS_AS_TEXT,
    "dates as text": DATES_AS_TEXT,
    "periods": DATES.to_period("D"),
    "categories": pd.Categorical(["u", "v"] * (N // 2)),
}


def test_categories_of_numbers_are_numbers_where_fit_saw_numbers():
    X = pd.DataFrame({"x": [3.0, 1.0, 2.0, np.nan]})
    reader = TableReader().fit(X)
    for dtype in (np.float64, "Int64"):
        new = X.assign(x=pd.Categorical(X["x"].astype(dtype)))
        np.testing.assert_array_equal(reader.transform(new)["x"], X["x"])


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        ("numbers", "dates", "dates in place of numbers"),
        ("numbers", "periods", "dates in place of numbers"),
        ("numbers", "durations", "durations in place of numbers"),
        ("numbers", "text", "text in place of numbers"),
        ("numbers", "numbers as text", "text in place of numbers"),
        ("numbers", "categories", "categories in place of numbers"),
        ("dates", "numbers", "numbers in place of dates"),
        ("dates", "durations", "durations in place of dates"),
        ("dates", "dates as text", "text in place of dates"),
        ("periods", "numbers", "numbers in place of dates"),
        ("durations", "numbers", "numbers in place of durations"),
        ("durations", "dates", "dates in place of durations"),
        ("durations", "text", "text in place of durations"),
        ("numbers as text", "dates", "dates in place of numbers"),
        ("numbers as text", "durations", "durations in place of numbers"),
        ("dates as text", "numbers", "numbers in place of dates"),
    ],
)
def test_other_content_than_in_fit_is_refused_by_name(before, now, message):
    X = pd.DataFrame({"x": COLUMNS[before], "y": NUMBERS, "z": COLUMNS[before]})
    new = pd.DataFrame({"x": COLUMNS[now], "y": NUMBERS, "z": COLUMNS[now]})
    with pytest.raises(ValueError, match=rf"Found {message} in \['x', 'z'\], such as"):
        fitted(X).transform(new)


@pytest.mark.parametrize("before", COLUMNS)
@pytest.mark.parametrize(
    "gaps",
    [
        pd.Series([None, None], dtype=object),
        pd.Series([np.nan, np.nan]),
        pd.Series([pd.NaT, pd.NaT]),
        pd.Series([None, None], dtype="str"),
        pd.Series([None, None], dtype="Int64"),
        pd.Series([pd.NaT, pd.NaT], dtype="datetime64[us, UTC]"),
    ],
    ids=lambda gaps: str(gaps.dtype),
)
def test_gaps_are_welcome_in_any_dtype(before, gaps):
    X = pd.DataFrame({"a": COLUMNS[before]})
    dtype = read(X).dtype
    found = read(X, gaps.to_frame("a"))
    assert found.isna().all()
    if before not in ("text", "categories"):
        assert found.dtype.kind == dtype.kind


@pytest.mark.parametrize("now", COLUMNS)
def test_a_column_of_gaps_says_nothing_whatever_comes_later(now):
    assert read(frame([None, None], object), frame(COLUMNS[now])).isna().all()


def test_the_same_instant_in_another_zone_is_the_same():
    dates = DATES.tz_localize("Europe/Berlin")
    new = frame(dates.tz_convert("America/New_York"))
    assert read(frame(dates), new).tolist() == DATES.tolist()
    as_objects = frame(pd.Series(dates.tz_convert("UTC")).astype(object))
    assert read(frame(dates), as_objects).tolist() == DATES.tolist()


def test_dates_with_a_zone_and_dates_without_one_do_not_mix():
    naive, aware = frame(DATES), frame(DATES.tz_localize("Europe/Berlin"))
    with pytest.raises(ValueError, match=r"dates with a time zone in place of dates without one in \['a'\]"):
        read(naive, aware)
    with pytest.raises(
        ValueError, match=r"without a time zone in place of dates with one \(Europe/Berlin\) in \['a'\]"
    ):
        read(aware, naive)
    mixed = frame([DATES[0], DATES[1].tz_localize("UTC")], object)
    for X in (mixed, naive):
        with pytest.raises(
            ValueError, match=r"Column 'a' .* dates .* some have a time zone, others have none"
        ):
            read(X, mixed)


@pytest.mark.parametrize("value", [np.inf, decimal.Decimal("inf"), 10**400])
def test_numbers_that_do_not_fit(value):
    with pytest.raises(ValueError, match="olumn 'a'"):
        read(frame([1, value], object))


# Whatever holds it


def test_an_array_is_a_table_too():
    X = np.array(
        [[1.5, "u", "3", DATES[0], None], [2, "v", "?", DATES[1], None], [0, "w", "5", None, None]], object
    )
    with pytest.warns(UserWarning, match=r"as numbers: 2 \(1 of 3 values"):
        reader = TableReader().fit(X)
    assert reader.readings_ == ["number", "level", "number in text", "date", "nothing"]
    assert reader.transform(X)[2].isna().tolist() == [False, True, False]
    with pytest.raises(ValueError, match=r"Found text in place of numbers in \[0\], such as 'x'"):
        reader.transform(np.array([["x", "u", "3", None, None]], object))


def test_an_array_of_dates_is_a_table_of_dates():
    X = np.array([["2024-01-01", "2025-01-01"], ["2024-01-02", "NaT"]], dtype="datetime64[D]")
    assert TableReader().fit(X).readings_ == ["date", "date"]


def test_numbers_in_place_of_a_table():
    reader = fitted(pd.DataFrame({"day": DATES, "n": NUMBERS}))
    with pytest.raises(ValueError, match=r"numbers in place of dates in \['day'\]"):
        reader.transform(np.ones((3, 2)))
    assert reader.transform(np.array([[np.nan, 1.0]]))["n"].tolist() == [1]


POLARS = [
    (pl.Series(NUMBERS_AS_TEXT), "number in text"),
    (pl.Series(DATES_AS_TEXT), "date in text"),
    (pl.Series(NUMBERS_AS_TEXT, dtype=pl.Categorical), "level"),
    (pl.Series(["1", "2"], dtype=pl.Enum(["2", "1"])), "level"),
    (pl.Series([1, None]), "number"),
    (pl.Series([True, None]), "number"),
    (pl.Series([datetime.date(2024, 1, 1), None]), "date"),
    (pl.Series(DATES.to_pydatetime().tolist()).dt.replace_time_zone("Asia/Tokyo"), "date"),
    (pl.Series([datetime.timedelta(1), None]), "duration"),
    (pl.Series([datetime.time(1), None]), "level"),
    (pl.Series([b"1", b"2"]), "number in text"),
    (pl.Series([None, None]), "number"),
]


def from_polars(series):
    return read_features(BaseEstimator(), series.to_frame("a"), reset=True, allow_nan=True)


@pytest.mark.parametrize(("series", "reading"), POLARS, ids=lambda value: str(getattr(value, "dtype", value)))
def test_polars(series, reading):
    assert fitted(from_polars(series)).readings_ == [reading]


def test_zones_of_polars():
    reader = fitted(from_polars(pl.Series(DATES.to_pydatetime().tolist()).dt.replace_time_zone("Asia/Tokyo")))
    assert reader.zones_ == ["Asia/Tokyo"]


@pytest.mark.parametrize(
    "series",
    [
        pl.Series([[1, 2], [3]]),
        pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)),
        pl.Series([{"k": 1}, {"k": 2}]),
    ],
    ids=lambda series: str(series.dtype),
)
def test_nested_columns_of_polars(series):
    with pytest.raises(TypeError, match=r"single values.*\['a'\]"):
        fitted(from_polars(series))


@pytest.mark.parametrize(
    ("values", "of_arrow", "reading"),
    [
        ([1, None], "int64", "number"),
        ([decimal.Decimal("1.50"), None], "decimal128(9, 2)", "number"),
        ([True, None], "bool_", "number"),
        ([datetime.date(2024, 1, 1), None], "date32", "date"),
        ([datetime.datetime(2024, 1, 1), None], "timestamp('us')", "date"),
        ([datetime.datetime(2024, 1, 1), None], "timestamp('us', 'Asia/Tokyo')", "date"),
        ([datetime.timedelta(hours=3), None], "duration('us')", "duration"),
        ([datetime.time(1), None], "time64('us')", "level"),
        (["u", "v"], "string", "level"),
        (NUMBERS_AS_TEXT, "large_string", "number in text"),
        (DATES_AS_TEXT, "string", "date in text"),
        (["1", "2"], "dictionary(pa.int32(), pa.string())", "level"),
        ([b"1", b"2"], "binary", "number in text"),
        ([None, None], "null", "nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_arrow(values, of_arrow, reading):
    pa = pytest.importorskip("pyarrow")
    dtype = pd.ArrowDtype(eval(f"pa.{of_arrow}", {"pa": pa}) if "(" in of_arrow else getattr(pa, of_arrow)())
    X = frame(pd.arrays.ArrowExtensionArray(pa.array(values, dtype.pyarrow_dtype)))
    assert X["a"].dtype == dtype
    reader = fitted(X)
    assert reader.readings_ == [reading]
    np.testing.assert_array_equal(
        reader.transform(X)["a"].isna(),
        X["a"].isna() | (X["a"].astype(object) == "?") | (X["a"].astype(object) == "n/a"),
    )


@pytest.mark.parametrize("of_arrow", ["list_", "struct"])
def test_nested_columns_of_arrow(of_arrow):
    pa = pytest.importorskip("pyarrow")
    values = pa.array([[1, 2], [3]] if of_arrow == "list_" else [{"k": 1}, {"k": 2}])
    with pytest.raises(TypeError, match=r"single values.*\['a'\]"):
        fitted(frame(pd.arrays.ArrowExtensionArray(values)))


# As a scikit-learn transformer


def test_tables_of_plain_dtypes_come_through_untouched():
    X = pd.DataFrame(
        {"number": NUMBERS, "count": range(N), "bit": [True, False] * 20, "colour": ["u", "v"] * 20}
    )
    assert fitted(X).transform(X) is X
    array = NUMBERS.reshape(-1, 4)
    assert fitted(array).transform(array) is array


def test_the_table_is_left_alone():
    X = pd.DataFrame({name: column for name, column in COLUMNS.items() if name != "categories"})
    before = X.copy()
    fitted(X).transform(X)
    pd.testing.assert_frame_equal(X, before)


def test_clone_and_pickle():
    X = pd.DataFrame(COLUMNS)
    reader = fitted(X)
    assert not hasattr(clone(reader), "readings_")
    copy = pickle.loads(pickle.dumps(reader))
    pd.testing.assert_frame_equal(copy.transform(X), reader.transform(X))
    assert reader.get_feature_names_out().tolist() == list(COLUMNS)


@pytest.mark.parametrize("name", ["id", "user_id", "userId", "movieID", "item.id"])
def test_whole_numbers_that_are_named_as_ids_are_numbers_with_a_warning(name):
    X = pd.DataFrame({name: np.tile(np.arange(51), 2)})
    with pytest.warns(UserWarning, match=rf"named as ids.*\['{name}'\].*astype\('category'\)"):
        reader = TableReader().fit(X)
    assert reader.readings_ == ["number"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("paid", np.tile(np.arange(51), 2)),
        ("humid", np.tile(np.arange(51), 2)),
        ("id", np.tile(np.arange(50), 2)),  # Few.
        ("id", np.arange(200)),  # Each is met once.
        ("id", np.tile(np.arange(51.0), 2)),
        (0, np.tile(np.arange(51), 2)),
    ],
)
def test_no_other_numbers_are_taken_for_ids(name, values):
    TableReader().fit(pd.DataFrame({name: values, type(name)(1): "a"}))
