"""Which rows a net has not learned from: what is kept is what it was trained without."""

import pickle

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.trunks import MLP


def data():
    X = np.random.RandomState(0).normal(size=(120, 2))
    price = X[:, 0] * 3
    price[::10] = np.nan
    return pd.DataFrame(X, columns=["a", "b"], index=range(7, 127)), {"price": price}


def quick(**params):
    return MultiTaskClassifierRegressor(
        **{"trunk": MLP((8,)), "max_epochs": 2, "n_bags": 3, "random_state": 0, **params}
    )


def test_each_net_answers_for_the_labelled_rows_that_it_held_out(monkeypatch):
    X, Y = data()
    learned = []
    from sklearn_mtl.estimators import fitting

    plan_bag = fitting.plan_bag

    def watched(blueprint, parts, *rest):
        learned.extend(parts)
        return plan_bag(blueprint, parts, *rest)

    monkeypatch.setattr(fitting, "plan_bag", watched)
    est = quick().fit(X, Y)
    found = list(est._held_out_responses(X))
    assert len(found) == 3
    for (rows, responses), (train, valid) in zip(found, learned, strict=True):
        assert len(rows) == len(valid) == len(responses["price"])
        assert not np.isnan(Y["price"][rows]).any()
        scale = est.tasks_["price"]
        own = (Y["price"][rows] - scale.loc) / scale.scale
        assert valid.y[:, 0].numpy() == pytest.approx(own, abs=1e-5)
        assert len(train) == 108 - len(rows)
    alone = quick(n_bags=1).fit(X, Y)
    ((rows, responses),) = alone._held_out_responses(X)
    assert alone.tasks_["price"].predict(responses["price"]) == pytest.approx(
        alone.predict(X.iloc[rows])["price"], abs=1e-6
    )


def test_none_is_known_where_none_is_held_out():
    X, Y = data()
    for est in (
        quick(early_stopping=False).fit(X, Y),
        quick().fit(X, Y, X_val=X[:20], y_val={"price": np.arange(20.0)}),
        quick().partial_fit(X, Y),
    ):
        assert [len(rows) for rows in est._fitted.held_out] == [0, 0, 0]
    assert list(pickle.loads(pickle.dumps(quick().fit(X, Y)))._fitted.held_out) == []


def test_a_warm_start_holds_the_same_rows_out():
    X, Y = data()
    est = quick(warm_start=True).fit(X, Y)
    before = est._fitted.held_out
    after = est.set_params(max_epochs=3).fit(X, Y)._fitted.held_out
    assert [rows.tolist() for rows in before] == [rows.tolist() for rows in after]
