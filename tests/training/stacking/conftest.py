import numpy as np
import pytest

from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.training.stacking import train


@pytest.fixture(scope="module")
def data():
    X, Y = make_multitask(
        n_samples=150,
        n_features=5,
        n_regression=2,
        n_binary=1,
        n_multiclass=1,
        missing_labels=0.2,
        noise=1.0,
        random_state=0,
    )
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    return X, Y, weight


@pytest.fixture(autouse=True)
def stack_even_two(monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)


@pytest.fixture
def sizes(monkeypatch):
    """Sizes of the stacks that are made."""
    found = []
    original = train.StackedTrainer

    class Counted(original):
        def __init__(self, ready):
            found.append(len(ready))
            super().__init__(ready)

    monkeypatch.setattr(train, "StackedTrainer", Counted)
    return found
