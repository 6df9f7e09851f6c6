"""PerTask: the models that one would fit by hand, under the contract of the other estimators."""

import pickle

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskTarget
from sklearn_mtl.ensemble import CategoricalColumns, PerTask
from sklearn_mtl.model_selection import cross_val_predict_tasks, score_tasks
from sklearn_mtl.tasks import Ordinal, Regression

ORDINAL = {"grade": "ordinal"}


def test_each_task_is_predicted_by_the_model_of_its_labelled_rows(numbers):
    X, Y = numbers
    est = PerTask(Ridge(), LogisticRegression(), tasks=ORDINAL).fit(X, Y)
    known = ~np.isnan(Y["price"])
    by_hand = Ridge().fit(X[known], Y["price"][known])
    low, high = np.nanmin(Y["price"]), np.nanmax(Y["price"])
    assert est.predict(X)["price"] == pytest.approx(np.clip(by_hand.predict(X), low, high))
    labelled = np.array([label is not None for label in Y["kind"]])
    by_hand = LogisticRegression().fit(X[labelled], Y["kind"][labelled].astype(str))
    assert est.predict_proba(X)["kind"] == pytest.approx(by_hand.predict_proba(X))
    assert est.classes_["kind"].tolist() == by_hand.classes_.tolist()
    assert est.predict(X)["kind"].tolist() == by_hand.predict(X).tolist()
    gap = ~np.isnan(Y["both"][:, 1])
    by_hand = Ridge().fit(X[gap], Y["both"][gap, 1])
    assert est.task("both").predict(X)[10:20, 1] == pytest.approx(by_hand.predict(X)[10:20], abs=1e-9)


def test_all_kinds_have_scores_probabilities_and_views(numbers):
    X, Y = numbers
    est = PerTask(Ridge(), LogisticRegression(), tasks=ORDINAL).fit(X, Y)
    scores = est.score_tasks(X, Y)
    assert scores.attrs["metrics"]["grade"] == "d2"
    assert (scores > 0.7).all()
    assert est.score(X, Y) == pytest.approx(scores.mean())
    proba = est.predict_proba(X)
    assert {name: of.shape for name, of in proba.items()} == {
        "kind": (60, 2),
        "grade": (60, 3),
        "labels": (60, 3),
    }
    assert proba["grade"].sum(axis=1) == pytest.approx(1)
    assert est.task("kind").predict_proba(X) == pytest.approx(proba["kind"])
    log_odds = est.decision_function(X)
    assert ((log_odds["kind"] > 0) == (proba["kind"][:, 1] > 0.5)).all()
    assert np.exp(est.predict_log_proba(X)["labels"]) == pytest.approx(proba["labels"])
    assert est.predict(X)["grade"].dtype == Y["grade"].dtype
    assert not hasattr(est, "predict_interval")


@pytest.mark.parametrize("dtype", ["mapping", "pandas", "1d", "2d"])
def test_what_comes_out_has_the_container_of_y(dtype):
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.normal(size=(30, 2)), index=range(100, 130))
    y = {
        "mapping": {"a": X[0], "b": X[1] > 0},
        "pandas": pd.DataFrame({"a": X[0] + 1, "b": X[1] > 0}),
        "1d": X[0].to_numpy() + X[1].to_numpy(),
        "2d": X.to_numpy() @ [[1.0, 2.0], [3.0, 1.0]],
    }[dtype]
    est = PerTask(Ridge(), LogisticRegression()).fit(X, y)
    found = est.predict(X)
    types = {"mapping": MultiTaskTarget, "pandas": pd.DataFrame, "1d": np.ndarray, "2d": np.ndarray}
    assert isinstance(found, types[dtype])
    assert len(found) == 30
    if dtype == "pandas":
        assert found.index.equals(X.index)
        assert found["b"].dtype == bool


