"""Shapes are those that would be built, and finding them takes neither memory nor random numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.network import Blueprint, TooMuchToBuild, shapes_of
from sklearn_mtl.sharing import HardSharing
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Classification, Regression, TaskSet
from sklearn_mtl.trunks import MLP, ModuleTrunk, TabM

COLUMNS = read_targets({"price": [1.0, 2.0, 4.0, 3.0], "type": ["a", "b", "c", "a"]}).columns
KINDS = {"price": Regression("quantile"), "type": Classification()}
TASKS = TaskSet(tuple(kind.bind(COLUMNS[name], np.ones(4)) for name, kind in KINDS.items()))


def blueprint(trunk, heads=((4,), ())):
    spec = FeatureSpec((Block("x", (3,), n_continuous=2),))
    return Blueprint(spec, TASKS, trunk, HardSharing(), StaticWeights(), heads, (1.0, 1.0))


@pytest.mark.parametrize(
    "trunk",
    [
        MLP((8, 4), normalization="layer", dropout=0.1),
        TabM((8, 4), members=3),
        TabM((8,), embedding=None),
        ModuleTrunk(nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5))),
        ModuleTrunk(nn.Linear(3, 5), frozen=True),
    ],
    ids=["mlp", "tabm", "tabm-plain", "module", "frozen"],
)
@pytest.mark.parametrize("heads", [((), ()), ((4,), ()), ((4, 2), (4, 2))], ids=str)
def test_they_are_those_that_are_built(trunk, heads):
    plan = blueprint(trunk, heads)
    statistics = plan.fit_statistics({"x": torch.randn(40, 3)})
    built = {name: tuple(tensor.shape) for name, tensor in plan.build(statistics).state_dict().items()}
    assert shapes_of(plan, statistics, most=10_000) == built
    assert shapes_of(plan, {name: value.numpy() for name, value in statistics.items()}, most=10_000) == built


def test_a_module_that_was_given_is_left_where_it_is():
    module = nn.Linear(3, 5)
    shapes_of(blueprint(ModuleTrunk(module)), {}, most=10_000)
    assert module.weight.device.type == "cpu"


def test_no_random_number_is_drawn_and_no_mode_is_left():
    before = torch.get_rng_state()
    with torch.inference_mode():
        shapes_of(blueprint(TabM((8,), embedding=None)), {}, most=10_000)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.zeros(1).device.type == "cpu"


def test_after_so_many_calls_no_more_is_built():
    with pytest.raises(TooMuchToBuild, match="more layers than there are weights for"):
        shapes_of(blueprint(MLP((1,) * 1000)), {}, most=1000)
