"""What a column holds, also as text, and which columns of a table are of a kind."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.features.kinds import (
    FREE_TEXT,
    ColumnsOf,
    as_texts,
    columns_not_numeric,
    columns_of,
    columns_with_gaps,
    content_of,
    dates_in,
    holds_bits,
    kind_of_text,
    listed,
    named,
    numbers_in,
    refuse_sequences,
    which_vary,
)

OBJECTS = {
    "numbers": [1, 2.5, None],
    "booleans": [True, None],
    "dates": [datetime.date(2024, 1, 1), None],
    "durations": [pd.Timedelta("1h"), None],
    "text": [40, "L"],
    "sequences": [[1], "L"],
    "complex numbers": [1j, 2],
    "gaps": [None, None],
}
TYPED = {
    "numbers": pd.Series([1, None], dtype="Int8"),
    "booleans": pd.Series([True, None], dtype="boolean"),
    "dates": pd.Series(pd.PeriodIndex(["2024-03"], freq="M")),
    "durations": pd.Series(pd.to_timedelta([1], unit="s")),
    "text": pd.Series(["L"], dtype="string"),
    # Asked before their dtype calls itself a boolean.
    "categories": pd.Series([True, False], dtype="category"),
    "complex numbers": pd.Series([1j]),
}
TABLE = pd.DataFrame(
    {
        "area": [50.0, None, 80.0],
        "garden": [0, 1, 1],
        "sold": pd.date_range("2024", periods=3),
        "lease": pd.to_timedelta([1, 2, None], unit="D"),
        "colour": ["red", None, "blue"],
        "let": [True, False, True],
    }
)
OF_KIND = {"continuous": [0], "bit": [1, 5], "date": [2], "duration": [3], "text": [4]}


@pytest.mark.parametrize(("content", "values"), OBJECTS.items())
def test_content_of_objects(content, values):
    assert content_of(pd.Series(values, dtype=object)) == content


@pytest.mark.parametrize(("content", "column"), TYPED.items())
def test_content_by_dtype(content, column):
    assert content_of(column) == content


def test_decimals_beside_numbers_are_numbers():
    assert content_of(pd.Series([decimal.Decimal("1.5"), 2], dtype=object)) == "numbers"


@pytest.mark.parametrize(("kind", "positions"), OF_KIND.items())
def test_each_column_is_of_one_kind(kind, positions):
    assert columns_of(TABLE, kind) == ColumnsOf(kind)(TABLE) == positions


def test_columns_of_an_array_are_numbers():
    X = np.array([[0.5, 1.0], [2.5, np.nan]])
    assert [columns_of(X, kind) for kind in OF_KIND] == [[0], [1], [], [], []]


def test_free_text_is_what_a_frame_says_it_is():
    X = pd.DataFrame({"colour": ["u", "v"], "area": [1.5, 2.5], "note": ["a house", "a flat"]})
    assert (columns_of(X, "free text"), columns_of(X, "text")) == ([], [0, 2])
    X.attrs[FREE_TEXT] = [2]
    assert (columns_of(X, "free text"), columns_of(X, "text")) == ([2], [0, 2])


def test_gaps_of_text_are_a_level_and_no_gap():
    assert columns_with_gaps(TABLE) == [0, 3]
    assert columns_with_gaps(np.array([[1.0, np.nan]])) == [1]


def test_columns_that_are_not_numeric():
    assert columns_not_numeric(TABLE) == [2, 3, 4]


def test_bits_and_columns_that_vary():
    values = np.array([[0.0, 3.0, 0.0, np.nan], [1.0, 3.0, 2.0, 1.0]])
    assert holds_bits(values).tolist() == [True, False, False, True]
    assert which_vary(values[:, :3]).tolist() == [True, False, True]


def test_a_message_names_ten_columns():
    assert named(["a", 3]) == "['a', 3]"
    assert listed([str(i) for i in range(12)]).endswith("9, and 2 more")


def test_cells_that_hold_several_values_are_refused_by_name():
    refuse_sequences(TABLE, [])
    with pytest.raises(TypeError, match=r"lists, arrays or dicts in the columns \['garden'\]"):
        refuse_sequences(TABLE, [1])


# Text


def texts(*values):
    return np.array(values, dtype=object)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0),
        (" 2.5\t", 2.5),
        ("+5", 5.0),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("007", 7.0),
        ("1" * 30, float("1" * 30)),
    ],
)
def test_numbers(text, number):
    # Up to pandas 2 the last digit of a text this long may differ.
    assert numbers_in(texts(text, None)).tolist()[0] == pytest.approx(number, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "inf",
        "1e999",
        "nan",
        "True",
        "1,000",
        "1,5",
        "1 000",
        "5%",
        "$5",
        "0x1F",
        "1_000",
        "5 m",
        "٣",
    ],
)
def test_what_reads_differently_elsewhere_is_no_number(text):
    assert np.isnan(numbers_in(texts(text))).all()


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-02-29", "2024-02-29"),
        (" 2024/02/29 ", "2024-02-29"),
        ("2024-02", "2024-02-01"),
        ("2024-02-29T10:30", "2024-02-29T10:30"),
        ("2024-02-29 10:30:05.123456789Z", "2024-02-29T10:30:05.123456"),
        ("2024-02-29T09:00+09:00", "2024-02-29T00:00"),
        ("2024-02-29T09:00:00+0900", "2024-02-29T00:00"),
        ("0001-01-01", "0001-01-01"),
        ("1582-10-15T12:00+01:00", "1582-10-15T11:00"),
        ("1600-02-29", "1600-02-29"),
        ("2262-04-12", "2262-04-12"),
        ("9999-12-31", "9999-12-31"),
    ],
)
def test_dates(text, date):
    # Beside each other, so that no date depends on how precise the others are.
    found = dates_in(texts("2024-01-01T00:00:00.123456789", text, None))
    assert found.tolist()[1] == pd.Timestamp(date)
    assert pd.isna(found.tolist()[2])


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29",
        "1900-02-29",
        "2300-02-29",
        "0000-01-01",
        "2024-13-01",
        "29.2.2024",
        "02/29/2024",
        "29-02-2024",
        "2024",
        "20240229",
        "now",
        "today",
        "2024-W09",
    ],
)
def test_what_is_no_date_of_iso_8601(text):
    assert dates_in(texts(text)).isna().all()


@pytest.mark.parametrize(
    ("distinct", "kind"),
    [
        (["1", "2", "3"], "number"),
        (["0", "1"], "number"),
        (["1.5", "2", "?"], "number"),
        (["1", "2", "", "-", "N/A", "unknown"], "number"),
        ([*map(str, range(9)), "many"], "number"),
        ([*map(str, range(8)), "many"], "level"),
        (["5"], "level"),
        (["5", "?"], "level"),
        (["01067", "80331", "20095"], "level"),
        (["007", "12"], "level"),
        (["0.5", "0"], "number"),
        (["1,5", "2,5"], "level"),
        (["5%", "7%"], "level"),
        (["2024-02-29", "2023-12-31"], "date"),
        (["2024-02-29", "2023-12-31", "?"], "date"),
        ([*(f"2024-01-{day:02}" for day in range(1, 10)), "soon"], "date"),
        (["29.2.2024", "31.12.2023"], "level"),
        (["2024-02-29", "7"], "level"),
        ([], "level"),
    ],
)
def test_kind(distinct, kind):
    assert kind_of_text(texts(*distinct)) == kind


def test_bytes_are_the_text_they_encode():
    assert as_texts(pd.Series([b"u", "u", "ü".encode(), None], dtype=object)).tolist() == [
        "u",
        "u",
        "ü",
        None,
    ]
