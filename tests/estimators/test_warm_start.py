"""What training on leaves as it was is said, and what means the same is not."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.export import load, save
from sklearn_mtl.sharing import HardSharing
from sklearn_mtl.tasks import Regression
from sklearn_mtl.trunks import MLP, DefaultTrunk

N = 60
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(N, 2)), columns=["area", "age"])
Y = pd.DataFrame({"price": 3 * X["area"], "floor": RNG.integers(0, 3, N)})


class OwnSharing(HardSharing):
    pass


class OwnWeights(StaticWeights):
    pass


def fitted(**params):
    params = {"trunk": "mlp", "tasks": {"floor": "classification"}, **params}
    est = MultiTaskClassifierRegressor(**{"n_bags": 1, "max_epochs": 1, "random_state": 0, **params})
    return est.fit(X, Y).set_params(warm_start=True, max_epochs=2)


CHANGES = {
    "trunk": {"trunk__dropout": 0.5},
    "n_bags": {"n_bags": 3},
    "preprocessing": {"preprocessing": None},
    "tasks": {"tasks": {"floor": "ordinal"}},
    "head_hidden_sizes": {"head_hidden_sizes": {"price": (4,)}},
    "sharing": {"sharing": OwnSharing()},
    "balancing": {"balancing": OwnWeights()},
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_parameter_that_is_ignored_is_named(name, method):
    est = fitted()
    with pytest.warns(UserWarning, match=rf"The parameters \['{name}'\] differ .* warm_start=False"):
        getattr(est.set_params(**CHANGES[name]), method)(X, Y)


def test_all_are_named_at_once():
    est = fitted().set_params(trunk=None, n_bags=2, tasks={"price": Regression(loss="huber")})
    with pytest.warns(UserWarning, match=r"\['tasks', 'trunk', 'n_bags'\]") as caught:
        est.fit(X, Y)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({}, {"trunk": MLP(), "sharing": HardSharing(), "balancing": StaticWeights()}),
        ({}, {"n_bags": "auto"}),
        ({}, {"tasks": None}),
        ({}, {"tasks": {"price": "regression", "floor": "classification"}}),
        ({"trunk": MLP(hidden_sizes=(8,))}, {"trunk": MLP(hidden_sizes=[8])}),
        ({"trunk": None}, {"trunk": DefaultTrunk()}),
        ({"head_hidden_sizes": (4,)}, {"head_hidden_sizes": {"price": 4, "floor": [4]}}),
        ({"preprocessing": StandardScaler()}, {"preprocessing": StandardScaler()}),
        (
            {"preprocessing": make_pipeline(StandardScaler(), "passthrough")},
            {"preprocessing": make_pipeline(StandardScaler(), "passthrough")},
        ),
        ({}, {"lr": 0.01, "task_weights": {"price": 2.0}}),
    ],
)
def test_what_means_the_same_is_quiet(first, later):
    fitted(**first).set_params(**later).fit(X, Y).partial_fit(X, Y)


def test_what_can_not_be_pickled_is_the_same_where_it_is_the_same_object():
    class Net(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(2, 4))

    fitted(trunk=Net(), preprocessing=FunctionTransformer(lambda X: X)).fit(X, Y)


@pytest.mark.parametrize("trunk", ["mlp", None, nn.Sequential(nn.Linear(2, 4), nn.ReLU())])
def test_what_was_read_from_a_file_is_the_same(trunk, tmp_path):
    est = fitted(trunk=trunk, preprocessing=StandardScaler(), head_hidden_sizes=[4])
    pickle.loads(pickle.dumps(est)).fit(X, Y)
    save(est, tmp_path / "est.mtl")
    modules = {"Sequential": trunk} if isinstance(trunk, nn.Module) else None
    load(tmp_path / "est.mtl", modules=modules).fit(X, Y)


def test_gaps_are_welcome_as_long_as_the_first_preprocessing_takes_them():
    est = fitted().set_params(preprocessing=None)
    with pytest.warns(UserWarning, match="preprocessing"):
        est.fit(X.mask(X > 2), Y)
