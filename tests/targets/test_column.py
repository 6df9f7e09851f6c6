"""One task's labels, read from arrays of any kind and from the columns of frames."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sklearn_mtl.targets.column import (
    as_array,
    check_lengths,
    frame_columns,
    holds_survival,
    integer_names,
    is_frame,
    is_missing_marker,
    may_mean_missing,
)
from sklearn_mtl.targets.labels import read_column


@pytest.mark.parametrize(
    ("labels", "dtype", "known"),
    [
        ([1.5, None], "float64", [1.5]),
        ([True, None], "bool", [True]),
        ([3, None], "int64", [3]),
        (["a", None], "object", ["a"]),
        (["a", np.nan], "object", ["a"]),
        (np.array([3, pd.NA], dtype=object), "int64", [3]),
        (pd.array([3, None], dtype="Int64"), "int64", [3]),
        (pd.array([True, None], dtype="boolean"), "bool", [True]),
        (pd.array([1.5, None], dtype="Float32"), "float32", [1.5]),
        (pd.Categorical(["a", None]), "object", ["a"]),
        (pd.Categorical([3, None]), "int64", [3]),
        (pl.Series([3, None]), "int64", [3]),
        (pl.Series([1.5, None], dtype=pl.Float32), "float32", [1.5]),
        (pl.Series([True, None]), "bool", [True]),
        (pl.Series(["a", None], dtype=pl.Categorical), "object", ["a"]),
        (np.array(["2020-01-01", "NaT"], dtype="M8[ns]"), "object", [pd.Timestamp("2020-01-01")]),
        (np.ma.array([3, 4], mask=[False, True]), "int64", [3]),
    ],
    ids=str,
)
def test_values_have_their_natural_dtype_whatever_is_missing(labels, dtype, known):
    column = read_column("a", labels)
    assert column.missing.tolist() == [False, True]
    assert str(column.values.dtype) == dtype
    assert column.values[:1].tolist() == known


@pytest.mark.parametrize(
    "labels",
    [np.arange(3.0), np.array(["a", None, "b"], dtype=object), np.array([0, 1, 1])],
    ids=lambda labels: str(labels.dtype),
)
def test_a_block_of_one_column_is_a_column(labels):
    for block in (labels[:, None], labels[:, None].tolist(), pd.DataFrame({"p": labels})):
        column = read_column("a", block)
        assert column.known.tolist() == [label for label in labels if label is not None]
        assert column.missing.tolist() == pd.isna(labels).tolist()


def test_known_labels_leave_out_the_gaps():
    assert read_column("a", [1.0, np.nan, 3.0]).known.tolist() == [1.0, 3.0]
    assert read_column("a", [[1, 2], [3, 4], [5, 6]]).known.tolist() == [1, 2, 3, 4, 5, 6]


def test_blocks_keep_two_dimensions():
    column = read_column("a", [[1, 0], [0, 1]])
    assert column.values.shape == column.missing.shape == (2, 2)
    frame = pd.DataFrame({"p": [0, 1], "q": [1, 1]})
    assert read_column("a", frame).values.tolist() == [[0, 1], [1, 1]]


def test_a_gap_in_a_list_of_text_stays_a_gap():
    assert as_array(["x", np.nan])[1] is np.nan


def test_integers_of_polars_with_gaps_stay_integers():
    assert as_array(pl.Series([1, None])).tolist() == [1, None]


def test_masked_cells_of_numpy_are_gaps():
    assert as_array(np.ma.array([1, 2], mask=[False, True])).tolist() == [1, None]


def test_a_row_has_a_label_if_some_column_has_one():
    assert read_column("a", [1.0, None]).has_label.tolist() == [True, False]
    block = read_column("a", [[1.0, np.nan], [np.nan, np.nan], [2.0, 3.0]])
    assert block.has_label.tolist() == [True, False, True]


@pytest.mark.parametrize("rows", [np.array([2, 0]), np.array([True, False, True]), slice(0, 3, 2)])
def test_taking_rows_takes_labels_and_gaps(rows):
    column = read_column("a", pd.array([3, None, 5], dtype="Int64"))
    taken = column.take(rows)
    assert (taken.name, taken.dtype, len(taken)) == ("a", column.dtype, 2)
    np.testing.assert_array_equal(taken.values, column.values[rows])
    np.testing.assert_array_equal(taken.missing, column.missing[rows])


def test_a_column_holds_survival_labels_as_times_and_events():
    labels = np.array([(True, 2), (False, 5)], dtype=[("died", bool), ("months", int)])
    column = read_column("relapse", labels)
    assert column.values.tolist() == [[2.0, 1.0], [5.0, 0.0]]
    assert holds_survival(column.dtype)
    assert not holds_survival(np.dtype(float))


@pytest.mark.parametrize(
    ("frame", "names"),
    [
        (pd.DataFrame(np.eye(2)), ["0", "1"]),
        (pd.DataFrame([[1.5, "a"]], columns=[7, "b"]), ["7", "b"]),
        (pl.DataFrame({"a": [1], "b": ["x"]}), ["a", "b"]),
    ],
    ids=["block", "mixed", "polars"],
)
def test_columns_of_frames_have_text_for_names(frame, names):
    assert is_frame(frame)
    columns = frame_columns(frame)
    assert list(columns) == names
    for position, values in enumerate(columns.values()):
        expected = frame.iloc[:, position] if isinstance(frame, pd.DataFrame) else frame.to_series(position)
        assert list(values) == list(expected)


def test_names_that_are_integers_are_known():
    assert integer_names(pd.DataFrame([[1, 2, 3]], columns=[7, "b", True])) == ("7",)
    assert not any(map(is_frame, [pd.Series([1]), pl.Series([1]), np.eye(2), {"a": [1]}, "polars"]))


def test_lengths_that_differ_are_named():
    check_lengths({"a": 3, "b": 3}, n_rows=3)
    with pytest.raises(ValueError, match=r"same number of rows. Found \{'a': 3, 'b': 2\}"):
        check_lengths({"a": 3, "b": 2})
    with pytest.raises(ValueError, match="X has 3 rows, task 'b' has 2"):
        check_lengths({"a": 3, "b": 2}, n_rows=3)


@pytest.mark.parametrize(
    ("text", "may_mean", "is_marker"),
    [
        ("?", True, True),
        ("", True, True),
        (" NA ", True, True),
        (b"n/a", True, True),
        ("None", True, True),
        ("none", True, False),
        ("Na", True, False),
        ("unknown", True, False),
        ("0", False, False),
        ("nano", False, False),
        ("b?", False, False),
    ],
)
def test_text_that_means_a_missing_value(text, may_mean, is_marker):
    assert (may_mean_missing(text), is_missing_marker(text)) == (may_mean, is_marker)
