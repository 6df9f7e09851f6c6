"""Torch's modes around a call change nothing of its result, and are afterwards what they were."""

import pickle
import shutil
from collections.abc import Callable
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, KFold
from torch import nn

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import MLP, TabM

CV = KFold(2, shuffle=True, random_state=0)


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


CONTEXTS: dict[str, Callable] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    # Stands for a GPU, which not every machine has.
    "another device": lambda: torch.device("meta"),
}


def modes():
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_default_dtype(),
        torch.get_default_device(),
    )


@pytest.fixture(params=CONTEXTS)
def context(request):
    return CONTEXTS[request.param]


class WithZeros(nn.Module):
    """Makes a tensor as it goes."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return torch.cat([self.linear(x), torch.zeros(len(x), 1)], dim=1)


with torch.random.fork_rng():
    torch.manual_seed(0)
    MODULE = WithZeros()


def fit(quick, X, Y):
    return quick(trunk=TabM((8,), members=2, dropout=0.2), early_stopping=True).fit(X, Y)


def fit_in_double_precision(quick, X, Y):
    return quick(precision="float64", early_stopping=True, validation_fraction=0.3).fit(X, Y)


def fit_a_bag(quick, X, Y):
    return quick(n_bags=4).fit(X, Y)


def fit_a_module(quick, X, Y):
    return quick(trunk=MODULE, preprocessing=None).fit(X.to_numpy(), Y)


def fit_in_parts(quick, X, Y):
    return quick().partial_fit(X, Y).partial_fit(X, Y)


def fit_further(quick, X, Y):
    est = quick(warm_start=True).fit(X, Y)
    return est.set_params(max_epochs=3).fit(X, Y)


def fit_by_a_search(quick, X, Y):
    return GridSearchCV(quick(), {"lr": [0.01, 0.02]}, cv=CV).fit(X, Y).best_estimator_


def fit_by_a_stacked_search(quick, X, Y):
    search = StackedGridSearchCV(quick(), {"lr": [0.01, 0.02]}, cv=CV).fit(X, Y)
    assert search.stacked_["stacked"].all()
    return search.best_estimator_


def fit_and_pickle(quick, X, Y):
    return pickle.loads(pickle.dumps(quick().fit(X, Y)))


FITS = [
    fit,
    fit_in_double_precision,
    fit_a_bag,
    fit_a_module,
    fit_in_parts,
    fit_further,
    fit_by_a_search,
    fit_by_a_stacked_search,
    fit_and_pickle,
]


def answers(est, X):
    X = X if hasattr(est, "feature_names_in_") else X.to_numpy()
    by_task = est.predict_proba(X)
    return np.column_stack([est.predict(X)["price"], est.transform(X), *(by_task[name] for name in by_task)])


@pytest.fixture(scope="module")
def expected():
    return {}


@pytest.mark.parametrize("make", FITS, ids=lambda make: make.__name__)
def test_a_fit_is_the_same_to_the_bit(quick, houses, monkeypatch, context, make, expected):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    X, Y = houses
    if make not in expected:
        expected[make] = answers(make(quick, X, Y), X)
    with context():
        before = modes()
        est = make(quick, X, Y)
        inside = answers(est, X)
        scores = est.score_tasks(X if hasattr(est, "feature_names_in_") else X.to_numpy(), Y)
        assert modes() == before
    np.testing.assert_array_equal(inside, expected[make])
    np.testing.assert_array_equal(answers(est, X), expected[make])
    assert scores.notna().all()
    assert not any(value.is_inference() for value in est.net_.module_.state_dict().values())


def test_prediction_is_the_same_to_the_bit(quick, houses, context):
    X, Y = houses
    est = fit_a_module(quick, X, Y)
    outside = answers(est, X), est.task("price").predict(X.to_numpy())
    with context():
        before = modes()
        inside = answers(est, X), est.task("price").predict(X.to_numpy())
        assert modes() == before
    for first, second in zip(inside, outside, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_file_is_the_same(quick, houses, context, tmp_path):
    pytest.importorskip("safetensors")
    X, Y = houses
    est = fit_a_module(quick, X, Y)
    save(est, tmp_path / "outside.mtl")
    with context():
        save(est, tmp_path / "inside.mtl")
        inside = load(tmp_path / "outside.mtl", modules={"WithZeros": MODULE})
    outside = load(tmp_path / "inside.mtl", modules={"WithZeros": MODULE})
    np.testing.assert_array_equal(answers(inside, X), answers(est, X))
    np.testing.assert_array_equal(answers(outside, X), answers(est, X))
    # It can be trained on.
    inside.partial_fit(X.to_numpy(), Y)


def test_a_module_that_was_made_in_inference_mode_is_trained(quick, houses):
    X, Y = houses
    with torch.inference_mode():
        made = nn.Linear(4, 3)
    est = quick(trunk=made, preprocessing=None).fit(X.to_numpy(), Y)
    assert not torch.equal(est.net_.module_.sharing.trunk.entry.module.weight, made.weight)


def test_an_error_leaves_the_modes_as_they_were(quick, houses, context):
    X, Y = houses
    with context():
        before = modes()
        with pytest.raises(ValueError, match="`lr` must be"):
            quick(lr=-1).fit(X, Y)
        assert modes() == before


def test_warnings_name_the_line_of_the_caller(quick, houses):
    X, Y = houses
    est = quick(warm_start=True).fit(X, Y)
    with pytest.warns(UserWarning, match="`max_epochs` must be raised") as further:
        est.fit(X, Y)
    unseen = Y.assign(type="castle")
    with pytest.warns(UserWarning, match="`y_val` has labels") as validation:
        quick(early_stopping=True).fit(X, Y, X_val=X, y_val=unseen)
    assert [found[0].filename for found in (further, validation)] == [__file__, __file__]


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch compiles by a compiler of C++")
@pytest.mark.filterwarnings("ignore")  # torch's compiler warns of its own parts
def test_a_compiled_network_goes_back_once_for_each_task():
    X, Y = make_multitask(60, 4, n_regression=2, random_state=0)
    settings = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 1, "linear_blend": False, "random_state": 0}
    # Each of these asks for the gradients of single tasks.
    settings |= {"balancing": "gradnorm", "gradient_conflict": 1}
    found = [
        MultiTaskRegressor(**settings, compile=compiled).fit(X, Y).predict(X) for compiled in (False, True)
    ]
    for task, expected in found[0].items():
        np.testing.assert_allclose(found[1][task], expected, rtol=1e-4, atol=1e-5)
