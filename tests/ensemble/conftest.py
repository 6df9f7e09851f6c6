"""What the tests of the ensembles share."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.ensemble import PerTask
from sklearn_mtl.trunks import MLP


@pytest.fixture
def network():
    """A small network."""
    return MultiTaskClassifierRegressor(
        trunk=MLP((8,)), n_bags=2, max_epochs=3, linear_blend=False, random_state=0
    )


@pytest.fixture
def linear():
    """A linear model of each kind, on encoded columns."""
    return PerTask(Ridge(), LogisticRegression(), preprocessing="auto")


@pytest.fixture
def numbers():
    """Sixty rows of numbers with a task of every kind that has votes, some of their labels missing."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(60, 3))
    level = np.digitize(X[:, 0], [-0.5, 0.5])
    price = X[:, 0] + 0.1 * rng.normal(size=60)
    price[::7] = np.nan
    kind = np.array(["flat", "house", None], dtype=object)[np.where(np.arange(60) % 9 == 0, 2, X[:, 1] > 0)]
    both = X[:, :2] @ [[1.0, 2.0], [0.5, -1.0]] + 0.1 * rng.normal(size=(60, 2))
    both[5:9, 1] = np.nan
    Y = {
        "price": price,
        "kind": kind,
        "grade": pd.Categorical.from_codes(level, ["poor", "fair", "good"], ordered=True),
        "labels": (X > 0).astype(np.int64),
        "both": both,
    }
    return X, Y
