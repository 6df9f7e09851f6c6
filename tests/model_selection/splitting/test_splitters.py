"""Every part has its share of every class, rows without a label included; what is lost is said by name."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)

from sklearn_mtl import MultiTaskTarget
from sklearn_mtl.model_selection import (
    TaskStratifiedGroupKFold,
    TaskStratifiedKFold,
    TaskStratifiedShuffleSplit,
)
from sklearn_mtl.model_selection.splitting.stratification import iterative_folds


def shares(labels, rows):
    return pd.Series(labels, dtype=object)[rows].value_counts(dropna=False).sort_index()


def assert_partition(splits, n_rows):
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in splits])), np.arange(n_rows))
    for train, test in splits:
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(n_rows))


# Folds


@pytest.mark.parametrize("shuffle", [False, True])
def test_one_task_without_gaps_is_split_as_by_stratified_k_fold(drawn, shuffle):
    X, Y = drawn
    seed = 3 if shuffle else None
    ours = TaskStratifiedKFold(4, task="sold", shuffle=shuffle, random_state=seed).split(X, Y)
    theirs = StratifiedKFold(4, shuffle=shuffle, random_state=seed).split(X, Y["sold"])
    for (train, test), (their_train, their_test) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(train, their_train)
        np.testing.assert_array_equal(test, their_test)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("n_splits", [2, 5, 7])
def test_each_fold_has_its_share_of_each_class_and_of_the_gaps(drawn, n_splits, shuffle):
    X, Y = drawn
    splits = list(TaskStratifiedKFold(n_splits, task="type", shuffle=shuffle).split(X, Y))
    assert_partition(splits, len(X))
    labels = pd.Series(Y["type"]).fillna("none")
    counts = pd.DataFrame([labels[test].value_counts() for _, test in splits])
    assert (counts.max() - counts.min() <= 1).all()
    sizes = [len(test) for _, test in splits]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("shuffle", [False, True])
def test_each_fold_has_its_share_of_several_tasks(drawn, shuffle):
    X, Y = drawn
    # Of several tasks at once the share is kept nearly: of 200 seeds 5 were up to 1.8 rows away.
    cv = TaskStratifiedKFold(
        5, task=["type", "sold", "tags"], shuffle=shuffle, random_state=0 if shuffle else None
    )
    splits = list(cv.split(X, Y))
    assert_partition(splits, len(X))
    assert {len(test) for _, test in splits} == {18}
    labels = {
        "type": pd.Series(Y["type"]).fillna("none"),
        "sold": pd.Series(Y["sold"]),
        "left": pd.Series(Y["tags"][:, 0]),
        "right": pd.Series(Y["tags"][:, 1]),
    }
    for of_task in labels.values():
        counts = pd.DataFrame([of_task[test].value_counts() for _, test in splits]).fillna(0)
        expected = of_task.value_counts() / 5
        assert ((counts - expected).abs() < 1.5).all(axis=None)


def test_several_tasks_are_kept_better_than_by_chance():
    rng = np.random.default_rng(0)
    Y = {name: (rng.random(500) < share).astype(int) for name, share in [("a", 0.03), ("b", 0.1), ("c", 0.5)]}
    splits = TaskStratifiedKFold(5, task=list(Y)).split(np.zeros((500, 1)), Y)
    for _, test in splits:
        for labels in Y.values():
            assert abs(labels[test].sum() - labels.sum() / 5) <= 1


def test_the_steps_of_iterative_stratification():
    # The single row of stratum 2 goes first, to the first part; stratum 1 has then two rows for two parts.
    codes = np.array([[0], [0], [1], [0], [2], [1]])
    sizes = np.array([3, 3])
    assert iterative_folds(codes, sizes, np.array([0.5, 0.5])).tolist() == [1, 0, 1, 1, 0, 0]


@pytest.mark.parametrize("container", ["dict", "target", "pandas", "polars"])
def test_containers_of_y(drawn, frame, container):
    X, Y = drawn
    names = ["price", "type"]
    if container == "polars":
        polars = pytest.importorskip("polars")
        data = polars.DataFrame({"price": Y["price"], "type": Y["type"].tolist()})
    else:
        plain = {name: Y[name] for name in names}
        data = {"dict": plain, "target": MultiTaskTarget(plain), "pandas": frame[names]}[container]
    splits = TaskStratifiedKFold(3, task="type").split(X, data)
    expected = TaskStratifiedKFold(3, task="type").split(X, Y)
    for (_, test), (_, other) in zip(splits, expected, strict=True):
        np.testing.assert_array_equal(test, other)


def test_arrays_have_the_tasks_y_and_y0():
    y = np.array([0, 1] * 10)
    for data, task in ((y, "y"), (np.column_stack([y, np.arange(20)]), "y0"), (pd.Series(y), "y")):
        for _, test in TaskStratifiedKFold(2, task=task).split(np.zeros(20), data):
            assert y[test].sum() == 5


def test_seeds(drawn):
    def tests(splitter):
        return [test.tolist() for _, test in splitter.split(*drawn)]

    for task in ("type", ["type", "sold"]):
        same = TaskStratifiedKFold(3, task=task, shuffle=True, random_state=1)
        assert tests(same) == tests(same)
        assert tests(same) != tests(TaskStratifiedKFold(3, task=task, shuffle=True, random_state=2))
        assert tests(TaskStratifiedKFold(3, task=task)) == tests(TaskStratifiedKFold(3, task=task))
        same = TaskStratifiedShuffleSplit(2, task=task, random_state=1)
        assert tests(same) == tests(same)
        assert tests(same)[0] != tests(same)[1]


def test_splitters_are_values():
    for splitter in (
        TaskStratifiedKFold(3, task=["a", "b"]),
        TaskStratifiedShuffleSplit(3, task="a", test_size=0.5),
        TaskStratifiedGroupKFold(3, n_bins=2, shuffle=True, random_state=0),
    ):
        assert repr(pickle.loads(pickle.dumps(splitter))) == repr(splitter)
        assert repr(clone(splitter, safe=False)) == repr(splitter)
        assert splitter.get_n_splits() == 3
    assert repr(TaskStratifiedShuffleSplit(task="a", n_bins=3)).startswith(
        "TaskStratifiedShuffleSplit(n_bins=3, n_splits=10, random_state=None,"
    )


@pytest.mark.parametrize("cv", ["folds", "shuffled"])
def test_in_scikit_learn(cheap, drawn, target, frame, cv):
    X, _ = drawn
    cv = {
        "folds": TaskStratifiedKFold(2, task="type"),
        "shuffled": TaskStratifiedShuffleSplit(2, task="type", test_size=0.3, random_state=0),
    }[cv]
    assert len(cross_val_score(cheap(), X, frame, cv=cv)) == 2
    search = GridSearchCV(cheap(), {"lr": [0.01]}, cv=cv).fit(X, target)
    assert np.isfinite(search.best_score_)


def test_with_routing(cheap, drawn, target, routing):
    cv = TaskStratifiedKFold(2, task="type")
    assert np.isfinite(GridSearchCV(cheap(), {"lr": [0.01]}, cv=cv).fit(drawn[0], target).best_score_)


# Bins of a regression, and the labels of small tasks


def counts_by_fold(strata, splits):
    return pd.DataFrame([pd.Series(strata)[test].value_counts() for _, test in splits]).fillna(0)


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


# Groups


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


# Random splits


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


# What is lost is said


def test_a_lost_class_is_named():
    Y = {"a": ["x"] * 10 + ["y"] * 9 + ["z"], "b": [0, 1] * 10}
    with pytest.warns(UserWarning, match=r"no row of the classes \['z'\] of task 'a'") as caught:
        list(TaskStratifiedKFold(4, task="a").split(np.zeros(20), Y))
    assert len(caught) == 1
    with pytest.warns(UserWarning, match=r"classes \['z'\] of task 'a'"):
        list(TaskStratifiedKFold(4, task=["a", "b"]).split(np.zeros(20), Y))


def test_all_labels_of_any_task_lost_are_named():
    scarce = np.full(20, np.nan)
    scarce[3] = 1.5
    Y = {"a": ["x", "y"] * 10, "scarce": scarce}
    with pytest.warns(UserWarning, match="'scarce'") as caught:
        list(TaskStratifiedKFold(2, task="a").split(np.zeros(20), Y))
    assert {str(warning.message) for warning in caught} == {
        "A training part has no label of task 'scarce'.",
        "A test part has no label of task 'scarce'.",
    }
    with pytest.warns(UserWarning, match="A test part has no label of task 'scarce'"):
        list(TaskStratifiedShuffleSplit(1, task="a", test_size=2, random_state=0).split(np.zeros(20), Y))


def test_nothing_is_said_where_nothing_is_lost(drawn):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(TaskStratifiedKFold(5, task=["type", "tags"]).split(*drawn))
        # One row without a label is a stratum smaller than the number of folds.
        list(TaskStratifiedKFold(2, task="a").split(np.zeros(9), {"a": [None] + ["x", "y"] * 4}))


def test_groups_are_ignored(drawn):
    X, Y = drawn
    with pytest.warns(UserWarning, match="groups parameter is ignored by TaskStratifiedKFold"):
        list(TaskStratifiedKFold(2, task="type").split(X, Y, np.zeros(len(X))))


# Errors


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("prise", r"among the tasks of y, \['price', 'type', 'sold', 'tags'\]. Found 'prise'"),
        (["type", "prise"], "Found 'prise'"),
        ([], r"None, the name of a task, a list of such, or a mapping from name to kind. Found \[\]"),
        (3, "Found 3"),
    ],
)
def test_tasks_that_cannot_stratify(drawn, task, message):
    for splitter in (
        TaskStratifiedKFold(2, task=task),
        TaskStratifiedShuffleSplit(task=task),
        TaskStratifiedGroupKFold(2, task=task),
    ):
        with pytest.raises(ValueError, match=message):
            next(splitter.split(*drawn, *([np.arange(90)] if "Group" in repr(splitter) else [])))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: TaskStratifiedKFold(1, task="a"), ValueError, "at least 2. Found 1"),
        (lambda: TaskStratifiedKFold(2.5, task="a"), ValueError, "Found 2.5"),
        (lambda: TaskStratifiedKFold(2, task="a", shuffle=1), TypeError, "`shuffle` must be .* Found 1"),
        (lambda: TaskStratifiedKFold(2, task="a", random_state=1), ValueError, "unless `shuffle` is True"),
        (lambda: TaskStratifiedShuffleSplit(0, task="a"), ValueError, "at least 1. Found 0"),
        (lambda: TaskStratifiedShuffleSplit(n_bins=1), ValueError, "`n_bins` must be .* at least 2. Found 1"),
        (lambda: TaskStratifiedKFold(n_bins=2.5), ValueError, "`n_bins` must be .* Found 2.5"),
        (lambda: TaskStratifiedGroupKFold(1), ValueError, "`n_splits` must be .* at least 2. Found 1"),
        (lambda: TaskStratifiedGroupKFold(n_bins=0), ValueError, "`n_bins` must be .* Found 0"),
        (lambda: TaskStratifiedGroupKFold(random_state=1), ValueError, "unless `shuffle` is True"),
    ],
)
def test_parameters_are_checked_at_once(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_y_must_be_there_and_as_long_as_x(drawn):
    X, Y = drawn
    # X is looked at for its length only.
    train, test = next(TaskStratifiedShuffleSplit(1, test_size=0.2, random_state=0).split(None, Y))
    assert (len(train), len(test)) == (72, 18)
    with pytest.raises(ValueError, match=r"`y` must hold the labels to stratify by. Found None"):
        next(TaskStratifiedKFold(2, task="type").split(X))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(TaskStratifiedKFold(2, task="type").split(X[:5], Y))
    with pytest.raises(ValueError, match=r"`n_splits` must not exceed the 90 rows. Found 91"):
        next(TaskStratifiedKFold(91, task="type").split(X, Y))
