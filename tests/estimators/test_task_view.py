import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.metrics import accuracy_score, get_scorer, r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskTarget
from sklearn_mtl.estimators import TaskClassifier, TaskRegressor
from sklearn_mtl.model_selection import task_view
from sklearn_mtl.tasks import Classification


@pytest.fixture
def fitted(quick, houses):
    X, Y = houses
    return quick(max_epochs=30, lr=0.01).fit(X, Y)


def test_a_view_is_a_regressor_or_a_classifier(fitted):
    price, kind = fitted.task("price"), fitted.task("type")
    assert is_regressor(price)
    assert not is_classifier(price)
    assert isinstance(price, TaskRegressor)
    assert is_classifier(kind)
    assert not is_regressor(kind)
    assert isinstance(kind, TaskClassifier)
    assert not hasattr(price, "predict_proba")
    assert not hasattr(price, "classes_")
    assert kind.classes_.tolist() == ["flat", "house"]


def test_a_view_predicts_what_the_estimator_predicts(fitted, houses):
    X, _ = houses
    np.testing.assert_array_equal(fitted.task("price").predict(X), fitted.predict(X)["price"])
    assert (np.asarray(fitted.task("type").predict(X)) == fitted.predict(X)["type"]).all()
    np.testing.assert_array_equal(fitted.task("type").predict_proba(X), fitted.predict_proba(X)["type"])
    assert fitted.task("price").n_features_in_ == 4
    assert fitted.task("price").feature_names_in_.tolist() == X.columns.tolist()


def test_scorers_take_a_view(fitted, houses):
    X, Y = houses
    kind, price = fitted.task("type"), fitted.task("price")
    assert price.score(X, Y["price"]) == r2_score(Y["price"], price.predict(X))
    assert kind.score(X, Y["type"]) == accuracy_score(Y["type"], kind.predict(X))
    auc = roc_auc_score(Y["type"] == "house", kind.predict_proba(X)[:, 1])
    assert get_scorer("roc_auc")(kind, X, Y["type"]) == pytest.approx(auc)
    assert auc > 0.8
    assert get_scorer("neg_log_loss")(kind, X, Y["type"]) > np.log(0.5)


def test_partial_dependence_takes_a_view(fitted, houses):
    X, _ = houses
    found = partial_dependence(fitted.task("price"), X, ["area"], kind="average", grid_resolution=5)
    assert (np.diff(found["average"][0]) > 0).all()
    probability = partial_dependence(fitted.task("type"), X, ["age"], grid_resolution=5)
    assert (np.diff(probability["average"][0]) < 0).all()


def test_permutation_importance_takes_a_view(fitted, houses):
    X, Y = houses
    for name, feature in (("price", "area"), ("type", "age")):
        found = permutation_importance(fitted.task(name), X, Y[name], n_repeats=2, random_state=0)
        assert X.columns[found["importances_mean"].argmax()] == feature


def test_fit_fits_the_task_alone_and_leaves_the_estimator(quick, houses):
    X, Y = houses
    tasks = {"type": Classification(label_smoothing=0.1), "price": "regression"}
    est = quick(tasks=tasks, task_weights={"type": 0.0}, head_hidden_sizes={"price": (4,)}).fit(X, Y)
    before = est.predict(X)
    view = est.task("type").fit(X, Y["type"])
    alone = quick(tasks={"type": tasks["type"]}).fit(X, {"type": Y["type"]})
    np.testing.assert_array_equal(view.predict_proba(X), alone.predict_proba(X)["type"])
    assert list(view.estimator_.tasks_) == ["type"]
    pd.testing.assert_frame_equal(est.predict(X), before)


def test_a_clone_is_not_fitted_but_can_be(fitted, houses):
    X, Y = houses
    view = clone(fitted.task("price"))
    with pytest.raises(NotFittedError):
        view.predict(X)
    assert view.fit(X, Y["price"], sample_weight=np.ones(80)).predict(X).shape == (80,)


def test_cross_validation_takes_a_view(fitted, houses):
    X, Y = houses
    for name in Y:
        scores = cross_val_score(fitted.task(name), X, Y[name], cv=2, error_score="raise")
        assert np.isfinite(scores).all()


