import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskTarget
from sklearn_mtl.estimators.rows import read_sample_weight

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
