import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.estimator_checks import _NotAnArray

from sklearn_mtl.targets import MultiTaskTarget, infer_kind, read_targets, restore_dtype

NUMPY = [
    np.array([1.5, 2.5, 1.5]),
    np.array([1.5, 2.5, 1.5], dtype=np.float32),
    np.array([1, 2, 1]),
    np.array([1, 2, 1], dtype=np.uint8),
    np.array([True, False, True]),
    np.array(["a", "bcd", "a"]),
    np.array(["a", "bcd", "a"], dtype=object),
    np.array([1, 2, 1], dtype=object),
    np.array(["2020-01-01", "2020-01-02", "2020-01-01"], dtype="M8[D]"),
    np.array(["2020-01-01", "2020-01-02", "2020-01-01"], dtype="M8[ns]"),
    np.array([1, 2, 1], dtype="m8[s]"),
]
PANDAS = [
    pd.Series(["a", "b", "a"], dtype="str"),
    pd.Series(["a", "b", "a"], dtype="string"),
    pd.Series(["a", "b", "a"], dtype=object),
    pd.Series(["a", "b", "a"], dtype=pd.CategoricalDtype(["b", "c", "a"], ordered=True)),
    pd.Series([3, 1, 3], dtype="category"),
    pd.Series([1, 2, 1], dtype="Int64"),
    pd.Series([1, 2, 1], dtype="UInt8"),
    pd.Series([1.5, 2.5, 1.5], dtype="Float32"),
    pd.Series([True, False, True], dtype="boolean"),
    pd.Series(pd.date_range("2020", periods=3, tz="UTC")),
    pd.Series(pd.period_range("2020", periods=3, freq="D")),
    pd.Series([0, 1, 0], dtype="Sparse[int64]"),
    pd.Series([1.5, 2.5, 1.5]),
]
POLARS = [
    pl.Series([1, 2, 1], dtype=pl.Int16),
    pl.Series([1.5, 2.5, 1.5], dtype=pl.Float32),
    pl.Series([True, False, True]),
    pl.Series(["a", "b", "a"]),
    pl.Series(["a", "b", "a"], dtype=pl.Categorical),
    pl.Series(["a", "b", "a"], dtype=pl.Enum(["c", "b", "a"])),
]


def dtype_of(labels):
    return str(labels.dtype)


def predicted(targets):
    """What a model that is always right would give."""
    return {name: restore_dtype(column.values, column.dtype) for name, column in targets.columns.items()}


@pytest.mark.parametrize("labels", NUMPY + PANDAS, ids=dtype_of)
def test_a_mapping_comes_back_as_it_went_in(labels):
    targets = read_targets({"a": labels, "b": labels})
    restored = targets.layout.restore(predicted(targets))
    assert targets.layout.kind == "mapping"
    assert restored == MultiTaskTarget({"a": labels, "b": labels})
    assert restored["a"].dtype == labels.dtype
    assert isinstance(restored["a"], np.ndarray) == isinstance(labels.dtype, np.dtype)


@pytest.mark.parametrize("labels", PANDAS, ids=dtype_of)
def test_a_pandas_frame_comes_back_as_it_went_in(labels):
    frame = pd.DataFrame({"a": labels, "b": labels}).set_axis([5, 3, 9])
    targets = read_targets(frame)
    pd.testing.assert_frame_equal(targets.layout.restore(predicted(targets), index=frame.index), frame)


@pytest.mark.parametrize("labels", POLARS, ids=dtype_of)
def test_a_polars_frame_comes_back_as_it_went_in(labels):
    frame = pl.DataFrame({"a": labels, "b": labels})
    targets = read_targets(frame)
    restored = targets.layout.restore(predicted(targets))
    assert restored.schema == frame.schema
    assert restored.equals(frame)


@pytest.mark.parametrize("labels", NUMPY, ids=dtype_of)
def test_arrays_come_back_as_they_went_in(labels):
    one = read_targets(labels)
    assert list(one.columns) == ["y"]
    restored = one.layout.restore(predicted(one))
    assert restored.dtype == labels.dtype
    np.testing.assert_array_equal(restored, labels)

    two = read_targets(np.column_stack([labels, labels]))
    assert list(two.columns) == ["y0", "y1"]
    restored = two.layout.restore(predicted(two))
    assert restored.dtype == labels.dtype
    np.testing.assert_array_equal(restored, np.column_stack([labels, labels]))


