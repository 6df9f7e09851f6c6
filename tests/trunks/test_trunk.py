"""Laws of every trunk."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.trunks import MLP, ModuleTrunk, PositionEntry, TabM, Trunk, TrunkModule

TRUNKS = [
    MLP(hidden_sizes=(8, 5), dropout=0.3, normalization="layer"),
    MLP(hidden_sizes=()),
    TabM(hidden_sizes=(8, 5), members=3),
    TabM(hidden_sizes=(8,), members=1, embedding=None),
    ModuleTrunk(nn.Sequential(nn.Linear(7, 6), nn.Dropout(0.5), nn.ReLU())),
]
every_trunk = pytest.mark.parametrize("trunk", TRUNKS, ids=lambda trunk: type(trunk).__name__)


@every_trunk
def test_representation_is_rows_members_width(trunk, make_table):
    table = make_table()
    module = table.build(trunk)
    assert module(table.inputs).shape == (60, module.members, module.width)
    assert module({"x": table.inputs["x"][:1]}).shape == (1, module.members, module.width)


@every_trunk
def test_entry_and_stages_make_up_the_forward_pass(trunk, make_table):
    table = make_table()
    module = table.build(trunk).eval()
    assert len(module.widths) == len(module.stages) + 1
    hidden = module.entry(table.inputs)
    for width, stage in zip(module.widths, [*module.stages, None], strict=True):
        assert hidden.shape == (60, module.members, width)
        hidden = hidden if stage is None else stage(hidden)
    torch.testing.assert_close(module(table.inputs), hidden, rtol=0, atol=0)


@every_trunk
def test_building_is_reproducible(trunk, make_table):
    table = make_table()
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(table.build(trunk).state_dict())
    for name, weights in states[0].items():
        torch.testing.assert_close(weights, states[1][name], rtol=0, atol=0)
    drawn = not isinstance(trunk, ModuleTrunk) and len(states[0]) > 0
    assert drawn == any((weights != states[2][name]).any() for name, weights in states[0].items())


@every_trunk
def test_rows_do_not_mix(trunk, make_table):
    table = make_table()
    module = table.build(trunk).eval()
    together = module(table.inputs)
    alone = torch.cat([module({"x": row[None]}) for row in table.inputs["x"]])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


@every_trunk
def test_all_parameters_have_gradients(trunk, make_table):
    table = make_table()
    module = table.build(trunk).eval()
    hidden = module(table.inputs)
    if hidden.requires_grad:
        hidden.square().sum().backward()
    assert all(weights.grad is not None for weights in module.parameters())


@every_trunk
def test_recipe_is_an_estimator(trunk, make_table):
    twin = clone(trunk)
    assert type(twin) is type(trunk)
    assert twin.get_params(deep=False).keys() == trunk.get_params(deep=False).keys()
    before = str(trunk.get_params())
    table = make_table()
    table.build(trunk)
    assert str(trunk.get_params()) == before
    assert set(vars(trunk)) == set(trunk.get_params(deep=False))
    assert isinstance(pickle.loads(pickle.dumps(trunk)), type(trunk))


def test_parameters_are_set_and_read():
    trunk = TabM().set_params(members=2, dropout=0.5)
    assert (trunk.get_params()["members"], trunk.get_params()["dropout"]) == (2, 0.5)
    assert clone(MLP(hidden_sizes=[3])).get_params() == {
        "hidden_sizes": [3],
        "activation": "relu",
        "dropout": 0.0,
        "normalization": None,
    }


@pytest.mark.parametrize("make", [MLP, TabM])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_sizes": (8, 0)}, r"`hidden_sizes` of \w+ must hold positive integers.*Found \(8, 0\)"),
        ({"hidden_sizes": (8, -2)}, "`hidden_sizes` of .* positive integers"),
        ({"hidden_sizes": (8, 2.5)}, "`hidden_sizes` of .* positive integers"),
        ({"hidden_sizes": (True,)}, "`hidden_sizes` of .* positive integers"),
        ({"hidden_sizes": "64"}, "`hidden_sizes` of .* positive integers"),
        ({"hidden_sizes": None}, "`hidden_sizes` of .* positive integers"),
        ({"activation": "swish"}, r"`activation` of \w+ must be one of .*'relu'.* Found 'swish'"),
        ({"activation": None}, "`activation` of .* Found None"),
        ({"dropout": 1.0}, r"`dropout` of \w+ must be .*in \[0, 1\). Found 1.0"),
        ({"dropout": -0.1}, "`dropout` of .* Found -0.1"),
        ({"dropout": "0.1"}, "`dropout` of .* Found '0.1'"),
        ({"dropout": None}, "`dropout` of .* Found None"),
    ],
)
def test_errors_of_hidden_layers(make, parameters, message, make_table):
    table = make_table()
    with pytest.raises(ValueError, match=message):
        table.build(make(**parameters))


@pytest.mark.parametrize("make", [MLP, TabM])
@pytest.mark.parametrize("sizes", [[6, 4], np.array([6, 4]), (np.int64(6), np.int32(4)), range(6, 2, -2)])
def test_hidden_sizes_of_any_sequence(make, sizes, make_table):
    table = make_table()
    assert table.build(make(hidden_sizes=sizes)).widths[1:] == (6, 4)


@pytest.mark.parametrize("make", [MLP, TabM])
def test_one_number_is_one_layer(make, make_table):
    table = make_table()
    assert table.build(make(hidden_sizes=6)).widths[1:] == (6,)


@every_trunk
def test_error_for_several_blocks(trunk):
    blocks = (Block("x", (7,), n_continuous=7), Block("image", (3, 8, 8)))
    with pytest.raises(ValueError, match=r"such as Fusion\(\), .* Found .* 2: \['x', 'image'\]"):
        trunk.build(FeatureSpec(blocks), {})


@every_trunk
def test_facts_are_all_that_building_knows_of_the_rows(trunk, make_table):
    table = make_table()
    statistics = trunk.fit_statistics(table.spec, table.inputs)
    assert sum(tensor.numel() for tensor in statistics.values()) < 200
    again = pickle.loads(pickle.dumps(statistics))
    torch.manual_seed(0)
    module = trunk.build(table.spec, statistics).eval()
    torch.manual_seed(0)
    other = trunk.build(table.spec, again).eval()
    torch.testing.assert_close(other(table.inputs), module(table.inputs), rtol=0, atol=0)


def test_trunk_of_ones_own_needs_build_only(make_table):
    class Mean(Trunk):
        def build(self, spec, statistics):
            class Entry(nn.Module):
                def forward(self, inputs):
                    return inputs[spec.single.name].mean(1)[:, None, None]

            return TrunkModule(Entry(), [], [1])

    table = make_table()
    module = table.build(clone(Mean()))
    torch.testing.assert_close(module(table.inputs)[:, 0, 0], table.inputs["x"].mean(1))
    assert (module.width, module.members) == (1, 1)


class Doubled(TrunkModule):
    def forward(self, inputs):
        return 2 * super().forward(inputs)


def test_a_trunk_that_does_more_than_its_stages_is_one_entry(make_table):
    table = make_table()
    plain = table.build(MLP((8, 5)))
    assert plain.in_stages() is plain
    doubled = Doubled(plain.entry, plain.stages, plain.widths)
    whole = doubled.in_stages()
    assert (len(whole.stages), whole.width, whole.members) == (0, 5, 1)
    torch.testing.assert_close(whole(table.inputs), 2 * plain(table.inputs))


class Steps(PositionEntry):
    """A layer for each step, and the mean over the real ones."""

    def __init__(self, n_channels, width):
        super().__init__(width)
        self.layer = nn.Linear(n_channels, width)

    def with_positions(self, inputs):
        positions = self.layer(inputs["x"]).unsqueeze(1)
        real = self.mask(inputs)[:, None, :, None]
        return (positions * real).sum(2) / real.sum(2), positions

    def mask(self, inputs):
        return torch.arange(inputs["x"].shape[1]) < inputs["x_lengths"][:, None]


class StepsTrunk(Trunk):
    def build(self, spec, statistics):
        return TrunkModule(Steps(3, 4), [nn.Linear(4, 6)], [4, 6])


def test_entry_with_positions():
    trunk = StepsTrunk().build_with_positions(None, {})
    inputs = {"x": torch.randn(2, 5, 3), "x_lengths": torch.tensor([5, 2])}
    rows, positions = trunk.with_positions(inputs)
    torch.testing.assert_close(rows, trunk(inputs), rtol=0, atol=0)
    assert (rows.shape, positions.shape, trunk.position_width) == ((2, 1, 6), (2, 1, 5, 4), 4)
    assert trunk.mask(inputs).tolist() == [[True] * 5, [True, True, False, False, False]]


def test_entry_with_positions_as_an_entry_of_several_stages():
    trunk = StepsTrunk().build({}, {})._as_entry()
    inputs = {"x": torch.randn(2, 5, 3), "x_lengths": torch.tensor([5, 2])}
    assert trunk.position_width == 4
    assert trunk.with_positions(inputs)[1].shape == (2, 1, 5, 4)
    assert trunk.mask(inputs).sum() == 7


def test_trunk_without_positions_is_refused(make_table):
    table = make_table()
    assert MLP().build(table.spec, {}).position_width is None
    with pytest.raises(ValueError, match=r"needs a trunk with a representation for each.*Found `trunk` MLP"):
        MLP().build_with_positions(table.spec, {})
