"""What the package asks of a kind of task, it asks of the user's own too: strata, classes, type."""

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor, MultiTaskTarget
from sklearn_mtl.model_selection import TaskStratifiedKFold, cross_val_predict_tasks
from sklearn_mtl.tasks.losses.classification import CrossEntropy
from tests.contract.extensions import Colour


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    colours = np.array(["red", "green", "blue"])[np.digitize(X[:, 0], [-0.5, 1.0])]
    return X, MultiTaskTarget({"price": X[:, 1], "colour": colours})


def quick(**params):
    settings = {"tasks": {"colour": Colour()}, "trunk": "mlp", "n_bags": 1, "max_epochs": 5, "lr": 0.02}
    return MultiTaskClassifierRegressor(**{**settings, "random_state": 0, **params})


def test_held_out_rows_have_even_shares_of_its_strata_and_never_the_last_of_one(data):
    X, Y = data
    rare = Y["colour"].astype(object)
    rare[:3] = "ultraviolet"
    for seed in range(5):
        est = quick(max_epochs=1, validation_fraction=0.4, random_state=seed).fit(
            X, {"price": Y["price"], "colour": rare}
        )
        assert "ultraviolet" in est.classes_["colour"]


def test_a_warm_start_holds_out_the_same_rows(data):
    X, Y = data
    once = quick(max_epochs=4, ema_decay=None).fit(X, Y)
    twice = quick(max_epochs=2, ema_decay=None, warm_start=True).fit(X, Y).set_params(max_epochs=4).fit(X, Y)
    np.testing.assert_allclose(twice.history_["valid_loss"][:2], once.history_["valid_loss"][:2])
    assert len(twice.history_) == 4


def test_its_classes_probabilities_and_view_are_those_of_a_classifier(data):
    X, Y = data
    est = quick().fit(X, Y)
    assert est.classes_["colour"].tolist() == ["blue", "green", "red"]
    np.testing.assert_allclose(est.predict_proba(X)["colour"].sum(axis=1), 1)
    view = est.task("colour")
    assert view.classes_.tolist() == ["blue", "green", "red"]
    assert view.score(X, Y["colour"]) == est.score_tasks(X, Y)["colour"]
    again = clone(view).fit(X, Y["colour"])
    assert again.estimator_.tasks_["colour"].kind == "colour"


def test_its_probabilities_are_calibrated(data):
    X, Y = data
    est = quick().fit(X, Y)
    (group,) = (group for group in est._fitted.tasks.groups if isinstance(group.loss, CrossEntropy))
    assert (est.net_.module_.raw_scale[group.raw] != 1).all()


def test_its_out_of_fold_probabilities_have_a_column_for_every_class(data):
    X, Y = data
    # The last colour in order is in one test part only.
    colours = np.sort(Y["colour"])[::-1]
    Y = MultiTaskTarget({"price": Y["price"], "colour": colours})
    found = cross_val_predict_tasks(quick(max_epochs=1), X, Y, cv=4, method="predict_proba")["colour"]
    assert found.shape == (120, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert set(cross_val_predict_tasks(quick(max_epochs=1), X, Y, cv=2)["colour"]) <= set(colours)


def test_folds_are_stratified_by_the_strata_of_a_kind(data):
    X, Y = data
    for _, test in TaskStratifiedKFold(4, task={"colour": Colour()}).split(X, Y):
        shares = [(Y["colour"][test] == colour).mean() for colour in ("blue", "green", "red")]
        every = [(Y["colour"] == colour).mean() for colour in ("blue", "green", "red")]
        np.testing.assert_allclose(shares, every, atol=1 / len(test))
    # A regression sees one stratum only, and is binned.
    for _, test in TaskStratifiedKFold(4, task={"price": "regression"}).split(X, Y):
        assert abs(np.median(Y["price"][test]) - np.median(Y["price"])) < 0.3


def test_the_estimator_for_a_single_kind_takes_it_by_its_type(data):
    X, Y = data
    settings = {"trunk": "mlp", "n_bags": 1, "max_epochs": 2, "tasks": {"colour": Colour()}}
    est = MultiTaskClassifier(**settings).fit(X, {"colour": Y["colour"]})
    assert est.predict(X)["colour"].shape == (120,)
    with pytest.raises(ValueError, match="or BoxRegression, or kinds of `estimator_type` 'regressor'"):
        MultiTaskRegressor(**settings).fit(X, {"colour": Y["colour"]})
