"""Strata of regressions, of tasks with gaps and of several labels."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.model_selection import (
    TaskStratifiedKFold,
    TaskStratifiedShuffleSplit,
)
from sklearn_mtl.model_selection.splitting.stratification import iterative_folds
from tests.model_selection.splitting.measures import assert_partition, counts_by_fold


def test_the_steps_of_iterative_stratification():
    # The single row of stratum 2 goes first, to the first part; stratum 1 has then two rows for two parts.
    codes = np.array([[0], [0], [1], [0], [2], [1]])
    sizes = np.array([3, 3])
    assert iterative_folds(codes, sizes, np.array([0.5, 0.5])).tolist() == [1, 0, 1, 1, 0, 0]


@pytest.mark.parametrize("task", ["price", ["price", "type"]])
def test_a_regression_is_stratified_by_its_quantiles(drawn, task):
    X, Y = drawn
    # In the order of the prices, so that folds of neighbours would each have prices of their own.
    order = np.argsort(Y["price"])
    X, Y = X[order], {name: values[order] for name, values in Y.items()}
    splits = list(TaskStratifiedKFold(3, task=task).split(X, Y))
    assert_partition(splits, 90)
    quarters = np.where(np.isnan(Y["price"]), "none", pd.qcut(Y["price"], 5, labels=False).astype(str))
    counts = counts_by_fold(quarters, splits)
    assert (counts.max() - counts.min() <= (1 if task == "price" else 2)).all()
    means = [np.nanmean(Y["price"][test]) for _, test in splits]
    in_order = [np.nanmean(Y["price"][test]) for test in np.array_split(np.arange(72), 3)]
    assert np.ptp(means) < 0.4 * np.ptp(in_order)


def test_the_number_of_bins():
    Y = {"price": np.arange(100) + 0.5}
    rough, fine = (list(TaskStratifiedKFold(2, n_bins=n).split(np.zeros(100), Y)) for n in (2, 50))
    assert (counts_by_fold(np.arange(100) // 50, rough) == 25).all(axis=None)
    assert not (counts_by_fold(np.arange(100) // 2, rough) == 1).all(axis=None)
    assert (counts_by_fold(np.arange(100) // 2, fine) == 1).all(axis=None)


def test_outputs_of_a_regression_are_each_spread():
    rng = np.random.default_rng(0)
    Y = {"place": rng.normal(size=(100, 2))}
    splits = list(TaskStratifiedKFold(4).split(np.zeros(100), Y))
    for values in Y["place"].T:
        assert (abs(counts_by_fold(pd.qcut(values, 5, labels=False), splits) - 5) <= 1).all(axis=None)


@pytest.mark.parametrize("task", [None, ["many", "scarce"]])
def test_the_labels_of_a_small_task_are_spread(task):
    rng = np.random.default_rng(0)
    scarce = np.full(200, np.nan)
    # All in the first rows, which a fold in order would hold alone.
    scarce[:10] = rng.normal(size=10)
    Y = {"many": rng.normal(size=200), "scarce": scarce}
    splits = list(TaskStratifiedKFold(5, task=task).split(np.zeros(200), Y))
    assert [int((~np.isnan(scarce[test])).sum()) for _, test in splits] == [2] * 5
    for train, test in TaskStratifiedShuffleSplit(5, task=task, test_size=0.2, random_state=0).split(
        np.zeros(200), Y
    ):
        assert np.isfinite(scarce[test]).sum() == 2
        assert np.isfinite(scarce[train]).sum() == 8


def test_all_tasks_are_the_default(drawn):
    X, Y = drawn
    named = TaskStratifiedKFold(3, task=list(Y)).split(X, Y)
    for (_, ours), (_, theirs) in zip(TaskStratifiedKFold(3).split(X, Y), named, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    types = pd.Series(Y["type"]).fillna("none")
    counts = counts_by_fold(types, list(TaskStratifiedKFold(3).split(X, Y)))
    assert (counts.max() - counts.min() <= 2).all()


def test_integers_are_classes_while_they_repeat():
    many = {"code": np.arange(300) % 30}
    splits = list(TaskStratifiedKFold(5, task="code").split(np.zeros(300), many))
    assert (counts_by_fold(many["code"], splits) == 2).all(axis=None)
    # 150 values of two rows each are numbers: no class of them is missed.
    binned = list(TaskStratifiedKFold(5, task="code").split(np.zeros(300), {"code": np.arange(300) % 150}))
    assert (counts_by_fold(np.arange(300) % 150 // 30, binned) == 12).all(axis=None)
