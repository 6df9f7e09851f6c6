"""The epoch whose weights a net has kept."""

import pickle

import numpy as np
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.training import kept_epoch
from sklearn_mtl.training.kept_epoch import lowest_epoch

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3))
Y = {"price": X[:, 0] + rng.normal(size=120), "type": np.where(X[:, 1] > 0, "flat", "house")}


def fitted(**params):
    params = {"trunk": "mlp", "n_bags": 1, "max_epochs": 8, "lr": 0.02, "random_state": 0, **params}
    return MultiTaskClassifierRegressor(**params, linear_blend=False, tree_blend=False).fit(X, Y)


@pytest.fixture(scope="module")
def stopping():
    return fitted()


def test_it_is_the_one_of_the_lowest_loss(stopping):
    expected = stopping.history_.set_index("epoch")["valid_loss"].idxmin()
    assert kept_epoch(stopping.net_, stops_early=True) == lowest_epoch(stopping.net_) == expected


def test_a_net_that_was_pickled_has_it_in_its_history(stopping):
    again = pickle.loads(pickle.dumps(stopping))
    assert kept_epoch(again.net_, stops_early=True) == kept_epoch(stopping.net_, stops_early=True)
    assert kept_epoch(again.net_, stops_early=False) is None


def test_without_early_stopping_it_is_the_last():
    est = fitted(early_stopping=False, max_epochs=2)
    assert kept_epoch(est.net_, stops_early=False) is None
    assert lowest_epoch(est.net_) is None


def test_a_warm_start_counts_on():
    est = fitted(max_epochs=2)
    est.set_params(warm_start=True, max_epochs=4).fit(X, Y)
    assert kept_epoch(est.net_, stops_early=True) == est.history_.set_index("epoch")["valid_loss"].idxmin()
