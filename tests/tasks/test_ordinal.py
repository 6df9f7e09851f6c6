"""Classes in an order: the proportional odds model, its parameters, and what it gives."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import d2_absolute_error_score, get_scorer, log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.export import load, save
from sklearn_mtl.inference.prediction import raw_outputs
from sklearn_mtl.model_selection import StackedGridSearchCV, cross_val_predict_tasks
from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import Ordinal
from sklearn_mtl.tasks.losses.ordinal import CumulativeLink

ORDER = ["poor", "fair", "good", "superb"]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    place = np.digitize(2 * X[:, 0] + rng.logistic(size=300), [-2, 0.5, 2.5])
    return X, MultiTaskTarget({"price": X[:, 1], "grade": np.array(ORDER)[place]})


def quick(**params):
    settings = {"tasks": {"grade": Ordinal(ORDER)}, "trunk": "mlp", "n_bags": 1, "max_epochs": 5}
    return MultiTaskClassifierRegressor(**{**settings, "lr": 0.01, "random_state": 0, **params})


def in_order(probability):
    """Probabilities by the order of the grades."""
    return probability[:, [sorted(ORDER).index(grade) for grade in ORDER]]


def bind(values, order=None):
    column = read_column("grade", values)
    return column, Ordinal(order).bind(column, np.ones(len(column)))


# The model


@pytest.mark.parametrize("trunk", ["mlp", None])
def test_the_thresholds_are_the_same_for_every_row(data, trunk):
    X, Y = data
    est = quick(trunk=trunk, calibrate=False, max_epochs=3, ema_decay=None).fit(X, Y)
    inputs, _ = est._encoded(X)
    inputs = {
        name: torch.as_tensor(block, device=est.net_.device)
        for name, block in inputs.read(slice(None)).items()
    }
    raw = raw_outputs(est.net_.evaluated, inputs, calibrated=False)
    (group,) = (group for group in est._fitted.tasks.groups if isinstance(group.loss, CumulativeLink))
    own = raw[..., group.raw]
    assert (own[..., 1:] == own[:1, :, 1:]).all()
    assert own[..., 0].std() > 0.1
    assert (own[0, :, 1:] != 0).all()


# Where the order comes from


@pytest.mark.parametrize(
    ("values", "order", "classes"),
    [
        ([3, 1, 2, 1], None, [1, 2, 3]),
        ([2.5, np.nan, 1.0], None, [1.0, 2.5]),
        ([True, False], None, [False, True]),
        (["good", "poor", None], ORDER, ORDER),
        ([3, 1, 2], [3, 2, 1], [3, 2, 1]),
        (pd.Categorical(["good", "poor"], ORDER[:3], ordered=True), None, ORDER[:3]),
        (pd.Categorical(["good", "poor"]), ["poor", "good"], ["poor", "good"]),
    ],
)
def test_classes_are_in_their_order(values, order, classes):
    column, task = bind(values, order)
    assert task.order.tolist() == classes
    assert task.classes.tolist() == sorted(classes)
    code = task.encode(column)[:, 0]
    known = ~np.isnan(code)
    assert [classes[int(c)] for c in code[known]] == column.values[known].tolist()


@pytest.mark.parametrize(
    ("values", "order", "match"),
    [
        (["a", "b"], None, r"its labels need an order.*Ordinal\(order=\[...\]\).*Found labels such as \['a'"),
        (pd.Categorical(["a", "b"]), None, "its labels need an order"),
        (["a", "b", "c"], ["a", "b"], r"must hold all its labels. Found \['c'\]"),
        (["a", "b"], "ab", "`order` of task .* must be a list of the classes, lowest first. Found 'ab'"),
        ([1, 2], 5, "must be a list of the classes, lowest first. Found 5"),
        ([1, 2], {1, 2}, "must be a list of the classes, lowest first. Found {1, 2}"),
        (["a", "b"], ["a", "b", "a"], "must name every class once"),
        ([[1, 2], [2, 1]], None, r"needs one label for each row. Found labels of shape \(2, 2\)"),
    ],
)
def test_what_has_no_order_is_refused(values, order, match):
    with pytest.raises(ValueError, match=match):
        bind(values, order)


def test_continuous_labels_are_refused_and_grades_with_fractions_are_not():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"^Unknown label type: continuous.*'grade'.*'regression'.*30 "):
        bind(rng.normal(size=30))
    stars = np.arange(0.5, 5.5, 0.5)
    assert bind(stars)[1].classes.tolist() == bind(rng.choice(stars, 90))[1].classes.tolist()
    assert len(bind(np.arange(0, 20, 0.5).repeat(2))[1].classes) == 40


def test_one_class_is_a_warning():
    _, task = bind([3, 3])
    assert task.predict(np.ones((2, 1, 1))).tolist() == [3, 3]
    X = np.arange(20.0)[:, None]
    with pytest.warns(UserWarning, match="'grade' has one class only, 3") as said:
        quick(tasks={"grade": Ordinal()}, max_epochs=1).fit(X, {"grade": np.full(20, 3)})
    assert len(said) == 1


@pytest.mark.parametrize("labels", [np.array(["fair", "poor"]), pd.Categorical(["fair", "poor"])])
def test_classes_that_the_labels_lack_are_not_cut_off(labels):
    _, task = bind(labels, ORDER)
    assert list(task.decode(np.arange(4)[:, None])) == ORDER


def test_labels_of_another_type_are_refused_and_such_of_no_class_are_wrong():
    _, task = bind([1, 2, 3])
    response = task.loss.response(torch.zeros(3, 1, 3)).numpy()
    with pytest.raises(ValueError, match="Labels of task 'grade' must be numbers"):
        task.score(read_column("grade", ["1", "2", "3"]), response, np.ones(3))
    assert task.score(read_column("grade", [7, 8, 9]), response, np.ones(3)) <= 0


# What comes out


def test_predictions_and_probabilities(data):
    X, Y = data
    est = quick(max_epochs=30).fit(X, Y)
    assert est.tasks_["grade"].order.tolist() == ORDER
    # Columns are in the order of `classes_`, sorted as scikit-learn's metrics take them.
    assert est.classes_["grade"].tolist() == sorted(ORDER)
    assert est.predict_proba(X)["grade"].shape == (300, 4)
    probability = in_order(est.predict_proba(X)["grade"])
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    median = (probability.cumsum(axis=1) < 0.5).sum(axis=1)
    assert est.predict(X)["grade"].tolist() == [ORDER[place] for place in median]
    place = {grade: i for i, grade in enumerate(ORDER)}
    true, found = ([place[grade] for grade in grades] for grades in (Y["grade"], est.predict(X)["grade"]))
    assert est.score_tasks(X, Y)["grade"] == pytest.approx(d2_absolute_error_score(true, found))
    assert est.score_tasks(X, Y)["grade"] > 0.3
    assert 0.7 < est.history_["train_loss_grade"][0] < 1.3
    assert est.history_["valid_d2_grade"].notna().all()
    assert est.task("grade").score(X, Y["grade"]) == est.score_tasks(X, Y)["grade"]
    assert "poor, fair, good, superb" in est._repr_html_()


def test_labels_come_back_in_their_dtype(data):
    X, _ = data
    grades = pd.Series(pd.Categorical(np.array(ORDER)[np.digitize(X[:, 0], [-1, 0, 1])], ORDER, ordered=True))
    est = quick(tasks={"grade": "ordinal"}).fit(X, pd.DataFrame({"grade": grades}))
    assert est.predict(X)["grade"].dtype == grades.dtype


def test_missing_labels_weights_and_classes_of_score_time():
    _, task = bind([1, 2, 3, 4])
    response = np.eye(4)[[0, 1, 2, 0]][:, None]
    score = task.score(read_column("grade", [1.0, 2.0, np.nan, 3.0]), response, np.ones(4))
    assert score == pytest.approx(d2_absolute_error_score([1, 2, 3], [1, 2, 1]))
    assert task.score(read_column("grade", [1, 2, 3, 4]), response, np.array([1.0, 1, 1, 0])) == 1
    # A class that nothing is known about is as far as the scale is long.
    assert task.score(read_column("grade", [1, 2, 3, 9]), response, np.ones(4)) == pytest.approx(1 - 3 / 5)
    assert np.isnan(task.score(read_column("grade", [1, 2]), response[:2], np.array([1.0, 0])))


def test_it_is_searched_stacked_and_not_pickled_and_saved(data, tmp_path):
    X, Y = data
    grid = {"task_weights__grade": [0.3, 1.0]}
    stacked = StackedGridSearchCV(quick(), grid, cv=2).fit(X, Y)
    alone = GridSearchCV(quick(), grid, cv=2).fit(X, Y)
    np.testing.assert_allclose(
        stacked.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"], atol=0.02
    )
    est = quick().fit(X, Y)
    save(est, tmp_path / "model.mtl")
    for again in (pickle.loads(pickle.dumps(est)), load(tmp_path / "model.mtl")):
        np.testing.assert_array_equal(again.predict_proba(X)["grade"], est.predict_proba(X)["grade"])


def test_probabilities_out_of_fold_have_the_columns_of_all_classes(data):
    X, Y = data
    found = in_order(cross_val_predict_tasks(quick(), X, Y, cv=2, method="predict_proba")["grade"])
    assert found.shape == (300, 4)
    high = X[:, 0] > 1
    assert found[high].mean(axis=0) @ np.arange(4) > found[~high].mean(axis=0) @ np.arange(4)


def test_parts_of_the_data_one_after_the_other(data):
    X, Y = data
    est = quick()
    for rows in np.array_split(np.arange(300), 3):
        est.partial_fit(X[rows], {"price": Y["price"][rows], "grade": Y["grade"][rows]})
    assert est.tasks_["grade"].order.tolist() == ORDER


def test_it_is_a_task_of_the_classifier(data):
    X, Y = data
    est = MultiTaskClassifier(tasks={"grade": Ordinal(ORDER)}, trunk="mlp", n_bags=1, max_epochs=2)
    assert est.fit(X, {"grade": Y["grade"]}).predict(X)["grade"].shape == (300,)


@pytest.mark.parametrize(
    "order", [["low", "high"], ["low", "mid", "high"], ["poor", "fair", "good", "superb"]], ids=len
)
def test_metrics_of_probabilities_take_it_whatever_the_order(order):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    place = np.digitize(X[:, 0] + 0.1 * rng.normal(size=200), np.linspace(-1, 1, len(order) + 1)[1:-1])
    y = np.array(order)[place]
    est = quick(tasks={"grade": Ordinal(order)}, max_epochs=30).fit(X, {"grade": y})
    auc, loss = "roc_auc" if len(order) == 2 else "roc_auc_ovr", "neg_log_loss"
    expected = log_loss(y, est.predict_proba(X)["grade"])
    right = est.predict_proba(X)["grade"][np.arange(200), np.searchsorted(sorted(order), y)]
    assert expected == pytest.approx(-np.log(right).mean())
    scores = est.score_tasks(X, {"grade": y}, metrics=[auc, loss])
    assert scores["grade", auc] > 0.95
    assert scores["grade", loss] == pytest.approx(-expected)
    view = est.task("grade")
    assert get_scorer(auc)(view, X, y) == pytest.approx(scores["grade", auc])
    assert get_scorer(loss)(view, X, y) == pytest.approx(-expected)
    alone = MultiTaskClassifier(tasks={"y": Ordinal(order)}, trunk="mlp", n_bags=1, lr=0.01, random_state=0)
    assert cross_val_score(alone, X, y, scoring=auc, cv=2).min() > 0.95
