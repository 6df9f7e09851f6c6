"""The shared representation is a transformer's output like any other."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.trunks import MLP, TabM

NAMES = [f"multitaskclassifierregressor{i}" for i in range(8)]


@pytest.fixture
def fitted(quick, houses):
    return quick().fit(*houses)


def test_it_has_a_row_for_each_row_and_a_name_for_each_column(fitted, houses):
    X, _ = houses
    found = fitted.transform(X)
    assert found.shape == (80, 8)
    assert np.isfinite(found).all()
    assert fitted.get_feature_names_out().tolist() == NAMES
    assert fitted.get_feature_names_out(X.columns).tolist() == NAMES


@pytest.mark.parametrize("cls", [MultiTaskClassifierRegressor, MultiTaskClassifier, MultiTaskRegressor])
def test_names_are_those_of_the_class(quick, houses, cls):
    X, Y = houses
    tasks = {MultiTaskClassifier: ["type"], MultiTaskRegressor: ["price"]}.get(cls, ["price", "type"])
    est = quick(cls).fit(X, Y[tasks])
    assert est.get_feature_names_out()[-1] == f"{cls.__name__.lower()}7"
    np.testing.assert_array_equal(quick(cls).fit_transform(X, Y[tasks]), est.transform(X))


@pytest.mark.parametrize("trunk", [MLP((16, 5)), MLP(()), TabM((6,), members=3)], ids=str)
def test_its_width_is_the_last_of_the_trunk(quick, houses, trunk):
    X, Y = houses
    est = quick(trunk=trunk).fit(X, Y)
    assert est.transform(X).shape == (80, len(est.get_feature_names_out()))
    if trunk.hidden_sizes:
        assert est.transform(X).shape[1] == trunk.hidden_sizes[-1]


@pytest.mark.parametrize(("container", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_set_output_gives_frames_with_these_names(fitted, houses, container, frame):
    X, _ = houses
    values = fitted.transform(X)
    found = fitted.set_output(transform=container).transform(X)
    assert isinstance(found, frame)
    assert list(found.columns) == NAMES
    np.testing.assert_array_equal(found.to_numpy(), values)
    if container == "pandas":
        assert found.index.equals(X.index)
    # What is predicted keeps the container of y.
    assert isinstance(fitted.predict(X), pd.DataFrame)
    np.testing.assert_array_equal(fitted.set_output(transform="default").transform(X), values)


def test_the_index_of_x_comes_back(quick, houses):
    X, Y = houses
    X = X.set_axis([f"house{i}" for i in range(80)], axis=0)
    est = quick().set_output(transform="pandas").fit(X, Y)
    assert est.transform(X[::2]).index.tolist() == X.index[::2].tolist()
    assert est.fit_transform(X, Y.set_axis(X.index)).index.equals(X.index)


def test_a_frozen_estimator_feeds_another_model(fitted, houses):
    X, _ = houses
    before = fitted.transform(X)
    pipeline = make_pipeline(FrozenEstimator(fitted), HistGradientBoostingRegressor(max_iter=5))
    pipeline.fit(X, X["garden"])
    assert np.isfinite(pipeline.predict(X)).all()
    assert pipeline[:-1].get_feature_names_out().tolist() == NAMES
    assert np.isfinite(cross_val_score(pipeline, X, X["garden"], cv=2, error_score="raise")).all()
    np.testing.assert_array_equal(fitted.transform(X), before)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_a_pipeline_around_it_sets_its_output(fitted, houses, container):
    X, _ = houses
    pipeline = make_pipeline(FrozenEstimator(fitted), StandardScaler()).set_output(transform=container)
    found = pipeline.fit_transform(X, X["garden"])
    assert list(found.columns) == NAMES
    model = make_pipeline(FrozenEstimator(fitted), HistGradientBoostingRegressor(max_iter=5))
    model.set_output(transform=container).fit(X, X["garden"])
    assert model[-1].feature_names_in_.tolist() == NAMES


def test_it_learns_in_the_middle_of_a_pipeline(quick, houses):
    X, Y = houses
    pipeline = make_pipeline(StandardScaler(), quick(), Ridge()).fit(X, Y["price"])
    assert pipeline.predict(X).shape == (80,)
    assert pipeline[:-1].get_feature_names_out().tolist() == NAMES


def test_it_stands_beside_other_transformers(fitted, houses):
    X, _ = houses
    frozen = FrozenEstimator(fitted)
    union = FeatureUnion([("net", frozen), ("plain", StandardScaler())]).set_output(transform="pandas")
    found = union.fit_transform(X)
    assert list(found.columns) == [f"net__{name}" for name in NAMES] + [f"plain__{c}" for c in X.columns]
    columns = ColumnTransformer([("net", frozen, X.columns), ("rest", "passthrough", ["age"])])
    assert columns.fit_transform(X).shape == (80, 9)


@pytest.mark.parametrize("method", ["transform", "get_feature_names_out"])
def test_there_is_none_before_fit(quick, houses, method):
    args = () if method == "get_feature_names_out" else (houses[0],)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(quick(), method)(*args)


def test_wrong_features_are_refused_as_by_any_transformer(fitted, houses):
    X, _ = houses
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform(X.rename(columns={"area": "size"}))
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform(X[["area"]])
    with pytest.raises(ValueError, match="output config must be in"):
        fitted.set_output(transform="arrow").transform(X)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_its_dtype_is_that_of_the_network(quick, houses, precision):
    assert quick(precision=precision).fit(*houses).transform(houses[0]).dtype == precision