def test_sample_weights_reach_the_models_and_a_row_of_weight_0_is_left_out():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(40, 2)), rng.normal(size=40)
    weight = rng.randint(0, 3, size=40)
    repeated = PerTask(Ridge()).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    weighted = PerTask(Ridge()).fit(X, y, sample_weight=weight)
    assert weighted.predict(X) == pytest.approx(repeated.predict(X))
    by_task = PerTask(Ridge()).fit(X, {"a": y, "b": y}, sample_weight={"a": weight})
    assert by_task.task("a").predict(X) == pytest.approx(repeated.predict(X))
    assert by_task.task("b").predict(X) == pytest.approx(PerTask(Ridge()).fit(X, y).predict(X))


def test_a_classifier_alone_takes_whole_numbers_as_classes_and_a_regressor_as_numbers():
    X, y = np.arange(40.0)[:, None], np.arange(40) % 3
    assert PerTask(Ridge()).fit(X, y).tasks_["y"].kind == "regression"
    assert PerTask(classifier=LogisticRegression()).fit(X, y).tasks_["y"].kind == "classification"


def test_a_class_of_a_model_that_lacks_it_has_probability_0():
    class First(ClassifierMixin, BaseEstimator):
        """Knows the first class only, as a model that is fitted to a part may."""

        def fit(self, X, y):
            self.classes_ = np.array([0.0])
            return self

        def predict_proba(self, X):
            return np.ones((len(X), 1))

    X, y = np.zeros((9, 1)), np.array(["b", "a", "c"] * 3)
    est = PerTask(classifier=First()).fit(X, y)
    assert est.predict_proba(X).tolist() == [[1.0, 0.0, 0.0]] * 9
    assert est.predict(X).tolist() == ["a"] * 9


@pytest.mark.filterwarnings("ignore:Task 'kind' has one class only:UserWarning")
def test_one_class_and_a_column_without_labels_are_constant():
    X = np.arange(6.0)[:, None]
    y = {"kind": ["only"] * 6, "both": np.column_stack([np.arange(6.0), np.full(6, np.nan)])}
    with pytest.warns(UserWarning, match="no label in the columns"):
        est = PerTask(Ridge(), LogisticRegression()).fit(X, y)
    assert est.predict(X)["kind"].tolist() == ["only"] * 6
    assert est.predict(X)["both"][:, 1].tolist() == [0.0] * 6


def test_columns_of_any_kind_are_encoded_as_those_of_the_networks(mixed):
    X, Y = mixed
    est = PerTask(Ridge(), LogisticRegression(), preprocessing="auto").fit(X, Y)
    assert est.n_features_in_ == X.shape[1]
    assert est.score(X, Y) > 0.5
    with pytest.raises(ValueError, match="feature names should match"):
        est.predict(X.rename(columns={"x0": "other"}))


def test_a_sparse_table_goes_through():
    X = csr_array(np.eye(12))
    y = np.arange(12.0)
    for preprocessing in (None, "auto", StandardScaler(with_mean=False)):
        assert PerTask(Ridge(), preprocessing=preprocessing).fit(X, y).predict(X).shape == (12,)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"regressor": None, "tasks": {"price": "regression"}},
            "`regressor` must be an estimator .* 'price'",
        ),
        ({"classifier": Ridge}, "`classifier` must be an estimator"),
        ({"classifier": Ridge()}, "`classifier` must have `predict_proba`"),
        ({"tasks": {"prise": "regression"}}, "`tasks` names unknown tasks"),
        ({"tasks": {"price": "survival"}}, "must be of the kinds"),
    ],
    ids=["lacking", "a class", "no probabilities", "unknown", "survival"],
)
def test_parameters_are_refused_by_their_names(params, message):
    X, Y = np.zeros((9, 1)), {"price": np.arange(9.0) / 2, "type": list("abc") * 3}
    params = {"regressor": Ridge(), "classifier": LogisticRegression(), **params}
    with pytest.raises(ValueError, match=message):
        PerTask(**params).fit(X, Y)


