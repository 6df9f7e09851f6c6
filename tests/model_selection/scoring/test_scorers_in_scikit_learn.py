"""Scorers go wherever scikit-learn takes one, and get the sample weights that it routes."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes the import below work
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.metrics import make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskTarget
from sklearn_mtl.model_selection import multitask_scorer, multitask_scoring, task_scorer


def labelled(Y, task):
    return ~pd.isna(Y[task])


def test_around_the_estimator(cheap, drawn, target):
    X, _ = drawn
    pipeline = make_pipeline(StandardScaler(), cheap(preprocessing=None)).fit(X, target)
    inner = pipeline[-1]
    scorer = task_scorer("type", "neg_log_loss")
    expected = scorer(inner, StandardScaler().fit_transform(X), target)
    assert scorer(pipeline, X, target) == pytest.approx(expected)
    assert scorer(FrozenEstimator(pipeline), X, target) == pytest.approx(expected)
    search = GridSearchCV(pipeline, {"multitaskclassifierregressor__lr": [0.01]}, cv=2).fit(X, target)
    assert scorer(search, X, target) == scorer(search.best_estimator_, X, target)
    assert scorer(make_pipeline(inner), X, target) == scorer(inner, X, target)


def test_cross_validation_scores_the_labelled_rows_of_each_fold(cheap, drawn, target):
    X, Y = drawn
    cv = KFold(2, shuffle=True, random_state=0)
    scores = cross_val_score(cheap(), X, target, cv=cv, scoring=task_scorer("price", "r2"))
    for score, (train, test) in zip(scores, cv.split(X), strict=True):
        estimator = cheap().fit(X[train], target[train])
        rows = test[labelled(Y, "price")[test]]
        expected = metrics.r2_score(Y["price"][rows], estimator.predict(X[rows])["price"])
        assert score == pytest.approx(expected)


def test_several_scores_in_one_search_on_two_processes(cheap, drawn, frame):
    X, _ = drawn
    scoring = multitask_scoring(list(frame), {"type": "neg_log_loss"})
    search = GridSearchCV(
        cheap(), {"task_weights__price": [0.1, 1.0]}, scoring=scoring, refit="mean", cv=2, n_jobs=2
    ).fit(X, frame)
    for name in ("price", "type", "sold", "mean"):
        assert np.isfinite(search.cv_results_[f"mean_test_{name}"]).all()
    again = cross_validate(search.best_estimator_, X, frame, cv=2, scoring=scoring)
    np.testing.assert_allclose(again["test_mean"].mean(), search.best_score_)


def test_halving_curves_and_importance(cheap, drawn, target):
    X, Y = drawn
    scorer = multitask_scorer({"price": "r2", "sold": "accuracy"})
    search = HalvingGridSearchCV(
        cheap(), {"lr": [0.001, 0.03]}, scoring=scorer, cv=2, min_resources=40, factor=2
    ).fit(X, target)
    assert np.isfinite(search.best_score_)
    _, _, scores = learning_curve(cheap(), X, target, scoring=scorer, cv=2, train_sizes=[0.5, 1.0])
    assert np.isfinite(scores).all()
    fitted = cheap(max_epochs=40).fit(X, Y)
    importance = permutation_importance(
        fitted, X, Y, scoring=task_scorer("price", "r2"), n_repeats=2, random_state=0
    )
    assert importance.importances_mean.argmax() == 0


def test_scorers_are_values(fitted, drawn):
    for scorer in (task_scorer("price", "r2"), multitask_scorer({"price": "r2"}, {"price": 2.0})):
        for other in (pickle.loads(pickle.dumps(scorer)), copy.deepcopy(scorer), clone(scorer)):
            assert repr(other) == repr(scorer)
            assert other(fitted, *drawn) == scorer(fitted, *drawn)
    search = clone(GridSearchCV(fitted, {}, scoring=task_scorer("price", "r2")))
    assert "scoring=TaskScorer(scoring='r2', task='price')" in repr(search)
    assert search.set_params(scoring__scoring="max_error").scoring.scoring == "max_error"


# Sample weights through scikit-learn


def sum_of_weights(y, predicted, sample_weight=None):
    return -1.0 if sample_weight is None else float(np.sum(sample_weight))


SUM = make_scorer(sum_of_weights)


def test_weights_are_passed_on_without_routing(cheap, drawn, target):
    X, Y = drawn
    weight = np.arange(len(X)) + 1.0
    for scoring in (task_scorer("price", SUM), {"a": task_scorer("price", SUM)}):
        search = GridSearchCV(cheap(), {"lr": [0.01]}, scoring=scoring, cv=KFold(2), refit=False)
        search.fit(X, target, sample_weight=weight)
        name = "a" if isinstance(scoring, dict) else "score"
        rows = labelled(Y, "price")
        assert search.cv_results_[f"split0_test_{name}"][0] == weight[:45][rows[:45]].sum()
        assert search.cv_results_[f"split1_test_{name}"][0] == weight[45:][rows[45:]].sum()


def test_a_search_says_that_a_metric_takes_no_weights(cheap, drawn, target):
    search = GridSearchCV(cheap(), {"lr": [0.01]}, scoring=task_scorer("price", "neg_max_error"), cv=2)
    with pytest.warns(UserWarning, match=r"TaskScorer\(.*task='price'\) does not support sample"):
        search.fit(drawn[0], target, sample_weight=np.ones(len(target)))


@pytest.mark.parametrize("by_task", [False, True])
def test_weights_are_routed_where_they_are_requested(cheap, drawn, target, routing, by_task):
    X, Y = drawn
    weight = np.arange(len(X)) + 1.0
    given = MultiTaskTarget({"price": weight}) if by_task else weight
    estimator = cheap().set_fit_request(sample_weight=True)
    rows = labelled(Y, "price")
    expected = [weight[:45][rows[:45]].sum(), weight[45:][rows[45:]].sum()]
    asked = task_scorer("price", SUM).set_score_request(sample_weight=True)
    not_asked = task_scorer("price", SUM).set_score_request(sample_weight=False)
    several = multitask_scorer({"price": SUM}).set_score_request(sample_weight=True)
    scores = cross_validate(
        estimator,
        X,
        target,
        cv=KFold(2),
        scoring={"asked": asked, "not_asked": not_asked, "several": several, "cloned": clone(asked)},
        params={"sample_weight": given},
    )
    assert scores["test_asked"].tolist() == scores["test_several"].tolist() == expected
    assert scores["test_cloned"].tolist() == expected
    assert scores["test_not_asked"].tolist() == [-1, -1]
    search = GridSearchCV(estimator, {"lr": [0.01]}, scoring=asked, cv=KFold(2), refit=False)
    search.fit(X, target, sample_weight=given)
    assert search.cv_results_["split0_test_score"][0] == expected[0]


def test_routing_refuses_what_nobody_decided_on(cheap, drawn, target, routing):
    estimator = cheap().set_fit_request(sample_weight=True)
    with pytest.raises(ValueError, match=r"sample_weight.*not explicitly set as requested or not"):
        cross_val_score(
            estimator,
            drawn[0],
            target,
            cv=2,
            scoring=task_scorer("price", "r2"),
            params={"sample_weight": np.ones(len(target))},
        )


def test_routing_alone_changes_nothing(fitted, drawn, routing):
    X, Y = drawn
    weight = X[:, 0] ** 2
    expected = metrics.accuracy_score(Y["sold"], fitted.predict(X)["sold"], sample_weight=weight)
    assert task_scorer("sold", "accuracy")(fitted, X, Y, sample_weight=weight) == pytest.approx(expected)


def test_requests_need_routing():
    with pytest.raises(RuntimeError, match="metadata routing"):
        task_scorer("price").set_score_request(sample_weight=True)
