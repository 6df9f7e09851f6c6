"""Groups stay together, and classes are spread as well as that allows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedGroupKFold,
)

from sklearn_mtl.model_selection import (
    TaskStratifiedGroupKFold,
)
from tests.model_selection.splitting.measures import assert_partition, counts_by_fold


def test_groups_stay_together_and_classes_are_spread(drawn):
    X, Y = drawn
    groups = np.array([f"group{i}" for i in np.random.RandomState(0).randint(0, 30, size=90)])
    for task in ("type", None):
        splits = list(TaskStratifiedGroupKFold(3, task=task).split(X, Y, groups))
        assert_partition(splits, 90)
        for train, test in splits:
            assert not set(groups[train]) & set(groups[test])
        counts = counts_by_fold(pd.Series(Y["type"]).fillna("none"), splits)
        assert (counts.max() - counts.min() <= 4).all()
        assert np.ptp([len(test) for _, test in splits]) <= 6


def spread_of(labels, splits):
    counts = counts_by_fold(labels, splits)
    return float((counts / counts.sum()).std(ddof=0).mean())


def test_groups_are_spread_as_well_as_by_scikit_learn():
    ours, theirs, by_group = [], [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        groups = rng.integers(0, 40, size=400)
        # Each group leans to a class of its own; the last class is rare.
        labels = np.where(
            rng.random(400) < 0.5,
            rng.integers(0, 3, size=40)[groups],
            rng.choice(3, 400, p=[0.6, 0.35, 0.05]),
        )
        X = np.zeros((400, 1))
        ours.append(spread_of(labels, TaskStratifiedGroupKFold(5).split(X, labels, groups)))
        theirs.append(spread_of(labels, StratifiedGroupKFold(5).split(X, labels, groups)))
        by_group.append(spread_of(labels, GroupKFold(5).split(X, labels, groups)))
    assert np.mean(ours) <= np.mean(theirs)
    assert np.mean(ours) < 0.3 * np.mean(by_group)


def test_groups_of_several_tasks():
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 60, size=600)
    scarce = np.where(rng.random(600) < 0.05, rng.normal(size=600), np.nan)
    Y = {
        "a": rng.integers(0, 2, size=60)[groups],
        "b": rng.choice(["x", "y"], 600, p=[0.9, 0.1]),
        "c": scarce,
    }
    splits = list(TaskStratifiedGroupKFold(4).split(np.zeros(600), Y, groups))
    plain = list(GroupKFold(4).split(np.zeros(600), groups=groups))
    for labels in (Y["a"], Y["b"], np.isnan(scarce)):
        assert spread_of(labels, splits) < 0.02
    assert sum(spread_of(labels, plain) for labels in (Y["a"], Y["b"], np.isnan(scarce))) > 0.08


def test_seeds_of_groups(drawn):
    groups = np.arange(90) // 3

    def tests(**settings):
        cv = TaskStratifiedGroupKFold(3, task="sold", **settings)
        return [test.tolist() for _, test in cv.split(*drawn, groups)]

    assert tests() == tests()
    assert tests(shuffle=True, random_state=1) == tests(shuffle=True, random_state=1)
    assert tests(shuffle=True, random_state=1) != tests(shuffle=True, random_state=2)


def test_groups_in_scikit_learn(cheap, drawn, target, routing):
    cv = TaskStratifiedGroupKFold(2, task="type")
    search = GridSearchCV(cheap(), {"lr": [0.01]}, cv=cv)
    # As splitters of scikit-learn do, this one asks for groups of itself.
    assert "groups" in cv.get_metadata_routing().split.requests
    assert cv.get_metadata_routing().split.requests["groups"] is True
    with pytest.raises(ValueError, match=r"`groups` must hold the group of each row of X\. Found None"):
        search.fit(drawn[0], target)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (None, "`groups` must hold the group of each row of X. Found None"),
        (np.zeros(89), r"inconsistent numbers of samples: \[90, 90, 89\]"),
        (np.where(np.arange(90) < 2, np.nan, 1.0), "Found 2 missing"),
        (np.zeros(90), "`n_splits` must not exceed the 1 groups. Found 2"),
    ],
)
def test_groups_that_are_none(drawn, groups, message):
    with pytest.raises(ValueError, match=message):
        next(TaskStratifiedGroupKFold(2, task="type").split(*drawn, groups))


def test_a_class_in_one_group_is_named():
    Y = {"a": ["x"] * 10 + ["y"] * 9 + ["z"]}
    with pytest.warns(UserWarning, match=r"no row of the classes \['z'\] of task 'a'"):
        list(TaskStratifiedGroupKFold(4).split(np.zeros(20), Y, np.arange(20)))
