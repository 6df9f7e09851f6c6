"""Transformers of the user's as `preprocessing`: as good there as the step before the estimator."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.export import load, save
from sklearn_mtl.features.scaling import Scaling
from sklearn_mtl.trunks import MLP

RNG = np.random.default_rng(0)
N_ROWS = 300
SOLD = pd.DataFrame(
    {"sold": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 10**8, N_ROWS), "s")}
)
AGE = (SOLD["sold"] - SOLD["sold"].min()).dt.days.to_numpy() + RNG.normal(size=N_ROWS)


def quick(**params):
    settings = {"trunk": MLP((32,)), "n_bags": 1, "max_epochs": 60, "lr": 0.02, "random_state": 0}
    return MultiTaskRegressor(**{**settings, **params})


def seconds(table):
    return table.to_numpy().astype("datetime64[s]").astype("int64")


@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_seconds_since_1970_are_as_good_within_as_before(dtype):
    made = make_pipeline(
        FunctionTransformer(seconds), FunctionTransformer(np.asarray, kw_args={"dtype": dtype})
    )
    within = quick(preprocessing=made).fit(SOLD, AGE).score(SOLD, AGE)
    before = make_pipeline(made, quick()).fit(SOLD, AGE).score(SOLD, AGE)
    assert before > 0.98
    assert within > before - 0.01


def test_told_otherwise_they_are_taken_as_they_are():
    raw = quick(preprocessing=make_pipeline(FunctionTransformer(seconds), "passthrough"), max_epochs=5)
    assert raw.fit(SOLD, AGE).score(SOLD, AGE) < 0.5


def test_what_is_scaled_is_kept_in_pickles_and_files(tmp_path):
    X = RNG.normal(size=(50, 2)) * [1e6, 1] + [1e9, 0]
    est = quick(preprocessing=FunctionTransformer(), max_epochs=3).fit(X, X[:, 1])
    save(est, tmp_path / "est.mtl")
    for again in (pickle.loads(pickle.dumps(est)), load(tmp_path / "est.mtl")):
        assert isinstance(again._fitted.encoder._scaling, Scaling)
        np.testing.assert_array_equal(again.predict(X), est.predict(X))


def test_what_was_saved_before_anything_was_scaled_predicts_as_it_did():
    X = RNG.normal(size=(50, 2)) + 3
    est = quick(preprocessing=make_pipeline(FunctionTransformer(), "passthrough"), max_epochs=3)
    est.fit(X, X[:, 1])
    # An encoder of then, without the attributes of now.
    encoder = est._fitted.encoder
    encoder.preprocessing = FunctionTransformer()
    del encoder._scaling, encoder._takes_sparse
    expected = est.predict(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(est)).predict(X), expected)


def test_a_scaler_of_ones_own_changes_nothing():
    X = RNG.normal(size=(80, 3)) * [1, 100, 1e4]
    one, other = (
        quick(preprocessing=given, max_epochs=3, precision="float64").fit(X, X[:, 0])
        for given in (FunctionTransformer(), StandardScaler())
    )
    np.testing.assert_allclose(one.predict(X), other.predict(X), rtol=1e-9)
