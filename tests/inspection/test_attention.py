"""What tasks look at."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.inspection import task_attention
from sklearn_mtl.trunks import FTTransformer


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(600, 4)), columns=["a", "b", "c", "a_b"])
    X["level"] = rng.choice(["u", "v"], 600)
    X["constant"] = 1.0
    return X, pd.DataFrame({"first": 3 * X["a"] + 0.01, "third": np.where(X["c"] > 0, "yes", "no")})


def fitted(data, **params):
    trunk = FTTransformer(16, heads=2, blocks=1, task_tokens=True)
    params = {"n_bags": 1, "max_epochs": 30, "lr": 0.01, "random_state": 0, "trunk": trunk, **params}
    return MultiTaskClassifierRegressor(**params, linear_blend=False, tree_blend=False).fit(*data)


def test_each_task_looks_at_what_it_depends_on(data):
    found = task_attention(fitted(data), data[0])
    assert list(found.index) == ["first", "third"]
    assert list(found.columns) == list(data[0].columns)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found.loc["third", "c"] > found.loc["first", "c"]
    assert found["constant"].eq(0).all()


def test_arrays_and_bags(data):
    X, Y = data[0].drop(columns=["level"]).to_numpy(), data[1]
    est = fitted((X, Y), n_bags=2, max_epochs=1)
    found = task_attention(est, X[:7])
    assert list(found.columns) == [f"x{i}" for i in range(5)]
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_a_trunk_without_task_tokens_is_refused(data):
    with pytest.raises(ValueError, match=r"must be fitted with `trunk=FTTransformer\(task_tokens=True\)`"):
        task_attention(fitted(data, trunk=FTTransformer(8), max_epochs=1), data[0])
