"""The trunk that stands for None."""

import pickle

import pytest
import torch
from sklearn.base import clone

from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.trunks import CNN, DefaultTrunk, Fusion, TabM

TABLE = FeatureSpec((Block("x", (4,), n_continuous=4),))
IMAGE = FeatureSpec((Block("image", (3, 8, 8)),))
BOTH = FeatureSpec((*TABLE.blocks, *IMAGE.blocks))


@pytest.mark.parametrize(("spec", "kind"), [(TABLE, TabM), (IMAGE, CNN)])
def test_none_is_the_default_for_the_input(spec, kind):
    trunk = DefaultTrunk().suited_to(spec)
    assert type(trunk) is kind
    assert trunk.get_params() == kind().get_params()


@pytest.mark.parametrize(("spec", "kind"), [(TABLE, TabM), (IMAGE, CNN)])
def test_the_default_takes_parameters_before_the_input_is_known(spec, kind):
    trunk = DefaultTrunk(dropout=0.3, hidden_sizes=(5,)).suited_to(spec)
    assert type(trunk) is kind
    assert trunk.get_params() == kind(hidden_sizes=(5,), dropout=0.3).get_params()


def test_several_inputs_are_fused_each_by_the_default_for_it():
    trunk = DefaultTrunk(dropout=0.3).suited_to(BOTH)
    assert type(trunk) is Fusion
    assert trunk.dropout == 0.3
    assert {name: type(of) for name, of in trunk.trunks.items()} == {"x": TabM, "image": CNN}


def test_the_default_is_an_estimator_of_those_parameters():
    trunk = DefaultTrunk(members=3).set_params(dropout=0.2)
    assert trunk.get_params() == {"dropout": 0.2, "members": 3}
    assert repr(trunk) == "DefaultTrunk(dropout=0.2, members=3)"
    assert trunk.dropout == 0.2
    assert clone(trunk).get_params() == trunk.get_params()
    assert pickle.loads(pickle.dumps(trunk)).get_params() == trunk.get_params()
    assert "dropout" in trunk._repr_html_()
    assert repr(DefaultTrunk()) == "DefaultTrunk()"


def test_a_parameter_of_no_default_is_refused():
    for make in (lambda: DefaultTrunk(depth=3), lambda: DefaultTrunk().set_params(depth=3)):
        with pytest.raises(ValueError, match=r"Invalid parameter 'depth' for estimator DefaultTrunk\(\)"):
            make()


def test_a_parameter_of_the_other_default_is_refused_when_the_input_is_known():
    DefaultTrunk(members=3).suited_to(TABLE)
    with pytest.raises(
        ValueError,
        match=r"`trunk__members` must be a parameter of CNN.* shape \(3, 8, 8\).*members=3",
    ):
        DefaultTrunk(members=3).suited_to(IMAGE)


def test_the_default_builds_what_it_stands_for(make_table):
    table = make_table()
    torch.manual_seed(0)
    expected = table.build(TabM((5,), members=2))
    torch.manual_seed(0)
    found = table.build(DefaultTrunk(hidden_sizes=(5,), members=2))
    torch.testing.assert_close(found.eval()(table.inputs), expected.eval()(table.inputs))
