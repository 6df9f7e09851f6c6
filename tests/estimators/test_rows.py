"""What fit reads: rows that have a label, and their weights."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskTarget
from sklearn_mtl.estimators.rows import FitData, read_data, read_sample_weight
from sklearn_mtl.features import AcceptedInput

NAMES = ["price", "type"]


def test_none_is_one_everywhere():
    np.testing.assert_array_equal(read_sample_weight(None, NAMES, 3), np.ones((3, 1)))


@pytest.mark.parametrize("container", [list, np.array, pd.Series, tuple])
def test_one_weight_for_each_row(container):
    found = read_sample_weight(container([1, 0, 2]), NAMES, 3)
    np.testing.assert_array_equal(found, [[1.0], [0.0], [2.0]])
    assert found.dtype == np.float64


@pytest.mark.parametrize("container", [dict, pd.DataFrame, MultiTaskTarget])
def test_weights_by_task_and_ones_for_the_rest(container):
    found = read_sample_weight(container({"type": np.array([1.0, 0.0, 2.0])}), NAMES, 3)
    np.testing.assert_array_equal(found, [[1, 1], [1, 0], [1, 2]])


def test_weights_by_task_follow_the_order_of_the_tasks():
    found = read_sample_weight({"type": [1, 2], "price": [3, 4]}, NAMES, 2)
    np.testing.assert_array_equal(found, [[3, 1], [4, 2]])


def test_of_another_length_says_how_to_split_them():
    with pytest.raises(
        ValueError, match=r"sample_weight\['type'\].*\(2,\), expected \(3,\).*DataFrame or Multi"
    ):
        read_sample_weight({"type": [1, 2]}, NAMES, 3)


# --------------------------------------------------------------------------- rows


def read(y, weight=None):
    X = np.arange(8.0).reshape(4, 2)
    return read_data(X, y, weight, owner="Estimator", accepted=AcceptedInput.by(None))


def test_rows_without_any_label_or_weight_are_left_out():
    y = {"price": [1.0, np.nan, np.nan, 2.0], "size": [np.nan, np.nan, 3.0, 4.0]}
    assert read(y).rows.index.tolist() == [0, 2, 3]
    assert read(y, [1.0, 1.0, 0.0, 2.0]).rows.index.tolist() == [0, 3]
    assert len(read(y).targets.columns["price"]) == 4
    with pytest.raises(ValueError, match="must hold at least one label of positive weight"):
        read({"price": [np.nan] * 4})


def test_rows_of_rows_are_still_those_of_x():
    rows = read({"price": [1.0, np.nan, 3.0, 4.0]}).rows.take(np.array([1, 2]))
    assert rows.index.tolist() == [2, 3]
    assert rows.columns["price"].values.tolist() == [3.0, 4.0]
    assert rows.take(np.arange(2)) is rows


def test_a_task_is_left_out_with_its_weights():
    rows = read({"price": [1.0, 2.0, 3.0, 4.0], "gone": [np.nan] * 4}, {"gone": [1.0, 2.0, 3.0, 4.0]}).rows
    assert rows.unlabelled() == ["gone"]
    kept = rows.without(names=["gone"])
    assert list(kept.columns) == ["price"]
    assert kept.weight.shape == (4, 1)
    assert rows.without(names=[]) is rows


def test_what_reads_has_the_name_of_the_estimator():
    found = read({"price": [1.0, 2.0, 3.0, 4.0]})
    assert type(found.reader).__name__ == "Estimator"
    with pytest.raises(ValueError, match="X has 3 features, but Estimator is expecting 2 features"):
        AcceptedInput.by(None).read(found.reader, np.zeros((2, 3)), reset=False)


def test_validation_rows_come_in_pairs():
    with pytest.raises(ValueError, match="`X_val` and `y_val` must be given together"):
        FitData([[1.0]], [1.0], X_val=[[1.0]])
    assert not FitData([[1.0]], [1.0]).has_validation
    assert FitData([[1.0]], [1.0], X_val=[[1.0]], y_val=[1.0]).has_validation


def test_masked_weights_are_missing():
    weight = np.ma.array([1.0, 2.0], mask=[False, True])
    with pytest.raises(ValueError, match="sample_weight contains NaN"):
        read_sample_weight(weight, ["a"], 2)
    with pytest.raises(ValueError, match="'a'\\] contains NaN"):
        read_sample_weight({"a": weight}, ["a"], 2)
