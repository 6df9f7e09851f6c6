"""Intervals and sets with a promised coverage."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.inspection import ConformalTasks
from sklearn_mtl.inspection.conformal_models import ConformalInterval
from sklearn_mtl.tasks import Regression

PARAMS = {
    "trunk": "mlp",
    "n_bags": 1,
    "max_epochs": 15,
    "lr": 0.01,
    "linear_blend": False,
    "tree_blend": False,
    "random_state": 0,
}
# Rows to fit, to conformalize and to test.
FIT, HELD_OUT, TEST = (slice(start, start + 400) for start in (0, 400, 800))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 3))
    noise = rng.normal(size=(1200, 3))
    kind = np.select([X[:, 1] + noise[:, 1] > 0.6, X[:, 1] + noise[:, 1] > -0.6], ["flat", "house"], "hut")
    Y = {
        "price": 100 * (X[:, 0] + noise[:, 0] * np.exp(X[:, 2] / 2)),
        "type": kind,
        "size": X[:, :2] + noise[:, :2],
        "has": np.column_stack([X[:, 0] > 0, X[:, 2] > 0]),
    }
    return X, MultiTaskTarget(Y)


@pytest.fixture(scope="module")
def est(data):
    X, Y = data
    return MultiTaskClassifierRegressor(**PARAMS).fit(X[FIT], Y[FIT])


@pytest.fixture(scope="module")
def conformal(est, data):
    X, Y = data
    return ConformalTasks(est, coverage=0.8).conformalize(X[HELD_OUT], Y[HELD_OUT])


def test_intervals_and_sets_hold_the_promised_share_of_new_labels(conformal, data):
    X, Y = data
    intervals, sets = conformal.predict_interval(X[TEST]), conformal.predict_set(X[TEST])
    assert {name: values.shape for name, values in intervals.items()} == {
        "price": (400, 2),
        "size": (400, 2, 2),
    }
    assert {name: (values.shape, values.dtype) for name, values in sets.items()} == {
        "type": ((400, 3), np.dtype(bool))
    }
    report = conformal.coverage_report(X[TEST], Y[TEST])
    assert list(report.index) == ["price", "type", "size"]
    assert report["kind"].tolist() == ["interval", "set", "interval"]
    assert (report["asked"] == 0.8).all()
    # Two standard errors of a share of 0.8 in 400 rows are 0.04, and as much comes from conformalizing.
    assert report["found"].between(0.72, 0.88).all()
    price = Y["price"][TEST]
    inside = (intervals["price"][:, 0] <= price) & (price <= intervals["price"][:, 1])
    assert report.loc["price", "found"] == inside.mean()
    assert report.loc["price", "size"] == pytest.approx(np.ptp(intervals["price"], axis=1).mean())
    assert report.loc["type", "size"] == sets["type"].sum(axis=1).mean()
    assert (report["n_rows"] == 400).all()


def test_the_numbers_are_those_of_the_definition(conformal, est, data):
    X, Y = data
    # The ceil((n + 1) * coverage)-th smallest residual.
    residuals = np.sort(np.abs(est.predict(X[HELD_OUT])["price"] - Y["price"][HELD_OUT]))
    half = residuals[int(np.ceil(401 * 0.8)) - 1]
    predicted = est.predict(X[TEST])["price"]
    expected = np.column_stack([predicted - half, predicted + half])
    np.testing.assert_allclose(conformal.predict_interval(X[TEST])["price"], expected)


def test_rows_go_through_the_network_once(conformal, est, data, monkeypatch):
    X, Y = data
    calls = []
    original = type(est)._responses
    monkeypatch.setattr(type(est), "_responses", lambda self, X: calls.append(len(X)) or original(self, X))
    clone(conformal).set_params(estimator=est).conformalize(X[HELD_OUT], Y[HELD_OUT])
    conformal.coverage_report(X[TEST], Y[TEST])
    conformal.predict_interval(X[TEST])
    assert calls == [400] * 3


def test_quantile_and_gaussian_tasks_have_intervals_as_wide_as_their_rows_need(data):
    X, Y = data
    widths = {}
    for loss in ("gaussian_nll", "squared_error"):
        tasks = {"price": Regression(loss=loss)}
        params = {**PARAMS, "tasks": tasks, "max_epochs": 40}
        est = MultiTaskClassifierRegressor(**params).fit(X[FIT], {"price": Y["price"][FIT]})
        found = ConformalTasks(est, coverage=0.8).conformalize(X[HELD_OUT], {"price": Y["price"][HELD_OUT]})
        report = found.coverage_report(X[TEST], {"price": Y["price"][TEST]})
        assert report["found"].between(0.72, 0.88).all()
        widths[loss] = np.ptp(found.predict_interval(X[TEST])["price"], axis=1)
    assert np.ptp(widths["squared_error"]) < 1e-6
    wide = X[TEST][:, 2] > 1
    assert widths["gaussian_nll"][wide].mean() > 1.3 * widths["gaussian_nll"][~wide].mean()


def test_missing_labels_are_left_out_and_some_tasks_are_enough(est, data):
    X, Y = data
    gaps = pd.DataFrame({name: Y[name][HELD_OUT] for name in ("price", "type")})
    gaps.loc[100:, "price"] = np.nan
    found = ConformalTasks(est, coverage=0.8).conformalize(X[HELD_OUT], gaps)
    only = ConformalTasks(est, coverage=0.8).conformalize(X[400:500], {"price": Y["price"][400:500]})
    np.testing.assert_allclose(
        found.predict_interval(X[TEST])["price"], only.predict_interval(X[TEST])["price"]
    )
    assert list(only.conformal_) == ["price"]
    assert isinstance(only.conformal_["price"], ConformalInterval)
    with pytest.raises(ValueError, match=r"given a task that has sets\. Found \{'price': 'interval'\}"):
        only.predict_set(X)
    report = found.coverage_report(X[HELD_OUT], gaps)
    assert report["n_rows"].tolist() == [100, 400]
    gaps["price"] = np.nan
    report = found.coverage_report(X[HELD_OUT], gaps)
    assert np.isnan(report.loc["price", "found"])


def test_pipelines_and_classes_that_are_rare(data):
    X, Y = data
    pipe = make_pipeline(StandardScaler(), MultiTaskClassifierRegressor(**{**PARAMS, "max_epochs": 5}))
    pipe.fit(X[FIT], {"type": Y["type"][FIT]})
    without = np.flatnonzero(Y["type"] != "hut")[-300:]
    found = ConformalTasks(pipe, coverage=0.5).conformalize(X[without], {"type": Y["type"][without]})
    assert found.predict_set(X)["type"].shape == (1200, 3)
    labels = Y["type"].astype(object)
    labels[:5] = "castle"
    with pytest.raises(ValueError, match=r"must be among the classes of `fit`\. Found \['castle'"):
        ConformalTasks(pipe).conformalize(X, {"type": labels})
    report = found.coverage_report(X[:5], {"type": labels[:5]})
    assert report.loc["type", "found"] == 0


@pytest.mark.parametrize("coverage", [0, 1, 1.5, "high", np.nan])
def test_a_coverage_that_is_none_is_refused(est, data, coverage):
    with pytest.raises(ValueError, match="`coverage` must be a number between 0 and 1"):
        ConformalTasks(est, coverage=coverage).conformalize(*data)


def test_other_bad_input_is_refused(est, data, monkeypatch):
    X, Y = data
    conformal = ConformalTasks(est, coverage=0.9)
    with pytest.raises(NotFittedError):
        conformal.predict_interval(X)
    with pytest.raises(ValueError, match=r"must have at least 11 labels for a coverage of 0\.9\. Found 10"):
        conformal.conformalize(X[:10], Y[:10])
    conformal.conformalize(X[:11], Y[:11])
    with pytest.raises(ValueError, match=r"y must hold tasks of the estimator, .*Found \['prise'\]"):
        conformal.conformalize(X, {"prise": Y["price"]})
    with pytest.raises(ValueError, match=r"a task with intervals or sets.*\{'has': 'multilabel'\}"):
        conformal.conformalize(X, {"has": Y["has"]})
    with pytest.raises(TypeError, match="must be a multi-task estimator"):
        ConformalTasks(StandardScaler()).conformalize(X, Y)
    monkeypatch.setitem(sys.modules, "mapie", None)
    with pytest.raises(ImportError, match=r"sklearn-mtl\[conformal\]"):
        conformal.conformalize(X, Y)


def test_coverage_on_the_diabetes_patients():
    X, disease = load_diabetes(return_X_y=True, as_frame=True)
    Y = pd.DataFrame({"disease": disease, "third": pd.qcut(disease, 3, labels=["low", "middle", "high"])})
    order = np.random.default_rng(0).permutation(len(X))
    fit, held_out, test = order[:200], order[200:320], order[320:]
    est = MultiTaskClassifierRegressor(**PARAMS).fit(X.iloc[fit], Y.iloc[fit])
    conformal = ConformalTasks(est, coverage=0.8).conformalize(X.iloc[held_out], Y.iloc[held_out])
    report = conformal.coverage_report(X.iloc[test], Y.iloc[test])
    # The share is that of 122 rows, by as many to conformalize: three standard errors are 0.15.
    assert report["found"].between(0.68, 0.92).all()


def test_nothing_is_drawn_from_the_global_generator(est, data):
    X, Y = data
    before = check_random_state(None).get_state()
    ConformalTasks(est).conformalize(X[HELD_OUT], Y[HELD_OUT]).coverage_report(X[TEST], Y[TEST])
    after = check_random_state(None).get_state()
    assert before[2] == after[2]
    np.testing.assert_array_equal(before[1], after[1])
