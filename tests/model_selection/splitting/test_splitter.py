"""What all splitters have in common: what y may be, seeds, warnings and errors."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_score,
)

from sklearn_mtl import MultiTaskTarget
from sklearn_mtl.model_selection import (
    TaskStratifiedGroupKFold,
    TaskStratifiedKFold,
    TaskStratifiedShuffleSplit,
)


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
