import copy
import re

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl.balancing import BALANCERS, StaticWeights, UncertaintyWeighting, UPGrad
from sklearn_mtl.recipes import Recipes, fingerprint, resolve
from sklearn_mtl.sharing import SHARINGS, HardSharing
from sklearn_mtl.tasks import KINDS, Regression
from sklearn_mtl.trunks import MLP, TRUNKS, DefaultTrunk, ModuleTrunk

REGISTRIES = {"trunk": TRUNKS, "sharing": SHARINGS, "balancing": BALANCERS, "tasks": KINDS}
every_registry = pytest.mark.parametrize("recipes", REGISTRIES.values(), ids=REGISTRIES)


def name_of(recipes, kind):
    """The short name of a recipe."""
    return next(name for name, one in recipes.items() if one is kind)


VALUES = [
    1.0,
    {"a": (1, "b"), "c": [None]},
    np.arange(3),
    MLP((3,)),
    torch.arange(3.0),
    torch.tensor(2.0),
    [torch.ones(2, 3, dtype=torch.bfloat16).T],
    nn.Linear(2, 2),
    ModuleTrunk(nn.BatchNorm1d(3)),
]


@every_registry
def test_a_short_name_is_the_recipe_with_its_defaults(recipes):
    for name, kind in recipes.items():
        recipe = resolve(recipes, name)
        assert type(recipe) is kind
        assert issubclass(kind, recipes.base)
        assert recipe.get_params() == kind().get_params()


@every_registry
def test_an_object_is_itself(recipes):
    recipe = next(iter(recipes.values()))()
    assert resolve(recipes, recipe) is recipe


@pytest.mark.parametrize(
    ("recipes", "default"), [(TRUNKS, DefaultTrunk), (SHARINGS, HardSharing), (BALANCERS, StaticWeights)]
)
def test_none_is_the_default(recipes, default):
    assert type(resolve(recipes, None)) is default


def test_a_module_becomes_a_trunk():
    network = nn.Linear(4, 2)
    trunk = resolve(TRUNKS, network)
    assert type(trunk) is ModuleTrunk
    assert trunk.module is network
    assert not trunk.frozen


def test_another_object_is_wrapped_where_the_registry_says_how():
    recipes = Recipes(MLP, {}, "`trunk` must be sizes", wraps={tuple: MLP})
    assert resolve(recipes, (3, 4)).hidden_sizes == (3, 4)


@pytest.mark.parametrize("value", ["resnet50", 3, ["mlp"], nn.Linear, "", "_"])
@pytest.mark.parametrize("parameter", REGISTRIES)
def test_anything_else_is_refused(parameter, value):
    found = rf"Found {re.escape(repr(value))}\.( Did you mean an object.*)?$"
    rule = rf"`{parameter}` must (be None, one of|map to one of) \['.*{found}"
    with pytest.raises(ValueError, match=rule):
        resolve(REGISTRIES[parameter], value)


@pytest.mark.parametrize(
    ("parameter", "value", "meant"),
    [
        ("balancing", UPGrad, "UPGrad()"),
        ("balancing", "FAMO", "'famo'"),
        ("balancing", "nash-mtl", "'nash_mtl'"),
        ("balancing", "UncertaintyWeighting", f"'{name_of(BALANCERS, UncertaintyWeighting)}'"),
        ("trunk", MLP, "MLP()"),
        ("trunk", "Res_Net", "'resnet'"),
        ("sharing", HardSharing, "HardSharing()"),
        ("sharing", "Cross Stitch", "'cross_stitch'"),
        ("tasks", Regression, "Regression()"),
    ],
)
def test_a_class_and_a_name_written_otherwise_lead_to_what_is_meant(parameter, value, meant):
    rule = rf"Found {re.escape(repr(value))}\. Did you mean {re.escape(meant)}\?$"
    with pytest.raises(ValueError, match=rule):
        resolve(REGISTRIES[parameter], value)


def test_the_place_of_a_wrong_kind_is_named():
    with pytest.raises(ValueError, match=r"Found None for task 'price'\.$"):
        resolve(KINDS, None, " for task 'price'")


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_copies_are_alike_and_others_are_not(value):
    assert fingerprint(copy.deepcopy(value)) == fingerprint(value)
    assert [fingerprint(other) == fingerprint(value) for other in VALUES].count(True) == 1


def test_tensors_of_other_values_shapes_and_dtypes_differ():
    ones = [torch.ones(2), torch.ones(2, 1), torch.ones(2).double(), torch.zeros(2), torch.ones(2).int()]
    assert len({fingerprint(tensor) for tensor in ones}) == len(ones)


def test_what_cannot_be_pickled_is_like_nothing_else():
    def function():
        """Of a test."""

    assert fingerprint(function) != fingerprint(function)
    assert fingerprint({"f": lambda: 0}) != fingerprint({"f": lambda: 0})
