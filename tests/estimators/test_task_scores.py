"""`score_tasks`: some tasks or all, by any metric, and the result says by which."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.metrics import make_scorer

from sklearn_mtl import MultiTaskRegressor


@pytest.fixture
def fitted(quick, houses):
    X, Y = houses
    return quick(max_epochs=20, lr=0.01).fit(X, Y)


def test_the_default_scores_say_which_metric_they_are(fitted, houses):
    assert fitted.score_tasks(*houses).attrs["metrics"] == {"price": "r2", "type": "accuracy"}


def test_some_tasks(fitted, houses):
    X, Y = houses
    every = fitted.score_tasks(X, Y)
    for y in (Y[["price"]], {"price": Y["price"]}):
        some = fitted.score_tasks(X, y)
        assert some.to_dict() == {"price": every["price"]}
        assert some.attrs["metrics"] == {"price": "r2"}
    # In the order of the estimator's tasks, whatever that of y.
    assert fitted.score_tasks(X, Y[["type", "price"]]).index.tolist() == ["price", "type"]


def test_a_metric_for_all_tasks_or_by_task(fitted, houses):
    X, Y = houses
    found = fitted.predict(X)
    error = metrics.mean_absolute_error(Y["price"], found["price"])
    balanced = metrics.balanced_accuracy_score(Y["type"], found["type"])
    one = fitted.score_tasks(X, Y[["price"]], metrics="neg_mean_absolute_error")
    assert one.index.names == ["task", "metric"]
    assert one["price", "neg_mean_absolute_error"] == pytest.approx(-error)
    by_task = fitted.score_tasks(
        X, Y, metrics={"type": ["balanced_accuracy", None], "price": metrics.mean_absolute_error}
    )
    expected = {
        ("type", "balanced_accuracy"): balanced,
        ("type", "accuracy"): metrics.accuracy_score(Y["type"], found["type"]),
        ("price", "mean_absolute_error"): error,
    }
    assert by_task.index.tolist() == list(expected)
    assert by_task.to_dict() == pytest.approx(expected)
    assert by_task.dtype == np.float64
    assert by_task["type"].index.tolist() == ["balanced_accuracy", "accuracy"]


def test_functions_get_what_the_scorer_of_scikit_learn_asks_for(fitted, houses):
    X, Y = houses
    of_house = fitted.predict_proba(X)["type"]
    found = fitted.score_tasks(
        X, Y[["type"]], metrics=[metrics.roc_auc_score, metrics.log_loss, wrong_labels]
    )
    assert found["type", "roc_auc_score"] == pytest.approx(
        metrics.roc_auc_score(Y["type"] == "house", of_house[:, 1])
    )
    assert found["type", "log_loss"] == pytest.approx(metrics.log_loss(Y["type"], of_house))
    assert found["type", "wrong_labels"] == (Y["type"] != fitted.predict(X)["type"]).sum()


def wrong_labels(y_true, y_pred):
    return np.sum(y_true != y_pred)


def test_weights_go_to_metrics_that_take_them(fitted, houses):
    X, Y = houses
    weight = np.linspace(0.1, 2, 80)
    error = make_scorer(metrics.mean_absolute_error, greater_is_better=False)
    found = fitted.score_tasks(X, Y, {"price": weight}, metrics={"price": [error, "neg_max_error"]})
    predicted = fitted.predict(X)["price"]
    expected = metrics.mean_absolute_error(Y["price"], predicted, sample_weight=weight)
    assert found.iloc[0] == pytest.approx(-expected)
    assert found.iloc[1] == pytest.approx(-metrics.max_error(Y["price"], predicted))


def test_a_task_without_labels_is_nan_with_a_warning(fitted, houses):
    X, Y = houses
    with pytest.warns(UserWarning, match=r"too few labels of the tasks \['price'\]") as caught:
        found = fitted.score_tasks(X, Y.assign(price=np.nan), metrics={"price": "r2", "type": "accuracy"})
    assert found.isna().tolist() == [True, False]
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ("roc_auc", ValueError, "task 'price' must be one for its kind, regression. Found 'roc_auc'"),
        ({"prise": "r2"}, ValueError, r"`metrics` names unknown tasks \['prise'\]; the tasks are \['price'"),
        ({"price": ["r2", "r2"]}, ValueError, "different names. Found 'r2' of task 'price' twice"),
        ({"price": ["r2", None]}, ValueError, "different names. Found 'r2' of task 'price' twice"),
        ({"price": "r3"}, ValueError, "r3"),
        ({"price": metrics.f1_score}, ValueError, "Found f1_score, which raised ValueError"),
        ({"price": 3}, TypeError, "The metric of task 'price' must be None, a scorer's name or a callable"),
        ([], ValueError, "`metrics` must name at least one metric of one task. Found none"),
    ],
)
def test_metrics_that_are_none(fitted, houses, asked, error, message):
    with pytest.raises(error, match=message):
        fitted.score_tasks(*houses, metrics=asked)


def test_tasks_that_there_are_not(fitted, houses):
    X, Y = houses
    with pytest.raises(ValueError, match=r"y must have the tasks of `fit`.*Found \['price', 'more'\]"):
        fitted.score_tasks(X, Y[["price"]].assign(more=1.0))
    with pytest.raises(
        ValueError, match=r"Found \['price'\], without \['type'\]; `score_tasks` takes some tasks"
    ):
        fitted.score(X, Y[["price"]])
    with pytest.raises(ValueError, match=r"names unknown tasks \['type'\]; the tasks are \['price'\]"):
        fitted.score_tasks(X, Y[["price"]], metrics={"type": "accuracy"})


def test_fewer_columns_of_an_array_are_refused(quick, houses):
    X, _ = houses
    y = 2 * X.to_numpy()[:, :3]
    est = quick(MultiTaskRegressor).fit(X, y)
    assert est.score_tasks(X, y).index.tolist() == ["y0", "y1", "y2"]
    # Columns 1 and 2 would be taken for the tasks y0 and y1.
    with pytest.raises(ValueError, match=r"Found \['y0', 'y1'\]"):
        est.score_tasks(X, y[:, 1:])
    assert est.score_tasks(X, pd.DataFrame({"y2": y[:, 2]})).index.tolist() == ["y2"]
