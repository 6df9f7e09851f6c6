"""From what a user says to a trunk."""

import pytest
from torch import nn

from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.trunks import MLP, TRUNKS, ModuleTrunk, TabM, resolve_trunk

TABLE = FeatureSpec((Block("x", (4,), n_continuous=4),))
IMAGE = FeatureSpec((Block("image", (3, 8, 8)),))
BOTH = FeatureSpec((*TABLE.blocks, *IMAGE.blocks))


@pytest.mark.parametrize(("spec", "kind"), [(TABLE, TabM), (IMAGE, MLP), (BOTH, MLP)])
def test_none_is_the_default_for_the_input(spec, kind):
    trunk = resolve_trunk(None, spec)
    assert type(trunk) is kind
    assert trunk.get_params() == kind().get_params()


@pytest.mark.parametrize("name", TRUNKS)
def test_short_name_is_the_trunk_with_its_defaults(name):
    trunk = resolve_trunk(name, TABLE)
    assert type(trunk) is TRUNKS[name]
    assert trunk.get_params() == TRUNKS[name]().get_params()


def test_object_is_itself():
    trunk = MLP(hidden_sizes=(3,))
    assert resolve_trunk(trunk, TABLE) is trunk


def test_module_becomes_a_trunk():
    network = nn.Linear(4, 2)
    trunk = resolve_trunk(network, TABLE)
    assert type(trunk) is ModuleTrunk
    assert trunk.module is network
    assert not trunk.frozen


@pytest.mark.parametrize("trunk", ["resnet50", MLP, 3, ["mlp"], nn.Linear])
def test_errors(trunk):
    with pytest.raises(ValueError, match=r"`trunk` must be None, one of \['mlp', 'tabm'.*Found "):
        resolve_trunk(trunk, TABLE)
