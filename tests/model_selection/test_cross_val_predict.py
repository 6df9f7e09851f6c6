"""Out-of-fold predictions are those of an estimator fitted without the fold, put back in order."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor, MultiTaskTarget
from sklearn_mtl.model_selection import TaskStratifiedKFold, cross_val_predict_tasks
from sklearn_mtl.tasks import Regression

SHUFFLED = KFold(3, shuffle=True, random_state=0)


def by_hand(estimator, X, Y, cv, method="predict"):
    """Predictions fold by fold, as arrays of the whole length."""
    found = {}
    for train, test in cv.split(X, Y):
        predicted = getattr(estimator.fit(X[train], Y[train]), method)(X[test])
        for name, values in predicted.items():
            values = np.asarray(values)
            whole = found.setdefault(name, np.empty((len(X), *values.shape[1:]), dtype=values.dtype))
            whole[test] = values
    return found


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
def test_values(cheap, drawn, target, method):
    X, _ = drawn
    found = cross_val_predict_tasks(cheap(), X, target, cv=SHUFFLED, method=method)
    expected = by_hand(cheap(), X, target, SHUFFLED, method)
    assert isinstance(found, MultiTaskTarget)
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_predictions_are_those_of_scikit_learn(cheap, drawn, target):
    theirs = cross_val_predict(cheap(), drawn[0], target, cv=SHUFFLED)
    assert cross_val_predict_tasks(cheap(), *drawn, cv=SHUFFLED) == theirs


def test_on_two_processes(cheap, drawn, target):
    one = cross_val_predict_tasks(cheap(), drawn[0], target, cv=2)
    assert cross_val_predict_tasks(cheap(), drawn[0], target, cv=2, n_jobs=2) == one


def test_intervals(cheap, drawn, target):
    X, _ = drawn
    estimator = cheap(tasks={"price": Regression(loss="quantile", quantiles=(0.1, 0.5, 0.9))})
    found = cross_val_predict_tasks(
        estimator, X, target, cv=SHUFFLED, method="predict_interval", coverage=0.8
    )
    assert list(found) == ["price"]
    assert found["price"].shape == (90, 2)
    for train, test in SHUFFLED.split(X):
        expected = estimator.fit(X[train], target[train]).predict_interval(X[test], coverage=0.8)
        np.testing.assert_array_equal(found["price"][test], expected["price"])


def test_dtypes_are_those_of_the_labels(cheap, drawn, frame):
    X, _ = drawn
    found = cross_val_predict_tasks(cheap(), X, frame, cv=2)
    assert found["price"].dtype == np.float64
    assert found["type"].dtype == frame["type"].dtype
    assert found["sold"].dtype == pd.Int64Dtype()
    assert not pd.isna(found["type"]).any()


def test_arrays(cheap, drawn):
    X, Y = drawn
    settings = {**cheap().get_params(deep=False), "tasks": None}
    classifier = MultiTaskClassifier(**settings)
    # A number of folds is stratified for a classifier of one label, as by scikit-learn.
    found = cross_val_predict_tasks(classifier, X, Y["sold"], cv=3)
    np.testing.assert_array_equal(found["y"], cross_val_predict(classifier, X, Y["sold"], cv=3))
    both = np.column_stack([Y["sold"], X[:, 3] > 0])
    found = cross_val_predict_tasks(classifier, X, both, cv=2, method="predict_proba")
    assert {name: values.shape for name, values in found.items()} == {"y0": (90, 2), "y1": (90, 2)}
    # Of lists too, one label missing.
    rows = [[None, bool(row[1])] if number == 0 else list(map(bool, row)) for number, row in enumerate(both)]
    assert list(cross_val_predict_tasks(classifier, X, rows, cv=2)) == ["y0", "y1"]
    regressor = MultiTaskRegressor(**settings)
    found = cross_val_predict_tasks(regressor, X, X[:, :2].astype(np.float32), cv=2)
    assert [found[name].dtype for name in ("y0", "y1")] == [np.float64] * 2


def test_a_class_that_a_training_part_lacks_has_probability_0(cheap):
    X = np.random.default_rng(0).normal(size=(40, 2))
    labels = np.array(["b"] * 18 + ["c"] * 19 + ["a"] * 3, dtype=object)
    labels[5] = None
    Y = {"type": labels, "level": np.arange(40) % 2}
    found = cross_val_predict_tasks(cheap(), X, Y, cv=2, method="predict_proba")
    assert found["type"].shape == (40, 3)
    np.testing.assert_allclose(found["type"].sum(axis=1), 1)
    # Trained on the first half, the second has never seen an "a"; the columns are a, b, c.
    assert (found["type"][20:, 0] == 0).all()
    assert (found["type"][20:, 1:] > 0).all()
    assert (found["type"][:20, 0] > 0).all()
    assert (found["type"] > 0)[:20, 2].all()


@pytest.mark.filterwarnings("ignore:.*one class")
def test_a_class_that_a_training_part_lacks_has_the_smallest_log_odds(cheap):
    smallest = np.finfo(np.float64).min
    X = np.random.default_rng(0).normal(size=(40, 2))
    three = np.array(["b"] * 10 + ["c"] * 10 + ["b"] * 8 + ["c"] * 9 + ["a"] * 3)
    two = np.array(["b"] * 10 + ["c"] * 10 + ["b"] * 20)
    Y = {"three": three, "two": two}
    first, second = slice(None, 20), slice(20, None)
    second_alone = np.where(two == "b", "c", "b")
    found = cross_val_predict_tasks(cheap(), X, {"two": second_alone}, cv=2, method="decision_function")
    assert (found["two"][first] > 100).all()
    found = cross_val_predict_tasks(cheap(), X, Y, cv=2, method="predict_log_proba")
    shares = cross_val_predict_tasks(cheap(), X, Y, cv=2, method="predict_proba")
    for name, n_classes in (("three", 3), ("two", 2)):
        assert found[name].shape == (40, n_classes)
        there = shares[name] > 0
        np.testing.assert_allclose(found[name][there], np.log(shares[name][there]), atol=1e-6)
        assert (found[name][~there] == smallest).all()
    assert (shares["three"][second, 0] == 0).all()
    assert (shares["two"][first, 1] == 0).all()

    found = cross_val_predict_tasks(cheap(), X, Y, cv=2, method="decision_function")
    assert found["three"].shape == (40, 3)
    odds = np.log(shares["three"][:, 2]) - np.log1p(-shares["three"][:, 2])
    np.testing.assert_allclose(found["three"][:, 2], odds, atol=1e-5)
    assert (found["three"][second, 0] == smallest).all()
    np.testing.assert_array_equal(found["three"][second, 1], -found["three"][second, 2])
    # Of two classes in all of y the log-odds of the second, which the first part was predicted without.
    assert found["two"].shape == (40,)
    assert (found["two"][first] == smallest).all()
    odds = np.log(shares["two"][second, 1]) - np.log(shares["two"][second, 0])
    np.testing.assert_allclose(found["two"][second], odds, atol=1e-5)


def test_a_pipeline_and_a_search(cheap, drawn, target):
    X, _ = drawn
    pipeline = make_pipeline(StandardScaler(), cheap(preprocessing=None))
    found = cross_val_predict_tasks(pipeline, X, target, cv=SHUFFLED, method="predict_proba")
    expected = by_hand(pipeline, X, target, SHUFFLED, "predict_proba")
    np.testing.assert_array_equal(found["type"], expected["type"])
    search = GridSearchCV(cheap(), {"lr": [0.01]}, cv=2)
    alone = cross_val_predict_tasks(cheap(), X, target, cv=2)
    assert cross_val_predict_tasks(search, X, target, cv=2) == alone


def test_splitters_and_groups(cheap, drawn, target):
    X, _ = drawn
    groups = np.arange(90) // 15
    found = cross_val_predict_tasks(cheap(), X, target, cv=GroupKFold(2), groups=groups)
    splits = list(GroupKFold(2).split(X, groups=groups))
    assert found == cross_val_predict_tasks(cheap(), X, target, cv=splits)
    assert len(cross_val_predict_tasks(cheap(), X, target, cv=TaskStratifiedKFold(2, task="type"))) == 90


@pytest.mark.parametrize("weight", ["rows", "mapping", "frame"])
def test_sample_weights_go_with_their_rows(cheap, drawn, target, weight):
    X, _ = drawn
    values = np.where(np.arange(90) % 3 == 0, 5.0, 0.1)
    weight = {"rows": values, "mapping": {"price": values}, "frame": pd.DataFrame({"price": values})}[weight]
    found = cross_val_predict_tasks(cheap(), X, target, cv=2, params={"sample_weight": weight})
    part = values[45:] if isinstance(weight, np.ndarray) else {"price": values[45:]}
    expected = cheap().fit(X[45:], target[45:], part).predict(X[:45])
    assert found[:45] == expected
    assert found != cross_val_predict_tasks(cheap(), X, target, cv=2)


def test_sample_weights_and_groups_are_routed(cheap, drawn, target, routing):
    X, _ = drawn
    weight, groups = np.arange(90) + 1.0, np.arange(90) // 45
    asked = cheap().set_fit_request(sample_weight=True, groups=False)
    pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), asked)
    params = {"sample_weight": weight}
    found = cross_val_predict_tasks(pipeline, X, target, cv=GroupKFold(2), groups=groups, params=params)
    expected = clone(pipeline).fit(X[45:], target[45:], sample_weight=weight[45:])
    assert found[:45] == expected.predict(X[:45])
    with pytest.raises(ValueError, match=r"sample_weight.*not explicitly set"):
        cross_val_predict_tasks(cheap(), X, target, cv=2, params=params)


# Errors


def test_test_parts_must_be_a_partition(cheap, drawn):
    cv = ShuffleSplit(2, test_size=0.2, random_state=0)
    with pytest.raises(ValueError, match=r"only works for partitions.*rows never tested"):
        cross_val_predict_tasks(cheap(), *drawn, cv=cv)
    everything = np.arange(90)
    with pytest.raises(ValueError, match="Found 0 rows never tested and 90 tested more than once"):
        cross_val_predict_tasks(cheap(), *drawn, cv=[(everything, everything)] * 2)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("transform", "`method` must be one of .* Found 'transform'"),
        ("predict_proba", "needs a task with classes, such as a classification. Found none"),
        ("predict_log_proba", "needs a task with classes, such as a classification. Found none"),
        ("decision_function", "needs a task with classes, such as a classification. Found none"),
        ("predict_interval", "needs a regression task with a quantile or Gaussian loss. Found none"),
    ],
)
def test_methods_that_no_task_has(cheap, drawn, method, message):
    X, Y = drawn
    with pytest.raises(ValueError, match=message):
        cross_val_predict_tasks(cheap(), X, {"price": Y["price"]}, cv=2, method=method)


COUNTS = np.concatenate([np.arange(45) % 5, np.arange(45)])


@pytest.mark.parametrize(
    "around", [lambda est: est, make_pipeline, lambda e: GridSearchCV(e, {"lr": [0.1]}, cv=2)]
)
def test_a_kind_is_told_from_all_rows(cheap, drawn, around):
    X, _ = drawn
    found = cross_val_predict_tasks(around(cheap()), X, {"count": COUNTS}, cv=2)
    named = cross_val_predict_tasks(around(cheap(tasks={"count": "regression"})), X, {"count": COUNTS}, cv=2)
    assert found["count"].dtype == np.float64
    assert found == named


class TellsItself(MultiTaskClassifierRegressor):
    def fit(self, X, y):
        self.tasks = None
        return super().fit(X, y)


class Around(MetaEstimatorMixin, BaseEstimator):
    def __init__(self, estimator):
        self.estimator = estimator


def test_what_may_predict_otherwise_is_refused_before_any_fit(cheap, drawn):
    with pytest.raises(TypeError, match=r"may predict otherwise than the estimator within\. Found Around"):
        cross_val_predict_tasks(Around(cheap()), *drawn)


def test_kinds_that_differ_between_folds(cheap, drawn):
    est = TellsItself(**cheap().get_params(deep=False))
    with pytest.raises(
        ValueError, match=r"same kind in every fold; say it with `tasks=`.*'regression'.*'count'"
    ):
        cross_val_predict_tasks(est, drawn[0], {"count": COUNTS}, cv=2)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_interval"])
def test_a_task_without_labels_in_a_training_part_is_missing_in_its_test_part(cheap, drawn, method):
    X, _ = drawn
    first = np.arange(90) < 30
    Y = MultiTaskTarget(
        {
            "size": X[:, 0],
            "price": np.where(first, X[:, 1], np.nan),
            "type": np.where(first, np.where(X[:, 2] > 0, "flat", "house"), None),
            "rooms": pd.array(np.where(first, np.arange(90) % 3, None), dtype="Int64"),
        }
    )
    quantiles = Regression(loss="quantile", quantiles=(0.1, 0.5, 0.9))
    est = cheap(tasks=dict.fromkeys(["size", "price"], quantiles))
    with pytest.warns(
        UserWarning, match=r"fold 1 of 3 have no label of the tasks \['price', 'type', 'rooms'\]"
    ):
        found = cross_val_predict_tasks(est, X, Y, cv=3, method=method, coverage=0.8)
    kept = {"predict": list(Y), "predict_proba": ["type", "rooms"], "predict_interval": ["size", "price"]}
    assert list(found) == kept[method]
    for name, values in found.items():
        gaps = pd.isna(np.asarray(values, dtype=object)).reshape(90, -1)
        assert gaps.all(axis=1).tolist() == (first if name != "size" else ~first & first).tolist()
        assert gaps.any(axis=1).tolist() == gaps.all(axis=1).tolist()
    if method == "predict":
        assert found["rooms"].dtype == pd.Int64Dtype()
        assert set(found["type"][30:]) <= {"flat", "house"}


def test_lengths_that_differ(cheap, drawn):
    X, Y = drawn
    with pytest.raises(ValueError, match="X has 10 rows, task 'price' has 90"):
        cross_val_predict_tasks(cheap(), X[:10], Y, cv=2)
