"""Transformers of the user's as `preprocessing`: as good there as the step before the estimator."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectFromModel, SelectKBest, f_classif, f_regression
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, TargetEncoder

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.export import load, save
from sklearn_mtl.features.scaling import Scaling
from sklearn_mtl.model_selection import StackedGridSearchCV
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
    unscaled = make_pipeline(FunctionTransformer(seconds), "passthrough")
    # A linear model takes columns of any scale.
    raw = quick(preprocessing=unscaled, max_epochs=5, linear_blend=False)
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


TABLE = RNG.normal(size=(N_ROWS, 6))
NUMBER = 100 + 10 * TABLE[:, 2] + RNG.normal(size=N_ROWS)
KIND = np.where(TABLE[:, 4] + 0.3 * RNG.normal(size=N_ROWS) > 0, "flat", "house")
TOWNS = pd.DataFrame({"town": RNG.choice(list("abcdef"), N_ROWS), "area": TABLE[:, 2]})


class Seen(TransformerMixin, BaseEstimator):
    """Keeps what its fit was given; among scikit-learn's there is none that does."""

    def __init__(self, required=False):
        self.required = required

    def fit(self, X, y):
        self.X_, self.y_ = X, y
        return self

    def transform(self, X):
        return X


class Optional(Seen):
    """Says that it can do without."""

    def fit(self, X, y=None, sample_weight=None):
        self.weight_ = sample_weight
        return super().fit(X, y)


@pytest.mark.parametrize(
    ("cls", "y", "supervised"),
    [
        (MultiTaskRegressor, NUMBER, SelectKBest(f_regression, k=2)),
        (MultiTaskRegressor, NUMBER, PLSRegression(2)),
        (MultiTaskRegressor, NUMBER, SelectFromModel(Ridge())),
        (MultiTaskRegressor, np.column_stack([NUMBER, -NUMBER]), PLSRegression(2)),
        (MultiTaskClassifier, KIND, SelectKBest(f_classif, k=2)),
        (MultiTaskClassifier, KIND, LinearDiscriminantAnalysis()),
        (MultiTaskClassifier, KIND, NeighborhoodComponentsAnalysis(2, max_iter=5, random_state=0)),
        (MultiTaskClassifier, KIND, SelectFromModel(LogisticRegression())),
        (MultiTaskClassifier, KIND, make_pipeline(StandardScaler(), SelectKBest(f_classif, k=2))),
        (MultiTaskClassifier, KIND, make_column_transformer((SelectKBest(f_classif, k=1), [1, 4]))),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseEstimator) else "",
)
def test_supervised_transformers(cls, y, supervised, tmp_path):
    settings = {"trunk": MLP((16,)), "n_bags": 1, "max_epochs": 30, "lr": 0.02, "random_state": 0}
    est = cls(**settings, preprocessing=supervised).fit(TABLE, y)
    assert est.score(TABLE, y) > 0.8
    save(est, tmp_path / "est.mtl")
    np.testing.assert_array_equal(load(tmp_path / "est.mtl").predict(TABLE), est.predict(TABLE))


@pytest.mark.parametrize(("cls", "y"), [(MultiTaskRegressor, NUMBER), (MultiTaskClassifier, KIND)])
def test_target_encoders(cls, y):
    settings = {"trunk": MLP((16,)), "n_bags": 1, "max_epochs": 10, "lr": 0.02, "random_state": 0}
    columns = make_column_transformer((TargetEncoder(), ["town"]), ("passthrough", ["area"]))
    est = cls(**settings, preprocessing=columns).fit(TOWNS, y)
    assert est._fitted.encoder.spec.single.shape == (2,)
    alone = cls(**settings, preprocessing=TargetEncoder()).fit(TOWNS[["town"]], y)
    assert alone._fitted.encoder.spec.single.shape == (1,)


@pytest.mark.parametrize("transformer", [Seen(), Optional()])
def test_y_is_of_the_rows_that_are_learned_from_and_of_no_others(transformer):
    est = quick(preprocessing=transformer, max_epochs=1, validation_fraction=0.25)
    weight = 1.0 + np.arange(N_ROWS) % 3
    weight[:10] = 0
    est.fit(TABLE, NUMBER, weight)
    fitted = est._fitted.encoder.transformer
    assert 200 < len(fitted.X_) < 225
    places = [int(np.flatnonzero((row == TABLE).all(axis=1))[0]) for row in fitted.X_]
    assert min(places) >= 10
    assert np.corrcoef(fitted.y_, NUMBER[places])[0, 1] == pytest.approx(1)
    if isinstance(transformer, Optional):
        np.testing.assert_allclose(fitted.weight_ / fitted.weight_[0], weight[places] / weight[places[0]])


