"""A cheap estimator, and labels of every kind with gaps."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import sklearn

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.trunks import MLP


def cheap(**params):
    settings = {
        "trunk": MLP((16,)),
        "n_bags": 1,
        "max_epochs": 4,
        "batch_size": 32,
        "lr": 0.01,
        "early_stopping": False,
        "random_state": 0,
    }
    return MultiTaskClassifierRegressor(**{**settings, **params})


@pytest.fixture(name="cheap")
def cheap_estimator():
    """Return a function that makes an estimator which trains in a moment."""
    return cheap


def draw(n_rows=90, seed=0):
    """A regression and a text task with gaps, a flag, and a block of labels."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    price = 100 + 10 * X[:, 0]
    price[rng.random(n_rows) < 0.2] = np.nan
    type_ = np.array(["flat", "house", "mill"], dtype=object)[np.digitize(X[:, 1], [-0.4, 0.5])]
    type_[rng.random(n_rows) < 0.2] = None
    tags = (X[:, :2] > 0).astype(int)
    return X, {"price": price, "type": type_, "sold": X[:, 2] > 0, "tags": tags}


@pytest.fixture(scope="session")
def drawn():
    return draw()


@pytest.fixture(scope="session")
def target(drawn):
    return MultiTaskTarget(drawn[1])


@pytest.fixture(scope="session")
def frame(drawn):
    """The tasks of one label, as a frame of pandas' own dtypes."""
    _, Y = drawn
    return pd.DataFrame(
        {
            "price": Y["price"],
            "type": pd.Categorical(Y["type"], categories=["mill", "house", "flat"]),
            "sold": pd.array(Y["sold"].astype(int), dtype="Int64"),
        },
        index=np.arange(len(Y["price"])) + 1000,
    )


@pytest.fixture(scope="session")
def fitted(drawn):
    return cheap(max_epochs=10).fit(*drawn)


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield
