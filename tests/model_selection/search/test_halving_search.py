"""Successive halving over epochs: who is dropped when, and what is left is the whole fit."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.estimators import fitting
from sklearn_mtl.model_selection import StackedHalvingGridSearchCV, multitask_scoring, task_scorer
from sklearn_mtl.training import train_nets
from sklearn_mtl.trunks import MLP

CV = KFold(3, shuffle=True, random_state=0)
LRS = [1e-5, 1e-4, 1e-3, 1e-2, 3e-2]


def quick(**params):
    settings = {
        "trunk": MLP((8,)),
        "n_bags": 1,
        "max_epochs": 12,
        "random_state": 0,
        "precision": "float64",
        "preprocessing": None,
        "linear_blend": False,
    }
    return MultiTaskClassifierRegressor(**{**settings, **params})


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).normal(size=(72, 4))


@pytest.fixture(scope="module")
def Y(X):
    return {"price": 100 + 10 * X[:, 0], "type": np.where(X[:, 1] > 0, "flat", "house")}


def column(search, name):
    return np.asarray(search.cv_results_[name])


def test_schedule(X, Y):
    search = StackedHalvingGridSearchCV(quick(), {"lr": LRS}, cv=CV, factor=2, min_epochs=2).fit(X, Y)
    assert search.n_candidates_ == [5, 3, 2]
    assert search.n_resources_ == [2, 4, 12]
    assert search.n_iterations_ == search.n_required_iterations_ == search.n_possible_iterations_ == 3
    assert search.n_remaining_candidates_ == 1
    assert (search.min_resources_, search.max_resources_) == (2, 12)
    assert column(search, "iter").tolist() == [0] * 5 + [1] * 3 + [2] * 2
    assert column(search, "n_resources").tolist() == [2] * 5 + [4] * 3 + [12] * 2
    assert search.best_index_ >= 8
    assert search.best_params_ == {"lr": LRS[-1]}
    assert search.best_score_ == column(search, "mean_test_score")[8:].max()
    assert set(search.pareto_front_.index) <= {8, 9}
    assert len(search.stacked_) == 10


def test_task_scores_say_after_how_many_epochs(X, Y):
    """Those of a candidate that was dropped are of fewer epochs, and not on the front."""
    search = StackedHalvingGridSearchCV(quick(), {"lr": LRS}, cv=CV, factor=2, min_epochs=2, refit=False)
    search.fit(X, Y)
    for name in ("iter", "n_resources"):
        assert search.task_results_[name].tolist() == column(search, name).tolist()
    assert set(search.pareto_front_["n_resources"]) == {12}


@pytest.mark.parametrize(("max_epochs", "expected"), [(1, [1]), (3, [3]), (6, [3, 6]), (60, [3, 6, 60])])
def test_fewer_epochs_than_it_takes(X, Y, max_epochs, expected):
    search = StackedHalvingGridSearchCV(quick(max_epochs=max_epochs), {"lr": LRS}, cv=2, factor=2)
    assert search.fit(X, Y).n_resources_ == expected


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": False},
        {"patience": 1, "max_epochs": 40, "lr": 0.1},
        {"patience": 2, "max_epochs": 40, "n_bags": 2},
        {"lr_schedule": "cosine"},
        {"ema_decay": None, "optimizer": "sgd"},
    ],
    ids=str,
)
def test_what_is_left_is_the_whole_fit(X, Y, params):
    """To the end scores what a grid search scores, although it was trained in three parts."""
    grid = {"weight_decay": [0.0, 0.1, 0.2, 0.3, 0.4]}
    est = quick(**params)
    settings = {"cv": KFold(2), "refit": False}
    search = StackedHalvingGridSearchCV(est, grid, factor=2, min_epochs=2, **settings).fit(X, Y)
    last = np.flatnonzero(column(search, "iter") == search.n_iterations_ - 1)
    assert (search.n_iterations_, len(last)) == (3, 2)
    left = [search.cv_results_["params"][row]["weight_decay"] for row in last]
    whole = GridSearchCV(est, {"weight_decay": left}, **settings).fit(X, MultiTaskTarget(Y))
    for key in ("split0_test_score", "split1_test_score"):
        np.testing.assert_allclose(column(search, key)[last], whole.cv_results_[key], rtol=0, atol=1e-6)


def test_each_rung_is_scored_as_a_shorter_fit(X, Y):
    est = quick(lr_schedule=None)
    search = StackedHalvingGridSearchCV(est, {"lr": LRS}, cv=CV, factor=2, min_epochs=2).fit(X, Y)
    for iteration, epochs in enumerate(search.n_resources_):
        rows = np.flatnonzero(column(search, "iter") == iteration)
        tried = [search.cv_results_["params"][row]["lr"] for row in rows]
        short = GridSearchCV(clone(est).set_params(max_epochs=epochs), {"lr": tried}, cv=CV, refit=False)
        short.fit(X, MultiTaskTarget(Y))
        scores = column(search, "mean_test_score")[rows]
        np.testing.assert_allclose(scores, short.cv_results_["mean_test_score"], atol=1e-6)
        if iteration + 1 < search.n_iterations_:
            best = sorted(np.array(tried)[np.argsort(-scores)[: -(-len(rows) // 2)]])
            after = column(search, "iter") == iteration + 1
            assert [search.cv_results_["params"][i]["lr"] for i in np.flatnonzero(after)] == best


def test_nets_train_on_and_not_anew(monkeypatch, X, Y):
    handed = []

    def spy(plans, **settings):
        handed.append(list(plans))
        return train_nets(plans, **settings)

    monkeypatch.setattr(fitting, "train_nets", spy)
    est = quick(early_stopping=False)
    StackedHalvingGridSearchCV(est, {"lr": LRS}, cv=CV, factor=2, min_epochs=2, refit=False).fit(X, Y)
    assert [len(plans) for plans in handed] == [15, 9, 6]
    assert [{plan.epochs for plan in plans} for plans in handed] == [{2}, {2}, {8}]
    assert all(plan.before is None for plan in handed[0])
    assert all(plan.before is not None for plans in handed[1:] for plan in plans)


def test_several_scores(X, Y):
    scoring = multitask_scoring(["price", "type"])
    search = StackedHalvingGridSearchCV(quick(), {"lr": LRS}, cv=CV, scoring=scoring, refit="type")
    search.fit(X, Y)
    last = column(search, "iter") == search.n_iterations_ - 1
    assert search.best_score_ == column(search, "mean_test_type")[last].max()
    for refit in (False, len):
        with pytest.raises(ValueError, match="`refit` must name the score"):
            clone(search).set_params(refit=refit).fit(X, Y)
    price = task_scorer("price", "neg_mean_absolute_error")
    search = StackedHalvingGridSearchCV(quick(), {"lr": LRS}, cv=CV, scoring=price).fit(X, Y)
    assert search.best_score_ < 0


def test_the_refitted_best_is_an_ordinary_fit(X, Y):
    search = StackedHalvingGridSearchCV(make_pipeline(StandardScaler(), quick()),
        {"multitaskclassifierregressor__lr": LRS}, cv=CV).fit(X, Y)  # fmt: skip
    own = clone(search.estimator).set_params(**search.best_params_).fit(X, Y)
    np.testing.assert_array_equal(search.predict(X)["price"], own.predict(X)["price"])
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(search.predict(X)["price"], again.predict(X)["price"])
    assert "factor=2" in repr(clone(search).set_params(factor=2))


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_failed_fits_are_dropped_first(X, Y):
    search = StackedHalvingGridSearchCV(quick(), {"lr": [-1.0, 0.01, -2.0, 0.001]}, cv=CV, factor=2)
    with pytest.warns(FitFailedWarning, match="6 fits failed out of a total of 12"):
        search.fit(X, Y)
    assert np.isnan(column(search, "mean_test_score")).tolist()[:4] == [True, False, True, False]
    assert [params["lr"] for params in search.cv_results_["params"][4:6]] == [0.01, 0.001]
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        StackedHalvingGridSearchCV(quick(), {"lr": [-1.0]}, cv=CV).fit(X, Y)


@pytest.mark.parametrize(
    ("estimator", "grid", "settings", "error", "message"),
    [
        (quick(), {"lr": LRS}, {"factor": 1}, ValueError, "`factor` must be greater than 1. Found 1."),
        (quick(), {"lr": LRS}, {"min_epochs": 0}, ValueError, "`min_epochs` must be a positive integer."),
        (quick(), {"max_epochs": [1, 2]}, {}, ValueError, r"`param_grid` .* Found \['max_epochs'\]"),
        (Ridge(), {"alpha": [1.0]}, {}, TypeError, "`estimator` must be a multi-task estimator"),
    ],
)
def test_what_is_wrong_is_said(X, Y, estimator, grid, settings, error, message):
    with pytest.raises(error, match=message):
        StackedHalvingGridSearchCV(estimator, grid, cv=CV, **settings).fit(X, Y)