def seen(y, **params):
    settings = {"trunk": MLP((4,)), "n_bags": 1, "max_epochs": 1, "early_stopping": False}
    est = MultiTaskClassifierRegressor(preprocessing=Optional(), **settings, **params).fit(TABLE, y)
    return est._fitted.encoder.transformer.y_


def test_what_y_is():
    codes = (KIND == "house").astype(int)
    one = seen({"kind": KIND})
    assert one.dtype == np.int64
    np.testing.assert_array_equal(one, codes)
    assert seen({"kind": KIND, "again": codes}).dtype == np.int64
    marks = (TABLE[:, :2] > 0).astype(int)
    several = seen({"kind": KIND, "size": NUMBER, "marks": marks})
    assert several.shape == (N_ROWS, 4)
    assert several.dtype == np.float64
    np.testing.assert_array_equal(several[:, [0, 2, 3]], np.column_stack([codes, marks]))
    np.testing.assert_allclose(several[:, 1], (NUMBER - NUMBER.mean()) / NUMBER.std())
    gaps = seen({"kind": KIND, "size": np.where(np.arange(N_ROWS) % 4 == 0, np.nan, NUMBER)})
    np.testing.assert_array_equal(np.isnan(gaps[:, 1]), np.arange(N_ROWS) % 4 == 0)


def test_what_makes_nothing_of_y_takes_several_tasks_and_missing_labels():
    y = {"kind": KIND, "size": np.where(np.arange(N_ROWS) % 4 == 0, np.nan, NUMBER)}
    settings = {"trunk": MLP((4,)), "n_bags": 1, "max_epochs": 2, "random_state": 0}
    for given in (StandardScaler(), make_pipeline(StandardScaler()), FunctionTransformer()):
        MultiTaskClassifierRegressor(preprocessing=given, **settings).fit(TABLE, y)


@pytest.mark.parametrize(
    ("y", "given", "words"),
    [
        (
            {"kind": KIND, "size": NUMBER},
            SelectKBest(k=2),
            r"shape \(\d+, 2\), if.*SelectKBest.*1d",
        ),
        (
            {"kind": KIND, "size": NUMBER},
            TargetEncoder(),
            r"shape \(\d+, 2\), .*TargetEncoder.*FrozenEstimator",
        ),
        (
            {"a": NUMBER, "b": np.where(np.arange(N_ROWS) % 4 == 0, np.nan, NUMBER)},
            PLSRegression(1),
            r"shape \(\d+, 2\) with NaN for \d+ missing labels.*PLSRegression",
        ),
    ],
    ids=["select", "target", "gaps"],
)
def test_what_can_not_take_the_labels_says_the_way_out(y, given, words):
    est = MultiTaskClassifierRegressor(preprocessing=given, n_bags=1, max_epochs=1)
    begin = "`preprocessing` must take the labels of all tasks as y, an array of "
    with pytest.raises(ValueError, match=begin + words):
        est.fit(TABLE, y)
    fitted = clone(SelectKBest(f_regression, k=2)).fit(TABLE, NUMBER)
    est.set_params(preprocessing=FrozenEstimator(fitted), trunk=MLP((4,))).fit(TABLE, y)


def test_errors_about_x_are_passed_on():
    holes = np.where(TABLE > 2, np.nan, TABLE)
    with pytest.raises(ValueError, match=r"^Input X contains NaN"):
        MultiTaskRegressor(preprocessing=PLSRegression(1)).fit(holes, np.column_stack([NUMBER, NUMBER]))


def test_each_fold_of_a_search_has_its_own_labels():
    grid = {"lr": [0.003, 0.03], "preprocessing__k": [1, 2]}
    est = quick(preprocessing=SelectKBest(f_regression), max_epochs=3)
    alone, together = (
        search(est, grid, cv=3).fit(TABLE, NUMBER) for search in (GridSearchCV, StackedGridSearchCV)
    )
    for column in ("mean_test_score", "split0_test_score", "split2_test_score"):
        np.testing.assert_allclose(
            together.cv_results_[column], alone.cv_results_[column], rtol=1e-4, atol=1e-4
        )
