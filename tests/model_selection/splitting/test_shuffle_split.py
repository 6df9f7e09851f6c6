"""Random splits have their sizes and the shares of every class."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.model_selection import (
    TaskStratifiedShuffleSplit,
)


@pytest.mark.parametrize(
    ("sizes", "n_train", "n_test"),
    [
        ({}, 81, 9),
        ({"test_size": 0.3}, 63, 27),
        ({"test_size": 11}, 79, 11),
        ({"train_size": 0.5}, 45, 45),
        ({"train_size": 40, "test_size": 20}, 40, 20),
    ],
)
@pytest.mark.parametrize("task", ["type", ["type", "sold"]])
def test_random_splits_have_the_sizes_and_the_shares(drawn, task, sizes, n_train, n_test):
    X, Y = drawn
    types = pd.Series(Y["type"]).fillna("none")
    splits = list(TaskStratifiedShuffleSplit(4, task=task, random_state=0, **sizes).split(X, Y))
    assert len(splits) == 4
    for train, test in splits:
        assert (len(train), len(test)) == (n_train, n_test)
        assert len(np.intersect1d(train, test)) == 0
        for rows in (train, test):
            expected = types.value_counts() * len(rows) / 90
            assert ((types.iloc[rows].value_counts() - expected).abs() <= 2).all()


def test_a_class_of_one_row_is_trained_on():
    Y = {"a": ["x"] * 10 + ["y"] * 9 + ["z"]}
    for train, _ in TaskStratifiedShuffleSplit(5, task="a", random_state=0).split(np.zeros(20), Y):
        assert 19 in train
