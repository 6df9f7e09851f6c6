"""What a column holds, and which columns of a table are of a kind."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.features.kinds import (
    ColumnsOf,
    columns_not_numeric,
    columns_of,
    columns_with_gaps,
    content_of,
    holds_bits,
    listed,
    named,
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