def test_weights_are_refused_for_a_model_that_takes_none():
    class Plain(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            return self

    with pytest.raises(TypeError, match="`regressor` must take sample weights"):
        PerTask(Plain()).fit(np.zeros((4, 1)), np.arange(4.0), sample_weight=[1, 2, 1, 1])


def test_it_goes_through_what_takes_estimators(numbers):
    X, Y = numbers
    Y = MultiTaskTarget({name: Y[name] for name in ("price", "kind")})
    est = PerTask(Ridge(), RandomForestClassifier(5, random_state=0), n_jobs=2)
    search = GridSearchCV(make_pipeline(StandardScaler(), est), {"pertask__regressor__alpha": [1, 100]}, cv=2)
    with parallel_config(backend="threading"):  # new processes would import everything
        search.fit(X, Y)
        found = cross_val_predict_tasks(est, X, Y, cv=3, method="predict_proba")
    assert search.best_params_ == {"pertask__regressor__alpha": 1}
    assert score_tasks(search, X, Y)["price"] > 0.9
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert (again.predict(X)["price"] == search.predict(X)["price"]).all()
    assert not hasattr(clone(est), "models_")
    assert found["kind"].shape == (60, 2)


def test_a_fold_without_a_label_leaves_the_task_out():
    X = np.random.RandomState(0).normal(size=(30, 2))
    Y = {"a": X[:, 0], "b": np.where(np.arange(30) < 10, X[:, 1], np.nan)}
    with pytest.warns(UserWarning, match=r"no label of the tasks \['b'\]"):
        found = cross_val_predict_tasks(PerTask(Ridge()), X, Y, cv=3)
    assert np.isnan(found["b"][:10]).all()
    assert not np.isnan(found["a"]).any()


def test_fit_of_a_view_fits_the_task_alone(numbers):
    X, Y = numbers
    kind = Ordinal(order=["poor", "fair", "good"])
    est = PerTask(Ridge(), LogisticRegression(), tasks={"grade": kind}).fit(X, Y)
    view = est.task("grade").fit(X, Y["grade"])
    assert list(view.estimator_.tasks_) == ["grade"]
    assert view.estimator_.tasks_["grade"].kind == "ordinal"
    assert est.task("price").fit(X[~np.isnan(Y["price"])], Y["price"][~np.isnan(Y["price"])]).score(
        X, Y["price"]
    ) == pytest.approx(est.score_tasks(X, Y)["price"])


def test_nothing_of_the_users_is_changed(numbers):
    X, Y = numbers
    ridge, before = Ridge(), X.copy()
    PerTask(ridge, LogisticRegression(), preprocessing=CategoricalColumns()).fit(X, Y)
    assert not hasattr(ridge, "coef_")
    assert (before == X).all()


@pytest.mark.parametrize(
    "classifier",
    [
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=3),
        make_pipeline(StandardScaler(), LogisticRegression()),
        GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1.0]}, cv=3
        ),
    ],
    ids=["search", "pipeline", "search of a pipeline"],
)
def test_sample_weights_reach_what_is_within(classifier):
    rng = np.random.RandomState(0)
    X, weight = rng.normal(size=(90, 2)), rng.rand(90) + 0.1
    y = (X[:, 0] + rng.normal(size=90) > 0).astype(np.int64)
    est = PerTask(classifier=classifier).fit(X, y, sample_weight=weight)
    Z = X if isinstance(classifier, GridSearchCV) and "C" in classifier.param_grid else None
    Z = StandardScaler().fit_transform(X) if Z is None else Z
    alone = LogisticRegression().fit(Z, y, sample_weight=weight)
    assert est.predict_proba(X) == pytest.approx(alone.predict_proba(Z), abs=1e-6)


def test_tasks_are_checked_and_a_transform_is_refused():
    X, Y = np.arange(9.0)[:, None], {"y": np.arange(1.0, 10.0)}
    with pytest.raises(ValueError, match="`loss` of Regression must be one of"):
        PerTask(Ridge(), tasks={"y": Regression("bogus")}).fit(X, Y)
    with pytest.raises(ValueError, match=r"without `transform`.* for 'y'"):
        PerTask(Ridge(), tasks={"y": Regression(transform="log")}).fit(X, Y)
