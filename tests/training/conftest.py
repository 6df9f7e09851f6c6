"""A small table of two tasks, and plans of nets that learn it, made without an estimator."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.data import RowSplit, Table, split_table
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.network import Blueprint
from sklearn_mtl.sharing import HardSharing
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Classification, Regression, TaskSet
from sklearn_mtl.training import NetPlan, TrainingSettings
from sklearn_mtl.trunks import MLP

N_ROWS = 60


@pytest.fixture(scope="session")
def blueprint_and_table() -> tuple[Blueprint, Table]:
    """Sixty rows of two features, a price with a few gaps, and a type."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N_ROWS, 2))
    price = np.where(np.arange(N_ROWS) % 10 == 3, np.nan, x[:, 0] + 0.1 * rng.normal(size=N_ROWS))
    columns = read_targets({"price": price, "type": np.where(x[:, 1] > 0, "flat", "house")}).columns
    kinds, ones = {"price": Regression(), "type": Classification()}, np.ones(N_ROWS)
    labelled = {"price": ~np.isnan(price) * ones, "type": ones}
    tasks = TaskSet(tuple(kind.bind(columns[name], labelled[name]) for name, kind in kinds.items()))
    spec = FeatureSpec((Block("x", (2,), n_continuous=2),))
    blueprint = Blueprint(
        spec, tasks, MLP((8,), dropout=0.2), HardSharing(), StaticWeights(), ((), ()), (1.0, 0.5)
    )
    y, weight = tasks.encode(columns, np.ones((N_ROWS, 2)))
    table = Table.from_arrays({"x": x}, y, weight, device=torch.device("cpu"), dtype=torch.float32)
    return blueprint, table


@pytest.fixture
def make_plan(blueprint_and_table: tuple[Blueprint, Table]) -> Callable[..., NetPlan]:
    """Return a function from settings to the plan of a net that holds every fifth row out, or none."""
    blueprint, table = blueprint_and_table

    def make(*, seed=0, validated=True, before=None, epochs=None, **settings):
        train, valid = table, None
        if validated:
            train, valid = split_table(table, RowSplit.from_validation(np.arange(0, N_ROWS, 5), N_ROWS))
        told = TrainingSettings(**{"lr": 0.01, "batch_size": 16, "max_epochs": 4, **settings})
        return NetPlan(blueprint, train, valid, told, seed, epochs, before)

    return make
