"""Scores of tasks are those of scikit-learn's metrics on the labelled rows."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import make_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifier, MultiTaskRegressor, MultiTaskTarget
from sklearn_mtl.model_selection import multitask_scorer, multitask_scoring, task_scorer
from sklearn_mtl.tasks import Regression


def labelled(Y, task):
    return ~pd.isna(Y[task])


# Values


@pytest.mark.parametrize(
    ("scoring", "metric"),
    [
        ("r2", metrics.r2_score),
        ("neg_mean_absolute_error", lambda y, p, **kw: -metrics.mean_absolute_error(y, p, **kw)),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_regression(fitted, drawn, scoring, metric, weighted):
    X, Y = drawn
    rows = labelled(Y, "price")
    weight = np.random.default_rng(1).random(len(X)) if weighted else None
    kwargs = {"sample_weight": weight[rows]} if weighted else {}
    expected = metric(Y["price"][rows], fitted.predict(X)["price"][rows], **kwargs)
    assert task_scorer("price", scoring)(fitted, X, Y, sample_weight=weight) == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_classes(fitted, drawn, weighted):
    X, Y = drawn
    rows = labelled(Y, "type")
    weight = np.random.default_rng(1).random(len(X)) if weighted else None
    kwargs = {"sample_weight": weight[rows]} if weighted else {}
    expected = metrics.balanced_accuracy_score(
        Y["type"][rows].tolist(), fitted.predict(X)["type"][rows].tolist(), **kwargs
    )
    assert task_scorer("type", "balanced_accuracy")(fitted, X, Y, weight) == pytest.approx(expected)


def test_probabilities(fitted, drawn):
    X, Y = drawn
    rows = labelled(Y, "type")
    probabilities = fitted.predict_proba(X)
    expected = -metrics.log_loss(Y["type"][rows].tolist(), probabilities["type"][rows])
    assert task_scorer("type", "neg_log_loss")(fitted, X, Y) == pytest.approx(expected)
    expected = metrics.roc_auc_score(Y["sold"], probabilities["sold"][:, 1])
    assert task_scorer("sold", "roc_auc")(fitted, X, Y) == pytest.approx(expected)


def test_a_block_of_labels(fitted, drawn):
    X, Y = drawn
    predicted, probabilities = fitted.predict(X)["tags"], fitted.predict_proba(X)["tags"]
    f1 = metrics.f1_score(Y["tags"], predicted, average="macro")
    assert task_scorer("tags", "f1_macro")(fitted, X, Y) == pytest.approx(f1)
    auc = metrics.roc_auc_score(Y["tags"], probabilities)
    assert task_scorer("tags", "roc_auc")(fitted, X, Y) == pytest.approx(auc)


def test_rows_of_a_block_count_when_complete(fitted, drawn):
    X, Y = drawn
    tags = Y["tags"].astype(float)
    tags[:30, 0] = np.nan
    expected = metrics.accuracy_score(Y["tags"][30:], fitted.predict(X)["tags"][30:])
    assert task_scorer("tags", "accuracy")(fitted, X, {**Y, "tags": tags}) == pytest.approx(expected)
    tags[:, 0] = np.nan
    with pytest.warns(UserWarning, match="'tags' has no labelled row"):
        assert np.isnan(task_scorer("tags", "accuracy")(fitted, X, {**Y, "tags": tags}))
    # The default score takes the other label for itself.
    expected = np.mean(fitted.predict(X)["tags"][:, 1] == Y["tags"][:, 1])
    assert task_scorer("tags")(fitted, X, {**Y, "tags": tags}) == pytest.approx(expected)


@pytest.mark.parametrize("task", ["price", "type", "sold", "tags"])
def test_no_metric_is_the_default_score(fitted, drawn, task):
    assert task_scorer(task)(fitted, *drawn) == pytest.approx(fitted.score_tasks(*drawn)[task])


@pytest.mark.parametrize("task", ["price", "type", "sold"])
@pytest.mark.parametrize("container", ["pandas", "polars", "target"])
def test_containers_and_dtypes_of_y(cheap, drawn, frame, task, container):
    X, _ = drawn
    Y = {"pandas": frame, "target": MultiTaskTarget({name: frame[name] for name in frame})}.get(container)
    if container == "polars":
        polars = pytest.importorskip("polars")
        objects = frame.astype(object).where(frame.notna(), None)
        Y = polars.DataFrame({name: objects[name].tolist() for name in objects})
    estimator = cheap().fit(X, Y)
    rows = labelled(frame, task).to_numpy()
    predicted = pd.Series(np.asarray(estimator.predict(X)[task], dtype=object))[rows].tolist()
    truth = frame[task][rows].astype(object).tolist()
    if task == "price":
        assert task_scorer(task, "r2")(estimator, X, Y) == pytest.approx(metrics.r2_score(truth, predicted))
    else:
        accuracy = np.mean(np.array(truth) == np.array(predicted))
        assert task_scorer(task, "accuracy")(estimator, X, Y) == pytest.approx(accuracy)
        average = {"sold": "f1", "type": "f1_macro"}[task]
        assert 0 <= task_scorer(task, average)(estimator, X, Y) <= 1
        assert task_scorer(task, "roc_auc_ovr")(estimator, X, Y) > 0.3


def test_arrays_have_the_tasks_y_and_y0(drawn, cheap):
    X, Y = drawn
    settings = {**cheap().get_params(deep=False), "tasks": None}
    one = MultiTaskClassifier(**settings).fit(X, Y["sold"])
    assert task_scorer("y", "accuracy")(one, X, Y["sold"]) == one.score(X, Y["sold"])
    two = MultiTaskRegressor(**settings).fit(X, X[:, :2])
    expected = metrics.r2_score(X[:, 1], two.predict(X)[:, 1])
    assert task_scorer("y1", "r2")(two, X, X[:, :2]) == pytest.approx(expected)


def test_rows_in_which_a_class_does_not_occur(fitted, drawn):
    X, Y = drawn
    rows = np.isin(Y["type"].astype(str), ["flat", "house"])
    expected = -metrics.log_loss(
        Y["type"][rows].tolist(), fitted.predict_proba(X[rows])["type"], labels=["flat", "house", "mill"]
    )
    some = MultiTaskTarget(Y)[rows]
    assert task_scorer("type", "neg_log_loss")(fitted, X[rows], some) == pytest.approx(expected)
    one = np.flatnonzero(Y["type"] == "flat")
    assert task_scorer("type", "neg_brier_score")(fitted, X[one], MultiTaskTarget(Y)[one]) < 0


def test_weights_by_task(fitted, drawn):
    X, Y = drawn
    weight = np.where(X[:, 3] > 0, 2.0, 1.0)
    scorer = task_scorer("sold", "accuracy")
    right = fitted.predict(X)["sold"] == Y["sold"]
    for given in ({"sold": weight}, pd.DataFrame({"sold": weight}), MultiTaskTarget({"sold": weight})):
        assert scorer(fitted, X, Y, sample_weight=given) == pytest.approx(np.average(right, weights=weight))
    plain = task_scorer("price", "r2")(fitted, X, Y)
    assert task_scorer("price", "r2")(fitted, X, Y, {"sold": weight}) == pytest.approx(plain)


def test_a_metric_without_weights_gets_none(fitted, drawn):
    X, Y = drawn
    scorer = task_scorer("price", "neg_max_error")
    assert scorer(fitted, X, Y, np.arange(len(X)) + 1.0) == scorer(fitted, X, Y)


def test_own_scorers_get_the_view_of_the_task(fitted, drawn):
    X, Y = drawn
    seen = []

    def own(estimator, X, y):
        seen.append((estimator.name, len(X), estimator.predict(X[:5]), estimator.n_features_in_))
        return 0.5

    assert task_scorer("price", own)(fitted, X, Y) == 0.5
    [(name, n_rows, predicted, n_features)] = seen
    rows = labelled(Y, "price")
    assert (name, n_rows, n_features) == ("price", rows.sum(), 4)
    np.testing.assert_allclose(predicted, fitted.predict(X[rows][:5])["price"])
    twice = make_scorer(metrics.fbeta_score, beta=2.0)
    expected = metrics.fbeta_score(Y["sold"], fitted.predict(X)["sold"], beta=2.0)
    assert task_scorer("sold", twice)(fitted, X, Y) == pytest.approx(expected)


# Several tasks as one number


def test_mean(fitted, drawn):
    scoring = {"price": "r2", "sold": "accuracy"}
    single = [task_scorer(task, metric)(fitted, *drawn) for task, metric in scoring.items()]
    assert multitask_scorer(scoring)(fitted, *drawn) == pytest.approx(np.mean(single))
    weighted = multitask_scorer(scoring, weights={"price": 3.0})
    assert weighted(fitted, *drawn) == pytest.approx((3 * single[0] + single[1]) / 4)
    ten_times = multitask_scorer(scoring, weights={"price": 30.0, "sold": 10.0})
    assert ten_times(fitted, *drawn) == pytest.approx(weighted(fitted, *drawn))
    without = multitask_scorer(scoring, weights={"price": 0.0})
    assert without(fitted, *drawn) == pytest.approx(single[1])


def test_default_metrics_give_the_score_of_the_estimator(fitted, drawn):
    scorer = multitask_scorer(dict.fromkeys(fitted.tasks_))
    assert scorer(fitted, *drawn) == pytest.approx(fitted.score(*drawn))
    assert multitask_scoring(fitted)["mean"](fitted, *drawn) == pytest.approx(fitted.score(*drawn))


def test_the_network_runs_once_for_all_tasks(fitted, drawn, monkeypatch):
    calls, respond = [], type(fitted)._responses

    def counted(self, X):
        calls.append(len(X))
        return respond(self, X)

    monkeypatch.setattr(type(fitted), "_responses", counted)
    multitask_scorer({"price": "r2", "type": "neg_log_loss", "sold": "roc_auc", "tags": None})(fitted, *drawn)
    assert calls == [len(drawn[0])]


def test_a_task_without_labels_is_nan_and_left_out_of_the_mean(fitted, drawn):
    X, Y = drawn
    Y = {**Y, "price": np.full(len(X), np.nan)}
    with pytest.warns(UserWarning, match="'price' has no labelled row of positive weight among these 90"):
        assert np.isnan(task_scorer("price", "r2")(fitted, X, Y))
    scorer = multitask_scorer({"price": "r2", "sold": "accuracy"})
    with pytest.warns(UserWarning, match=r"\['price'\] have no score in these 90 rows"):
        score = scorer(fitted, X, Y)
    assert score == task_scorer("sold", "accuracy")(fitted, X, Y)
    with pytest.warns(UserWarning, match="no score"):
        assert np.isnan(multitask_scorer({"price": "r2"})(fitted, X, Y))


def test_labels_of_weight_0_count_as_none(fitted, drawn):
    X, Y = drawn
    weight = np.where(labelled(Y, "price"), 0.0, 1.0)
    with pytest.warns(UserWarning, match="'price' has no labelled row of positive weight"):
        assert np.isnan(task_scorer("price", "r2")(fitted, X, Y, weight))


def test_scoring_of_all_tasks(fitted, drawn):
    scoring = multitask_scoring(fitted, {"type": ["accuracy", "neg_log_loss"], "price": "r2"})
    assert list(scoring) == ["price", "type_accuracy", "type_neg_log_loss", "sold", "tags", "mean"]
    assert repr(scoring["price"]) == "TaskScorer(scoring='r2', task='price')"
    for one in (make_pipeline(StandardScaler(), fitted), ["price", "type", "sold", "tags"]):
        assert list(multitask_scoring(one)) == ["price", "type", "sold", "tags", "mean"]
    by_kind = multitask_scoring({"a": "regression", "b": "roc_auc", "c": Regression(), "d": ["r2", None]})
    assert {name: getattr(scorer, "scoring", None) for name, scorer in by_kind.items() if name != "mean"} == {
        "a": None,
        "b": "roc_auc",
        "c": None,
        "d_r2": "r2",
        "d_score": None,
    }


def test_one_metric_for_all_tasks(fitted, drawn):
    scoring = multitask_scoring(["sold", "type"], "roc_auc_ovr")
    assert list(scoring) == ["sold", "type", "mean"]
    single = [scoring[task](fitted, *drawn) for task in ("sold", "type")]
    assert single == [task_scorer(task, "roc_auc_ovr")(fitted, *drawn) for task in ("sold", "type")]
    assert scoring["mean"](fitted, *drawn) == pytest.approx(np.mean(single))
    several = multitask_scoring(fitted, [None, "accuracy"])
    assert list(several)[:4] == ["price_score", "price_accuracy", "type_score", "type_accuracy"]
    assert several["mean"](fitted, *drawn) == pytest.approx(fitted.score(*drawn))
    own = multitask_scoring(["price", "sold"], mean_prediction)
    assert own["mean"](fitted, *drawn) == pytest.approx(
        np.mean([own[t](fitted, *drawn) for t in list(own)[:2]])
    )
    with pytest.raises(ValueError, match="The metric of task 'price' must be one for its kind, regression"):
        multitask_scoring(fitted, "roc_auc")["price"](fitted, *drawn)


def mean_prediction(estimator, X, y):
    return float(np.mean(estimator.predict(X)))


# Errors


@pytest.mark.parametrize(
    ("task", "scoring", "message"),
    [
        ("prise", "r2", r"one of the estimator's tasks \['price', 'type', 'sold', 'tags'\]. Found 'prise'"),
        ("price", "roc_auc", "Found 'roc_auc', which needs probabilities: it has none"),
        ("price", "accuracy", "Found 'accuracy', which raised ValueError"),
        ("type", "r2", "The metric of task 'type' must be one for its kind, classification. Found 'r2'"),
        ("type", "f1", "task 'type' .*(multiclass|pos_label)"),
    ],
)
def test_a_score_that_cannot_be(fitted, drawn, task, scoring, message):
    with pytest.raises(ValueError, match=message):
        task_scorer(task, scoring)(fitted, *drawn)


def test_y_without_the_task(fitted, drawn):
    X, Y = drawn
    with pytest.raises(ValueError, match=r"y must hold task 'type', which is scored. Found \['price'\]"):
        task_scorer("type", "accuracy")(fitted, X, {"price": Y["price"]})
    assert task_scorer("price", "r2")(fitted, X, {"price": Y["price"]}) <= 1
    with pytest.raises(ValueError, match="X has 90 rows, task 'price' has 3"):
        task_scorer("price", "r2")(fitted, X, {"price": [1.0, 2.0, 3.0]})


def test_estimators_that_are_none_of_ours(drawn, cheap):
    X, Y = drawn
    with pytest.raises(
        TypeError, match=r"`estimator` must be a multi-task estimator.*Found LinearRegression"
    ):
        task_scorer("price", "r2")(LinearRegression(), X, Y)
    with pytest.raises(NotFittedError):
        task_scorer("price", "r2")(cheap(), X, Y)
    with pytest.raises(NotFittedError):
        multitask_scoring(cheap())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: task_scorer(3, "r2"), TypeError, "task must be a string. Found 3"),
        (lambda: task_scorer("a", "acuracy"), ValueError, "task 'a' .* the nearest name is 'accuracy'; "),
        (lambda: task_scorer("a", "zzzz"), ValueError, "Found 'zzzz'; `sklearn.metrics.get_scorer_names"),
        (lambda: task_scorer("a", metrics.r2_score), ValueError, "looks like it is a metric function"),
        (lambda: task_scorer("a", ["r2"]), TypeError, "must be None, a scorer's name or a callable"),
        (lambda: multitask_scorer("r2"), TypeError, "must be a mapping from task to metric. Found 'r2'"),
        (lambda: multitask_scorer({}), ValueError, "at least one task"),
        (lambda: multitask_scorer({"a": "r2"}, {"b": 1}), ValueError, r"unknown tasks \['b'\]"),
        (lambda: multitask_scorer({"a": "r2"}, {"a": -1}), ValueError, "Found -1 for task 'a'"),
        (lambda: multitask_scorer({"a": "r2"}, {"a": np.nan}), ValueError, "Found nan for task 'a'"),
        (lambda: multitask_scorer({"a": "r2"}, {"a": 0}), ValueError, "Found 0 for every task"),
        (lambda: multitask_scorer({"a": "r2"}, [1]), TypeError, r"mapping by task. Found \[1\]"),
        (lambda: multitask_scoring(["a"], "r3"), ValueError, "metric of task 'a' .* Found 'r3'"),
        (lambda: multitask_scoring(["a"], 3), TypeError, "must be None, a scorer's name or a callable"),
        (lambda: multitask_scoring(["a"], {"b": "r2"}), ValueError, r"unknown tasks \['b'\]"),
        (lambda: multitask_scoring(["a", "mean"]), ValueError, "none be 'mean'"),
        (lambda: multitask_scoring(["a"], {"a": ["r2", "r2"]}), ValueError, "must be unique.*'a_r2'"),
    ],
)
def test_parameters_are_checked_at_once(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_scoring_warns_of_nothing_else(fitted, drawn):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert multitask_scorer(dict.fromkeys(fitted.tasks_))(fitted, *drawn) <= 1
