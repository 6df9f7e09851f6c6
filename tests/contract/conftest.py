"""What the contract tests share."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.trunks import MLP

QUICK = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 2, "early_stopping": False, "random_state": 0}


@pytest.fixture
def quick() -> Callable[..., MultiTaskClassifierRegressor]:
    """Make an estimator that trains in a blink, by default one of mixed tasks."""

    def make(cls=MultiTaskClassifierRegressor, **params):
        return cls(**{**QUICK, **params})

    return make


@pytest.fixture
def houses() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Eighty houses: a price, a type of two and a quality of three."""
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.normal(size=(80, 4)), columns=["area", "age", "rooms", "garden"])
    Y = pd.DataFrame(
        {
            "price": 100.0 + 20.0 * X["area"] + rng.normal(size=80),
            "type": np.where(X["age"] > 0, "flat", "house"),
            "quality": np.digitize(X["rooms"], [-0.5, 0.5]),
        }
    )
    return X, Y
