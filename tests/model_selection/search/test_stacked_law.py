"""A stacked search is the search it stands for, on mixed tasks, gaps, weights, folds and dropout."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.trunks import MLP, TabM

# Each value of a parameter with each of every other.
GRID = [
    {"task_weights__binary0": [weight], "lr": [lr], "trunk__dropout": [dropout]}
    for weight in (0.1, 1.0, 10.0)
    for lr, dropout in ((0.003, 0.1 if weight == 1.0 else 0.3), (0.01, 0.3 if weight == 1.0 else 0.1))
]


@pytest.fixture(scope="module")
def data():
    X, Y = make_multitask(
        n_samples=131,
        n_features=5,
        n_regression=2,
        n_binary=1,
        n_multiclass=1,
        missing_labels=0.25,
        noise=0.5,
        random_state=0,
    )
    weight = np.random.default_rng(1).uniform(0.2, 3.0, len(X))
    # 131 rows in 3 folds: training sets of 87 and 88 rows.
    return X, MultiTaskTarget(Y), weight


def searched(search, data, **params):
    X, Y, weight = data
    settings = {"max_epochs": 6, "n_bags": 1, "random_state": 0, "patience": 2, "linear_blend": False}
    est = MultiTaskClassifierRegressor(**{**settings, **params})
    return search(est, GRID, cv=KFold(3)).fit(X, Y, sample_weight=weight)


@pytest.mark.parametrize(
    "params",
    [
        {"trunk": MLP((8,))},
        {"trunk": TabM((8,), members=2), "n_bags": 2},
        {"trunk": MLP((8,)), "early_stopping": False},
    ],
    ids=lambda params: str(params["trunk"]),
)
def test_in_double_precision_the_same_scores_and_winner(data, params):
    stacked = searched(StackedGridSearchCV, data, precision="float64", **params)
    plain = searched(GridSearchCV, data, precision="float64", **params)
    assert stacked.stacked_["stacked"].all()
    assert stacked.best_index_ == plain.best_index_
    for fold in range(3):
        key = f"split{fold}_test_score"
        np.testing.assert_allclose(stacked.cv_results_[key], plain.cv_results_[key], rtol=0, atol=1e-6)


def test_with_linear_models_the_same_scores():
    X, Y = make_multitask(n_samples=200, n_features=20, n_regression=2, n_binary=1, random_state=0)
    est = MultiTaskClassifierRegressor(
        trunk=MLP((8,)), max_epochs=4, n_bags=2, random_state=0, precision="float64"
    )
    stacked, plain = (
        search(est, {"lr": [0.003, 0.01]}, cv=KFold(2)).fit(X, MultiTaskTarget(Y))
        for search in (StackedGridSearchCV, GridSearchCV)
    )
    assert stacked.stacked_["stacked"].all()
    assert all(net.evaluated.linear is not None for net in stacked.best_estimator_.nets_)
    for fold in range(2):
        key = f"split{fold}_test_score"
        np.testing.assert_allclose(stacked.cv_results_[key], plain.cv_results_[key], rtol=0, atol=1e-6)


def test_in_single_precision_the_same_predictions(data):
    X, Y, _ = data
    est = MultiTaskClassifierRegressor(
        trunk=MLP((8,)), max_epochs=8, n_bags=1, random_state=0, early_stopping=False
    )
    found = {}

    def predictions_of(search):
        def keep(estimator, X, y):
            predicted = estimator.predict(X)
            settings = (estimator.lr, estimator.task_weights["binary0"], estimator.trunk.dropout)
            found[search, settings, X[0, 0]] = np.column_stack(
                [predicted["regression0"], predicted["regression1"]]
            )
            return 0.0

        return keep

    for search in (StackedGridSearchCV, GridSearchCV):
        search(est, GRID, cv=KFold(3), scoring=predictions_of(search), refit=False).fit(X, Y)
    scale = np.nanstd(np.column_stack([Y["regression0"], Y["regression1"]]), axis=0)
    pairs = [
        (kept, found[GridSearchCV, *key])
        for (search, *key), kept in found.items()
        if search is StackedGridSearchCV
    ]
    assert len(pairs) == 6 * 3
    for stacked, plain in pairs:
        assert (np.abs(stacked - plain) < 1e-3 * scale).all()
