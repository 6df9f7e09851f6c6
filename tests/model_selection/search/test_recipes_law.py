"""A stacked search has the scores of the plain one, whatever the recipe and its parameters are."""

from numbers import Real

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.balancing import BALANCERS, Balancer
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.sharing import SHARINGS, Sharing
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import CNN, TRUNKS, Trunk
from sklearn_mtl.trunks.cnn import ImageEntry
from tests.model_selection.search.recipes import CASES, PAGE

SEARCHED = [(case, name) for case in CASES for name in case.grid or [None]]


@pytest.fixture(autouse=True)
def stack_even_two(monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)


@pytest.fixture(scope="module")
def data():
    X, Y = make_multitask(
        n_samples=90,
        n_features=4,
        n_regression=1,
        n_binary=1,
        n_multiclass=1,
        n_factors=2,
        missing_labels=0.2,
        noise=0.5,
        random_state=0,
    )
    return X, MultiTaskTarget(Y)


def searched(search, case, grid, data):
    # Some balancers look at the losses of two epochs before they do anything.
    max_epochs = 3 if case.parameter == "balancing" else 2
    est = MultiTaskClassifierRegressor(
        trunk="mlp", max_epochs=max_epochs, lr=0.02, batch_size=16, n_bags=1, early_stopping=False
    )
    est.set_params(random_state=0, precision="float64", preprocessing=None, trunk__hidden_sizes=(6, 5))
    est.set_params(**{case.parameter: clone(case.recipe)})
    X, Y = data
    if case.of_texts:
        est.set_params(preprocessing="auto")
    return search(est, grid, cv=KFold(2), refit=False, error_score="raise").fit(case.rows(X), Y)


@pytest.mark.parametrize(("case", "name"), SEARCHED, ids=[f"{case}-{name}" for case, name in SEARCHED])
def test_the_scores_of_each_fold_are_those_of_the_plain_search(data, case, name):
    values = [0.1, 1.0] if name is None else case.grid[name]
    grid = {"task_weights__binary0" if name is None else f"{case.parameter}__{name}": values}
    plain = searched(GridSearchCV, case, grid, data)
    stacked = searched(StackedGridSearchCV, case, grid, data)
    for fold in range(2):
        key = f"split{fold}_test_score"
        np.testing.assert_allclose(stacked.cv_results_[key], plain.cv_results_[key], rtol=0, atol=1e-9)
    if name is not None:
        # Each of its values makes a difference, or the above would say nothing.
        assert len(set(plain.cv_results_["mean_test_score"].round(9))) == len(values)
    said = stacked.stacked_
    assert (said["stacked"] == (said["reason"] == "")).all()
    if case.not_stacked is None:
        assert said["stacked"].all(), said["reason"].tolist()
    else:
        assert said["reason"].str.contains(case.not_stacked, regex=False).any(), said["reason"].tolist()


def test_images_are_stacked_where_their_layout_is_the_plain_one(data, monkeypatch):
    """On a GPU it is."""
    monkeypatch.setattr("sklearn_mtl.trunks.cnn.in_layout", lambda images: images.contiguous())
    monkeypatch.setattr(ImageEntry, "why_not_batched", lambda entry: None)
    (case,) = (case for case in CASES if isinstance(case.recipe, CNN))
    grid = {"trunk__dropout": [0.1, 0.4], "lr": [0.01, 0.02]}
    plain, stacked = (searched(search, case, grid, data) for search in (GridSearchCV, StackedGridSearchCV))
    assert stacked.stacked_["stacked"].all()
    for fold in range(2):
        key = f"split{fold}_test_score"
        np.testing.assert_allclose(stacked.cv_results_[key], plain.cv_results_[key], rtol=0, atol=1e-9)


def numeric_parameters(recipe):
    def is_numeric(value):
        values = value if isinstance(value, tuple) else [value]
        return bool(values) and all(isinstance(v, Real) and not isinstance(v, bool) for v in values)

    return {name for name, value in recipe.get_params(deep=False).items() if is_numeric(value)}


RECIPES = [case for case in CASES if isinstance(case.recipe, Trunk | Sharing | Balancer)]


@pytest.mark.parametrize("case", RECIPES, ids=str)
def test_every_numeric_parameter_is_searched(case):
    inherited = {"dropout", "hidden_sizes"} if type(case.recipe) not in TRUNKS.values() else set()
    # What is frozen has no learning rate.
    of_training = {"lr_scale"} if getattr(case.recipe, "frozen", False) else set()
    assert numeric_parameters(case.recipe) - inherited - of_training <= case.grid.keys()
    assert all(len(values) > 1 for values in case.grid.values())


def recipes_of(namespace):
    return {
        value
        for value in namespace.values()
        if isinstance(value, type)
        and issubclass(value, Trunk | Sharing | Balancer)
        and not getattr(value, "__abstractmethods__", None)
    }


def test_every_recipe_is_listed():
    listed = {type(case.recipe) for case in CASES}
    shipped = {*TRUNKS.values(), *SHARINGS.values(), *BALANCERS.values()}
    assert shipped - listed == set()
    assert recipes_of(PAGE) - listed == set()