def test_a_view_keeps_its_kind_whatever_the_labels_look_like(quick, houses):
    X, _ = houses
    count = np.arange(80) % 40
    with_few = count[:80] % 3
    est = quick().fit(X, {"count": count, "class": with_few})
    assert est.tasks_["count"].kind == "regression"
    view = est.task("count").fit(X, with_few)
    assert is_regressor(view)
    assert view.estimator_.tasks_["count"].kind == "regression"
    assert view.predict(X).dtype == np.float64
    kind = est.task("class").fit(X, np.where(with_few == 1, 1.0, 0.0))
    assert kind.estimator_.tasks_["class"].kind == "classification"


# Of what SHAP does with matplotlib when it is imported.
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("task", ["price", "type"])
def test_shap_explains_a_view(fitted, houses, task):
    # Imported here: it takes seconds.
    import shap

    X, view = houses[0], fitted.task(task)
    ask = view.predict_proba if task == "type" else view.predict
    exact = shap.Explainer(view, X)(X[:2])
    found = exact.base_values + exact.values.sum(axis=1)
    # A probability may be 1e-16, which is no more than the rounding of what is added up.
    np.testing.assert_allclose(found, ask(X[:2]), rtol=1e-4, atol=1e-9)
    # This one takes the names of the features away from a copy of the view, and asks with arrays.
    kernel = shap.KernelExplainer(ask, X[:20]).shap_values(X[:2], silent=True)
    assert kernel.shape[:2] == (2, 4)
    assert view.feature_names_in_.tolist() == X.columns.tolist()


def test_a_view_without_its_names_takes_columns_by_position(fitted, houses):
    X, _ = houses
    view = fitted.task("price")
    with pytest.warns(UserWarning, match="valid feature names"):
        view.predict(X.to_numpy())
    view.feature_names_in_ = None
    np.testing.assert_array_equal(view.predict(X.to_numpy()), fitted.predict(X)["price"])


def test_a_view_fitted_anew_has_the_names_of_its_own_rows(fitted, houses):
    X, Y = houses
    again = clone(fitted.task("price")).fit(X[["age", "area"]], Y["price"])
    assert again.feature_names_in_.tolist() == ["age", "area"]
    assert not hasattr(again.fit(X.to_numpy(), Y["price"]), "feature_names_in_")
    assert again.n_features_in_ == 4


AROUND = {
    "estimator": lambda est: est,
    "pipeline": lambda est: make_pipeline(StandardScaler(), est),
    "search": lambda est: GridSearchCV(est, {"lr": [0.01]}, cv=2),
}
COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda view: pickle.loads(pickle.dumps(view)),
}


@pytest.mark.parametrize("around", AROUND)
def test_what_explainers_set_on_a_copy_of_a_view_is_set_there_alone(quick, houses, around):
    X, Y = houses
    view = task_view(AROUND[around](quick()).fit(X, MultiTaskTarget(Y)), "type")
    expected = {"n_features_in_": [4], "feature_names_in_": list(X), "classes_": ["flat", "house"]}
    for copied in (make(view) for make in COPIES.values()):
        for name, values in expected.items():
            assert np.atleast_1d(getattr(copied, name)).tolist() == values
            setattr(copied, name, None)
            assert getattr(copied, name) is None
            delattr(copied, name)
            assert np.atleast_1d(getattr(view, name)).tolist() == values
        # Without the set ones, those of the task are there again.
        assert copied.classes_.tolist() == expected["classes_"]
        assert not hasattr(copied, "feature_names_in_")
        np.testing.assert_array_equal(copied.predict_proba(X.to_numpy()), view.predict_proba(X))


def test_the_classes_of_a_view_are_those_of_its_estimator_as_it_is_now(quick, houses):
    X, Y = houses
    est = quick().fit(X, Y)
    view = est.task("type")
    est.fit(X, Y.assign(type=Y["type"].replace("house", "villa")))
    assert view.classes_.tolist() == ["flat", "villa"]
