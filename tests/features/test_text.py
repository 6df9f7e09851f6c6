"""What text says: numbers, dates, codes, or nothing that is read."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.features.text import as_texts, dates_in, is_free_text, kind_of_text, numbers_in


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
    assert numbers_in(texts(text, None)).tolist()[0] == number


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


@pytest.mark.parametrize(
    ("values", "is_free"),
    [
        ([f"house {i} by the sea" for i in range(20)], True),
        ([f"house {i % 5} by the sea" for i in range(20)], False),
        ([f"house{i}" for i in range(20)], False),
        (["a house by the sea"] * 20, False),
        (["a house by the sea"], False),
        ([None] * 5, False),
    ],
)
def test_free_text(values, is_free):
    found = texts(*values)
    assert is_free_text(found, pd.factorize(found)[1]) == is_free


def test_bytes_are_the_text_they_encode():
    assert as_texts(pd.Series([b"u", "u", "ü".encode(), None], dtype=object)).tolist() == [
        "u",
        "u",
        "ü",
        None,
    ]
