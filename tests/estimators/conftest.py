"""What the tests of the estimators share."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.trunks import MLP

QUICK = {"trunk": MLP((16,)), "n_bags": 1, "max_epochs": 3, "random_state": 0}


@pytest.fixture
def quick() -> Callable[..., MultiTaskClassifierRegressor]:
    """Make a small estimator, by default of mixed tasks."""

    def make(cls=MultiTaskClassifierRegressor, **params):
        return cls(**{**QUICK, **params})

    return make


@pytest.fixture
def houses() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Eighty houses under an index of their own; one target of each kind."""
    rng = np.random.RandomState(0)
    index = pd.Index([f"house{i}" for i in range(80)], name="id")
    X = pd.DataFrame(rng.normal(size=(80, 4)), columns=["area", "age", "rooms", "garden"], index=index)
    Y = pd.DataFrame(
        {
            "price": 1e5 + 2e4 * X["area"] + 1e3 * rng.normal(size=80),
            "type": np.where(X["age"] > 0, "flat", "house"),
        },
        index=index,
    )
    return X, Y