@pytest.mark.parametrize("labels", PANDAS, ids=dtype_of)
def test_a_series_comes_back_as_an_array(labels):
    targets = read_targets(labels)
    restored = targets.layout.restore(predicted(targets))
    assert type(restored) is np.ndarray
    assert restored.tolist() == labels.tolist()


def test_text_and_numbers_side_by_side_stay_what_they_are():
    columns = read_targets([["a", 1.5], ["b", np.nan]]).columns
    assert columns["y0"].values.tolist() == ["a", "b"]
    assert columns["y1"].values.dtype == np.float64
    assert columns["y1"].missing.tolist() == [False, True]


def test_stacked_predictions_take_the_widest_dtype():
    layout = read_targets(np.ones((2, 2))).layout
    numbers = layout.restore({"y0": np.array([1, 2]), "y1": np.array([0.5, 1.5])})
    assert numbers.dtype == np.float64
    mixed = layout.restore({"y0": np.array(["a", "b"]), "y1": np.array([0.5, 1.5])})
    assert mixed.tolist() == [["a", 0.5], ["b", 1.5]]


def test_regressions_of_a_polars_frame_stay_floats():
    layout = read_targets(pl.DataFrame({"rooms": [1, 2]})).layout
    assert layout.restore({"rooms": np.array([1.5])}).schema == {"rooms": pl.Float64}


def test_blocks_and_classes_go_by_the_container():
    blocks = {"y0": np.ones((1, 2)), "y1": np.ones((1, 2, 2))}
    two = read_targets(np.ones((2, 2))).layout
    assert [type(two.restore_blocks(blocks)), type(two.restore_classes(blocks))] == [list, list]
    one = read_targets(np.ones(2)).layout
    assert one.restore_blocks({"y": blocks["y0"]}) is one.restore_classes({"y": blocks["y0"]})
    named = read_targets({"a": [1.0]}).layout
    assert type(named.restore_blocks(blocks)) is MultiTaskTarget
    assert type(named.restore_classes(blocks)) is dict


def test_one_column_of_an_array_is_one_task_with_a_warning():
    with pytest.warns(DataConversionWarning):
        targets = read_targets(np.ones((3, 1)))
    assert targets.layout.kind == "1d"


def test_objects_that_refuse_numpy_functions_are_read():
    assert read_targets(_NotAnArray(np.arange(3.0))).columns["y"].values.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (None, ValueError, "requires y to be passed, but the target y is None"),
        (3.0, ValueError, "one, two or three dimensions"),
        ({}, ValueError, "at least one task"),
        ({"a": []}, ValueError, "at least one row"),
        (np.ones((2, 2, 2, 2)), ValueError, r"\(2, 2, 2, 2\)"),
        ({"a": np.ones((2, 2, 2, 2))}, ValueError, r"\(2, 2, 2, 2\).*'a'"),
        ({0: [1.0]}, TypeError, "must be strings. Found 0"),
        (pd.DataFrame([[1.0]], columns=[0.5]), TypeError, "must be strings. Found 0.5"),
        (pd.DataFrame([[1, 2]], columns=[0, "0"]), ValueError, r"unique.*'0'"),
        ({"a__b": [1.0]}, ValueError, "'a__b'"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, r"unique.*'a'"),
        ({"price": [1] * 3, "type": [1] * 2}, ValueError, "'price': 3, 'type': 2"),
        (np.full(3, np.nan), ValueError, "^Input y contains NaN"),
        (np.array(["a", None], dtype=object), ValueError, "^Input y contains NaN"),
        (["a", np.nan], ValueError, "^Input y contains NaN"),
        (pd.Series([1, None], dtype="Int64"), ValueError, "^Input y contains NaN"),
        (pl.Series([1, None]), ValueError, "^Input y contains NaN"),
        (
            np.full(3, np.inf),
            ValueError,
            r"Input y contains infinity or a value too large for dtype\('float64'",
        ),
        ({"a": [1.0], "price": [np.inf]}, ValueError, "infinity.*'price'"),
        (np.array([1j]), ValueError, "Complex data not supported"),
        ({"a": [1j]}, ValueError, "Complex data not supported.*'a'"),
        ({"a": [1j, None]}, ValueError, "Complex data not supported.*'a'"),
        (csr_array(np.eye(2)), TypeError, r"[Ss]parse.*toarray"),
        ({"a": csr_array(np.eye(2))}, TypeError, r"[Ss]parse.*toarray"),
        (np.array([(1, 2.0)], dtype=[("p", int), ("q", float)]), ValueError, "structured.*'p', 'q'"),
    ],
    ids=lambda value: None if isinstance(value, str | type) else type(value).__name__,
)
def test_what_is_refused(y, error, message):
    with pytest.raises(error, match=message):
        read_targets(y)


