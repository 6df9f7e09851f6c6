"""Parameters of the default trunk are set before the input is known, and go to the trunk that it becomes."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.trunks import CNN, MLP, DefaultTrunk, TabM

rng = np.random.default_rng(0)
TABLE, IMAGES, y = rng.normal(size=(40, 4)), rng.normal(size=(40, 2, 6, 5)), rng.normal(size=40)


@pytest.fixture(params=["table", "images"])
def case(request):
    """X, and the trunk that None stands for."""
    return {"table": (TABLE, TabM), "images": (IMAGES, CNN)}[request.param]


def test_it_is_the_default_of_the_input_with_these_parameters(quick, case):
    X, kind = case
    named = quick(MultiTaskRegressor, trunk=kind(hidden_sizes=(6,), dropout=0.3)).fit(X, y)
    est = quick(MultiTaskRegressor, trunk=None).set_params(trunk__dropout=0.3, trunk__hidden_sizes=(6,))
    assert est.get_params()["trunk__dropout"] == 0.3
    assert repr(est.trunk) == "DefaultTrunk(dropout=0.3, hidden_sizes=(6,))"
    assert repr(clone(est)) == repr(est)
    np.testing.assert_array_equal(clone(est).fit(X, y).predict(X), named.predict(X))
    assert isinstance(est.fit(X, y).trunk, DefaultTrunk)


@pytest.mark.parametrize("search", [GridSearchCV, StackedGridSearchCV])
def test_it_is_searched(quick, case, search):
    X, kind = case
    grid = {"trunk__dropout": [0.0, 0.5], "trunk__hidden_sizes": [(6,)]}
    of_none, of_kind = (
        search(quick(MultiTaskRegressor, trunk=trunk), grid, cv=2, error_score="raise").fit(X, y)
        for trunk in (None, kind())
    )
    scores = of_none.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, of_kind.cv_results_["mean_test_score"])
    assert scores[0] != scores[1]
    assert of_none.best_estimator_.trunk.dropout == of_none.best_params_["trunk__dropout"]


def test_pickles_and_files_hold_it(quick, case, tmp_path):
    pytest.importorskip("safetensors")
    X, _ = case
    est = quick(MultiTaskRegressor, trunk=DefaultTrunk(hidden_sizes=(6,))).fit(X, y)
    save(est, tmp_path / "it.mtl")
    for again in (pickle.loads(pickle.dumps(est)), load(tmp_path / "it.mtl")):
        np.testing.assert_array_equal(again.predict(X), est.predict(X))
        assert repr(again.trunk) == "DefaultTrunk(hidden_sizes=(6,))"
        assert repr(again) == repr(est)
    assert "hidden_sizes" in est._repr_html_()


def test_a_parameter_of_the_other_default_is_refused_before_training(quick):
    est = quick(MultiTaskRegressor, trunk=None).set_params(trunk__members=2)
    est.fit(TABLE, y)
    with pytest.raises(ValueError, match="`trunk__members` must be a parameter of CNN, the default trunk"):
        clone(est).fit(IMAGES, y)


def test_a_module_takes_the_parameters_of_the_trunk_that_it_becomes(quick):
    module = nn.Linear(4, 3)
    est = quick(MultiTaskRegressor, trunk=module, preprocessing=None).set_params(trunk__frozen=True)
    est.fit(TABLE, y)
    assert torch.equal(est.net_.module_.sharing.trunk.entry.module.weight, module.weight)
    assert est.trunk.module is not module
    assert module.weight.requires_grad


def test_the_dropout_that_goes_by_rows_is_taken_for_any_input(quick):
    images = np.random.default_rng(0).normal(size=(60, 2, 3, 3))
    est = quick(MultiTaskRegressor, trunk=None, max_epochs=1).set_params(trunk__dropout="auto")
    assert est.fit(images, images[:, 0, 0, 0]).net_.module_.sharing.members == 1


@pytest.mark.parametrize("number", [0, 2.5, None, 10**6])
def test_a_trunk_that_names_no_number_of_networks_is_refused(quick, number):
    class Own(MLP):
        def n_nets(self, n_rows):
            return number

    X = np.random.default_rng(0).normal(size=(60, 3))
    with pytest.raises(ValueError, match=r"`n_nets` of Own must return a positive integer.* Found"):
        quick(MultiTaskRegressor, trunk=Own((4,)), n_bags="auto").fit(X, X[:, 0])
