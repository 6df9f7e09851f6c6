"""The tasks of a Pipeline or a search: their scores, and views that take its X."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    KFold,
    TunedThresholdClassifierCV,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_mtl.model_selection import StackedGridSearchCV, score_tasks, task_scorer, task_view

WRAPPERS = {
    "none": lambda est: est,
    "pipeline": lambda est: Pipeline([("scale", StandardScaler()), ("net", est)]),
    "search": lambda est: GridSearchCV(est, {"lr": [0.01]}, cv=2),
    "stacked": lambda est: StackedGridSearchCV(est, {"lr": [0.01]}, cv=2),
    "pipeline in a search": lambda est: GridSearchCV(
        make_pipeline(PolynomialFeatures(2), est), {"polynomialfeatures__degree": [1]}, cv=2
    ),
    "search in a pipeline": lambda est: make_pipeline(
        StandardScaler(), GridSearchCV(est, {"lr": [0.01]}, cv=2)
    ),
}


@pytest.fixture(scope="module")
def frame(drawn):
    return pd.DataFrame(drawn[0], columns=["a", "b", "c", "d"])


@pytest.fixture(params=WRAPPERS)
def wrapped(request, cheap, frame, target):
    return WRAPPERS[request.param](cheap()).fit(frame, target)


def test_scores_are_those_of_the_estimator_within(wrapped, frame, target, drawn):
    scores = score_tasks(wrapped, frame, drawn[1])
    assert scores.mean() == pytest.approx(wrapped.score(frame, target))
    some = score_tasks(wrapped, frame, {"price": drawn[1]["price"]}, metrics="neg_mean_absolute_error")
    assert some.index.tolist() == [("price", "neg_mean_absolute_error")]
    weight = np.linspace(0.1, 2, 90)
    assert (score_tasks(wrapped, frame, target, weight) != scores).all()


def test_a_view_takes_the_raw_columns(wrapped, frame, target, drawn):
    price, kind = task_view(wrapped, "price"), task_view(wrapped, "type")
    np.testing.assert_array_equal(price.predict(frame), wrapped.predict(frame)["price"])
    np.testing.assert_array_equal(kind.predict_proba(frame), wrapped.predict_proba(frame)["type"])
    assert is_classifier(kind)
    assert not is_classifier(price)
    assert kind.classes_.tolist() == ["flat", "house", "mill"]
    assert price.n_features_in_ == 4
    assert price.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    found = partial_dependence(price, frame, ["a"], grid_resolution=4)
    assert found["average"].shape == (1, 4)
    known = ~np.isnan(drawn[1]["price"])
    importance = permutation_importance(
        price, frame[known], drawn[1]["price"][known], n_repeats=1, random_state=0
    )
    assert importance.importances_mean.argmax() == 0


def test_a_view_fits_a_clone_of_the_whole(cheap, frame, drawn, target):
    y = drawn[1]["sold"]
    for name in ("pipeline", "search"):
        fitted = WRAPPERS[name](cheap(task_weights={"price": 2.0}, tasks={"price": "regression"}))
        view = task_view(fitted.fit(frame, target), "sold")
        before = fitted.predict_proba(frame)["sold"]
        again = clone(view).fit(frame, y)
        assert list(score_tasks(again.estimator_, frame, {"sold": y}).index) == ["sold"]
        assert type(again.estimator_) is type(fitted)
        assert again.score(frame, y) > 0.5
        assert np.isfinite(cross_val_score(view, frame, y, cv=KFold(2))).all()
        np.testing.assert_array_equal(fitted.predict_proba(frame)["sold"], before)


def test_a_frozen_estimator_stays_as_it_is(cheap, frame, target, drawn):
    est = cheap(task_weights={"price": 2.0}).fit(frame, target)
    view = task_view(FrozenEstimator(est), "price")
    np.testing.assert_array_equal(view.predict(frame), est.predict(frame)["price"])
    before = str(est.get_params())
    np.testing.assert_array_equal(
        clone(view).fit(frame[:40], drawn[1]["price"][:40]).predict(frame), est.predict(frame)["price"]
    )
    assert str(est.get_params()) == before


def test_what_has_no_tasks(cheap, frame, target, drawn):
    for call in (lambda est: score_tasks(est, frame, target), lambda est: task_view(est, "price")):
        with pytest.raises(TypeError, match=r"`estimator` must be a multi-task estimator.*Found LinearRegr"):
            call(LinearRegression())
        # It predicts in other units than the estimator within.
        with pytest.raises(TypeError, match="Found TransformedTargetRegressor"):
            call(TransformedTargetRegressor(LinearRegression()).fit(frame, drawn[0][:, 0]))
        with pytest.raises(NotFittedError):
            call(cheap())
        with pytest.raises(NotFittedError):
            call(make_pipeline(cheap()))
    with pytest.raises(ValueError, match=r"`name` must be one of the tasks \['price'.* Found 'prise'"):
        task_view(make_pipeline(StandardScaler(), cheap()).fit(frame, target), "prise")


class Flipped(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Predicts the other of two classes."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y):
        self.estimator_ = self.estimator
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X):
        return self.classes_[::-1][np.searchsorted(self.classes_, self.estimator_.predict(X))]


OTHERWISE = {
    "CalibratedClassifierCV": lambda view: CalibratedClassifierCV(FrozenEstimator(view)),
    "TunedThresholdClassifierCV": lambda view: TunedThresholdClassifierCV(view, cv="prefit", refit=False),
    "FixedThresholdClassifier": lambda view: FixedThresholdClassifier(FrozenEstimator(view), threshold=0.1),
    "Flipped": Flipped,
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_predicts_otherwise_than_the_estimator_within(cheap, frame, target, drawn, name):
    y = drawn[1]["sold"]
    wrapper = OTHERWISE[name](cheap().fit(frame, target).task("sold")).fit(frame, y)
    calls = (
        lambda found: task_view(found, "sold"),
        lambda found: score_tasks(found, frame, {"sold": y}),
        lambda found: task_scorer("sold")(found, frame, {"sold": y}),
    )
    for call in calls:
        with pytest.raises(TypeError, match=f"may predict otherwise .* Found {name}; pass the estimator"):
            call(wrapper)
        with pytest.raises(TypeError, match=f"Found FrozenEstimator with {name} in it"):
            call(FrozenEstimator(wrapper))


def test_a_search_without_refit_predicts_nothing(cheap, frame, target):
    search = GridSearchCV(cheap(), {"lr": [0.01]}, cv=2, refit=False).fit(frame, target)
    with pytest.raises(TypeError, match=r"a search of scikit-learn with refit.* Found GridSearchCV;"):
        score_tasks(search, frame, target)


def test_views_pass_predictions_on(cheap, frame, target, drawn):
    y = drawn[1]["sold"]
    view = cheap().fit(frame, target).task("sold")
    for around in (view, FrozenEstimator(view), make_pipeline("passthrough", view)):
        assert score_tasks(around, frame, {"sold": y})["sold"] == pytest.approx(view.score(frame, y))


def test_a_view_is_searched_as_any_estimator(cheap, frame, target, drawn):
    view = task_view(WRAPPERS["pipeline"](cheap()).fit(frame, target), "sold")
    search = GridSearchCV(view, {"estimator__net__lr": [0.01, 0.1]}, cv=KFold(2)).fit(frame, drawn[1]["sold"])
    assert search.best_score_ > 0.5
