"""What tasks look at."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

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


@pytest.mark.filterwarnings("ignore:.*free text")
def test_a_level_is_not_taken_for_a_column_of_a_longer_name():
    rng = np.random.default_rng(0)
    note = [f"{i} rooms by the {place}" for i, place in enumerate(rng.choice(["sea", "lake"], 80))]
    X = pd.DataFrame({"a": ["b_x", "c"] * 40, "a_b": rng.normal(size=80), "when": pd.Timestamp("2020-01-01")})
    X["when"] += pd.to_timedelta(rng.integers(0, 900, 80), unit="D")
    X["when_seconds"], X["note"] = X["a_b"].where(X["a_b"] > -1), note
    X["note_0"] = rng.normal(size=80)
    Y = {"first": 2 * X["a_b"] + rng.normal(size=80), "third": np.where(rng.normal(size=80) > 0, "yes", "no")}
    other = X.set_axis(list("uvwxyz"), axis=1)
    found, expected = (task_attention(fitted((one, Y), max_epochs=1), one) for one in (X, other))
    np.testing.assert_allclose(found, expected)
    assert (found > 0).all(axis=None)


def test_columns_of_a_transformer_of_ones_own_are_those_that_come_out_of_it(data):
    X, Y = data[0].drop(columns=["level"]), data[1]
    found = task_attention(fitted((X, Y), preprocessing=PCA(3), max_epochs=1), X)
    assert list(found.columns) == ["pca0", "pca1", "pca2"]
    np.testing.assert_allclose(found.sum(axis=1), 1)
    found = task_attention(fitted((X, Y), preprocessing=StandardScaler(), max_epochs=1), X)
    assert list(found.columns) == list(X.columns)
    found = task_attention(fitted((X, Y), preprocessing=None, max_epochs=1), X)
    assert list(found.columns) == list(X.columns)


def test_through_a_pipeline(data):
    est = fitted((data[0].drop(columns=["level"]), data[1]), max_epochs=1)
    rows = data[0].drop(columns=["level"]).iloc[:20]
    pipeline = make_pipeline(FunctionTransformer(), est)
    pd.testing.assert_frame_equal(task_attention(pipeline, rows), task_attention(est, rows))