@pytest.mark.parametrize("frame", [pd.DataFrame(np.eye(3)), pd.DataFrame([[1.5, "a"]], columns=[7, "b"])])
def test_integer_names_of_columns_are_their_text_and_come_back(frame):
    targets = read_targets(frame)
    assert list(targets.columns) == [str(name) for name in frame.columns]
    layout = pickle.loads(pickle.dumps(targets.layout))
    restored = layout.restore(predicted(targets), index=frame.index)
    pd.testing.assert_frame_equal(restored, frame, check_dtype=False)
    assert list(restored.columns) == list(frame.columns)


@pytest.mark.parametrize(
    "parts",
    [
        [np.zeros(5), np.ones(5)],
        (np.zeros(5), pd.Series(np.ones(5))),
        [np.zeros(5), np.zeros((5, 2))],
        [[0.5] * 5, [1.5] * 5],
        [np.zeros(5)],
    ],
    ids=["arrays", "tuple", "ragged", "lists", "one"],
)
def test_labels_task_by_task_are_told_from_rows(parts):
    with pytest.raises(ValueError, match=rf"of {len(parts)} arrays of 5 labels.*mapping.*'price': y\[0\]"):
        read_targets(parts, n_rows=5)


def test_rows_are_no_list_of_tasks():
    assert list(read_targets([[1.5, 2.5], [3.5, 4.5]], n_rows=2).columns) == ["y0", "y1"]
    assert list(read_targets([np.zeros(3)] * 5, n_rows=5).columns) == ["y0", "y1", "y2"]
    assert list(read_targets(["ab", "cd"], n_rows=2).columns) == ["y"]


def test_rows_of_x_and_y_are_compared():
    with pytest.raises(ValueError, match="inconsistent numbers of samples: X has 4 rows, task 'price' has 3"):
        read_targets({"price": [1.0] * 3}, n_rows=4)


def test_reading_changes_nothing_and_warns_of_nothing():
    labels = np.array(["a", None, "b"], dtype=object)
    numbers = np.array([1.0, np.nan, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_targets({"a": labels, "b": numbers})
    assert labels.tolist() == ["a", None, "b"]
    np.testing.assert_array_equal(numbers, [1.0, np.nan, 2.0])


def test_gaps_do_not_change_the_kind():
    for labels in ([1, 2, None], [True, False, None], ["a", "b", None]):
        for given in (labels, pl.Series(labels), pd.array(labels)):
            assert infer_kind(read_targets({"a": given}).columns["a"]) == "classification"


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32, bool])
def test_a_frame_of_one_dtype_reads_as_its_columns_do(dtype):
    block = np.random.default_rng(0).integers(0, 2, (6, 3)).astype(dtype)
    if dtype == np.float32:
        block[2, 1] = np.nan
    frame = pd.DataFrame(block, columns=list("abc"))
    together = read_targets(frame).columns
    alone = read_targets({name: frame[name] for name in frame}).columns
    for name in frame:
        assert together[name].dtype == alone[name].dtype == dtype
        np.testing.assert_array_equal(together[name].values, alone[name].values)
        np.testing.assert_array_equal(together[name].missing, alone[name].missing)


def test_labels_of_a_task_lie_together():
    # Reading a column across the rows of a wide array costs a thousand tasks more than all else.
    block = np.zeros((6, 3))
    for y in (block, pd.DataFrame(block, columns=list("abc"))):
        assert all(column.values.flags.c_contiguous for column in read_targets(y).columns.values())


MASKED = np.ma.array([1, 2, 3], mask=[False, True, False])


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64, "U1", object, "M8[D]"])
def test_masked_labels_of_an_array_are_missing(dtype):
    masked = MASKED.astype(dtype)
    with pytest.raises(ValueError, match="Input y contains NaN: 1 of 3 labels"):
        read_targets(masked)
    columns = read_targets(np.ma.column_stack([masked, masked])).columns
    assert columns["y0"].missing.tolist() == columns["y1"].missing.tolist() == [False, True, False]
    # Where nothing is masked, the labels keep their dtype.
    whole = np.ma.array(masked.data)
    assert read_targets(whole).columns["y"].dtype == read_targets({"y": whole}).columns["y"].dtype == dtype
