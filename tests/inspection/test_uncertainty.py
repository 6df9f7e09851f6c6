"""How far members and nets disagree."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.ensemble import PerTask
from sklearn_mtl.inference import member_responses
from sklearn_mtl.inspection import task_uncertainty
from sklearn_mtl.trunks import TabM

PARAMS = {
    "trunk": "mlp",
    "n_bags": 3,
    "max_epochs": 15,
    "lr": 0.01,
    "linear_blend": False,
    "tree_blend": False,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 3)), columns=list("abc"), index=range(1000, 1200))
    kind = np.select([X["b"] > 0.5, X["b"] > -0.5], ["flat", "house"], "hut")
    Y = {
        "price": 1000 * X["a"].to_numpy(),
        "type": kind,
        "size": X[["a", "b"]].to_numpy(),
        "has": np.column_stack([X["a"] > 0, X["c"] > 0]),
    }
    return X, Y


@pytest.fixture(scope="module")
def est(data):
    return MultiTaskClassifierRegressor(**PARAMS).fit(*data)


def test_each_row_has_its_measures_by_task(est, data):
    X, _ = data
    found = task_uncertainty(est, X)
    assert found.index.equals(X.index)
    assert found.columns.to_list() == [
        ("price", "std"),
        ("type", "entropy"),
        ("type", "mutual_information"),
        ("size", "std_0"),
        ("size", "std_1"),
        ("has", "entropy_0"),
        ("has", "entropy_1"),
        ("has", "mutual_information_0"),
        ("has", "mutual_information_1"),
    ]
    assert (found >= 0).all(axis=None)
    assert found["price", "std"].mean() > 1
    of_type = found["type"]
    assert (of_type["mutual_information"] <= of_type["entropy"]).all()
    assert (of_type["entropy"] <= np.log(3) + 1e-9).all()
    # Between the classes, at 0.5 and -0.5, the class is less sure than far from them.
    near = X["b"].abs().sub(0.5).abs() < 0.1
    far = X["b"].abs() > 1.5
    assert of_type.loc[near, "entropy"].mean() > of_type.loc[far, "entropy"].mean()


def test_the_numbers_are_those_of_the_nets_one_by_one(est, data):
    X, _ = data
    nets = list(member_responses(est.nets_, est._fitted.tasks, est._encoded(X)[0]))
    assert len(nets) == 3
    prices = np.stack([est.tasks_["price"].predict(responses["price"]) for responses in nets])
    found = task_uncertainty(est, X)
    np.testing.assert_allclose(found["price", "std"], prices.std(axis=0))
    np.testing.assert_allclose(prices.mean(axis=0), est.predict(X)["price"], atol=20)
    proba = np.stack([est.tasks_["type"].predict_proba(responses["type"]) for responses in nets])
    np.testing.assert_allclose(proba.mean(axis=0), est.predict_proba(X)["type"], atol=1e-6)
    mean = proba.mean(axis=0)
    divergence = (proba * np.log(proba / mean)).sum(axis=-1).mean(axis=0)
    np.testing.assert_allclose(found["type", "mutual_information"], divergence, atol=1e-9)


def test_members_of_one_net_may_disagree_too(data):
    X, Y = data
    est = MultiTaskClassifierRegressor(**{**PARAMS, "trunk": TabM((8,), members=4), "n_bags": 1}).fit(X, Y)
    responses = list(member_responses(est.nets_, est._fitted.tasks, est._encoded(X)[0]))
    assert len(responses) == 4
    mean = np.mean([of_member["price"] for of_member in responses], axis=0)
    np.testing.assert_allclose(mean, est._responses(X)[0]["price"], atol=1e-6)
    assert (task_uncertainty(est, X)["price", "std"] > 0).all()


def test_members_disagree_most_where_there_was_nothing_to_learn_from(est, data):
    X, _ = data
    near, far = task_uncertainty(est, X), task_uncertainty(est, 6 * X)
    assert far["size", "std_0"].mean() > near["size", "std_0"].mean()


def test_a_pipeline_passes_its_rows_on(data):
    X, Y = data
    pipe = make_pipeline(StandardScaler(), MultiTaskClassifierRegressor(**{**PARAMS, "max_epochs": 2}))
    pipe.fit(X, {"price": Y["price"]})
    assert task_uncertainty(pipe, X).columns.to_list() == [("price", "std")]


def test_what_cannot_disagree_is_refused(data):
    X, Y = data
    one = MultiTaskClassifierRegressor(**{**PARAMS, "n_bags": 1, "max_epochs": 1}).fit(X, Y)
    with pytest.raises(ValueError, match=r"must have several members or nets.*Found one net of one member"):
        task_uncertainty(one, X)
    with pytest.raises(TypeError, match=r"with networks.*Found PerTask"):
        task_uncertainty(PerTask(LinearRegression()).fit(X, {"price": Y["price"]}), X)
    with pytest.raises(ValueError, match="not fitted"):
        task_uncertainty(MultiTaskClassifierRegressor(), X)


def test_tasks_of_another_kind_are_left_out_or_refused(data):
    X, Y = data
    label = np.zeros(200, dtype=[("event", bool), ("time", float)])
    label["event"], label["time"] = True, np.exp(X["a"])
    params = {**PARAMS, "n_bags": 2, "max_epochs": 1, "tasks": {"event": "survival"}}
    both = MultiTaskClassifierRegressor(**params).fit(X, {"event": label, "price": Y["price"]})
    assert task_uncertainty(both, X).columns.to_list() == [("price", "std")]
    alone = MultiTaskClassifierRegressor(**params).fit(X, {"event": label})
    with pytest.raises(ValueError, match=r"or one with classes\. Found \{'event': 'survival'\}"):
        task_uncertainty(alone, X)
