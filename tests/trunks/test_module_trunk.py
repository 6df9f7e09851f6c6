"""Any torch module as a trunk."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.trunks import MLP, Fusion, ModuleTrunk, TabM


def test_representation_is_the_modules_output(make_table):
    table = make_table()
    network = nn.Sequential(nn.Linear(7, 5), nn.Tanh())
    module = table.build(ModuleTrunk(network))
    assert (module.width, module.members) == (5, 1)
    torch.testing.assert_close(module(table.inputs)[:, 0], network(table.inputs["x"]))


def test_output_of_several_axes_is_flattened():
    image = torch.randn(6, 3, 8, 8)
    network = nn.Conv2d(3, 4, 3)
    spec = FeatureSpec((Block("image", (3, 8, 8)),))
    module = ModuleTrunk(network).build(spec, {})
    assert module.width == 4 * 6 * 6
    torch.testing.assert_close(module({"image": image})[:, 0], network(image).flatten(1))


def test_the_users_module_is_copied(make_table):
    table = make_table()
    network = nn.Linear(7, 5)
    before = {name: weights.clone() for name, weights in network.state_dict().items()}
    trunk = ModuleTrunk(network)
    module = table.build(trunk)
    for weights in module.parameters():
        weights.data.zero_()
    assert all((weights == before[name]).all() for name, weights in network.state_dict().items())
    other = table.build(trunk)
    assert not set(map(id, other.parameters())) & set(map(id, module.parameters()))
    assert (other(table.inputs) != 0).any()


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_weights_have_no_gradient(frozen, make_table):
    table = make_table()
    network = nn.Linear(7, 5)
    module = table.build(ModuleTrunk(network, frozen=frozen))
    assert module(table.inputs).requires_grad != frozen
    assert all(weights.requires_grad != frozen for weights in module.parameters())
    assert all(weights.requires_grad for weights in network.parameters())


def test_frozen_module_keeps_its_statistics_while_the_rest_trains(make_table):
    table = make_table()
    network = nn.Sequential(nn.BatchNorm1d(7), nn.Linear(7, 4), nn.Dropout(0.5))
    frozen = table.build(ModuleTrunk(network, frozen=True))
    trained = table.build(ModuleTrunk(network))
    expected = network.eval()(table.inputs["x"])
    for _ in range(3):
        torch.testing.assert_close(frozen.train()(table.inputs)[:, 0], expected)
        trained.train()(table.inputs)
    for name, buffer in network[0].named_buffers():
        assert (getattr(frozen.entry.module[0], name) == buffer).all()
        assert (getattr(trained.entry.module[0], name) != buffer).any()


def test_finding_the_width_leaves_no_trace(make_table):
    table = make_table()
    network = nn.Sequential(nn.BatchNorm1d(7), nn.Linear(7, 4))
    module = table.build(ModuleTrunk(network))
    assert all(part.training for part in module.modules())
    for name, weights in network.state_dict().items():
        torch.testing.assert_close(module.entry.module.state_dict()[name], weights, rtol=0, atol=0)


def test_double_precision_becomes_single(make_table):
    table = make_table()
    module = table.build(ModuleTrunk(nn.Linear(7, 5).double()))
    assert module(table.inputs).dtype == torch.float32


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("kind", [MLP((6, 5), dropout=0.5), TabM((6, 5), members=3)], ids=repr)
def test_the_trunk_of_a_network_is_a_trunk(kind, frozen, make_table):
    table = make_table()
    trained = table.build(kind).eval().double()
    module = table.build(ModuleTrunk(trained, frozen=frozen))
    assert (module.width, module.widths, module.members) == (trained.width, trained.widths, trained.members)
    assert len(module.stages) == 2
    expected = trained({"x": table.inputs["x"].double()}).float()
    torch.testing.assert_close(module.eval()(table.inputs), expected)
    hidden = module.entry(table.inputs)
    for stage in module.stages:
        hidden = stage(hidden)
    torch.testing.assert_close(hidden, expected)
    assert all(weights.requires_grad != frozen for weights in module.parameters())
    assert all(weights.requires_grad for weights in trained.parameters())
    if frozen:
        torch.testing.assert_close(module.train()(table.inputs), expected)
    else:
        assert not torch.equal(module.train()(table.inputs), expected)


@pytest.mark.parametrize("frozen", [True, False])
def test_the_trunk_of_a_network_needs_rows_like_those_it_knows(frozen, make_table):
    trained = make_table().build(MLP((6,)))
    with pytest.raises(ValueError, match=r"rows of shape \(9,\).* Found a TrunkModule, which fails"):
        make_table(n_continuous=6).build(ModuleTrunk(trained, frozen=frozen))


class Several(nn.Module):
    """A module of several outputs."""

    def forward(self, x):
        return x, x


class Collapsing(nn.Module):
    """A module that forgets which rows there were."""

    def forward(self, x):
        return x.mean(0, keepdim=True)


class Scalar(nn.Module):
    """A module that gives one number for each row, without an axis."""

    def forward(self, x):
        return x.sum(1)


class Refusing(nn.Module):
    """A module with errors of its own."""

    def forward(self, x):
        raise KeyError("no such modality")


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Linear(3, 5), r"`trunk` must take rows of shape \(7,\).* Found a Linear, which fails on them"),
        (nn.Conv2d(3, 5, 3), "Found a Conv2d, which fails on them"),
        (nn.LSTM(7, 3), "return one tensor. Found a LSTM, which returns a tuple: let a module"),
        (Several(), "return one tensor. Found a Several, which returns a tuple: let a module"),
        (Scalar(), "return one tensor. Found a Scalar, which fails on them"),
        (Refusing(), "Found a Refusing, which fails on them: 'no such modality'"),
        (Collapsing(), "as many rows as it takes. Found a Collapsing, which makes 1 of 2"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_error_for_a_module_that_cannot_take_the_rows(network, message, make_table):
    table = make_table()
    with pytest.raises(ValueError, match=message):
        table.build(ModuleTrunk(network))


def test_error_for_what_is_no_module(make_table):
    table = make_table()
    with pytest.raises(TypeError, match=r"`module` of ModuleTrunk must be an nn\.Module\. Found 'resnet'"):
        table.build(ModuleTrunk("resnet"))


def test_clone_has_a_module_of_its_own():
    trunk = ModuleTrunk(nn.Linear(2, 3), frozen=True)
    twin = clone(trunk)
    assert twin.frozen
    assert twin.module is not trunk.module
    assert (twin.module.weight == trunk.module.weight).all()


class MeanOfSteps(nn.Module):
    def forward(self, steps):
        return steps.mean(1)


@pytest.mark.parametrize("several", [False, True])
def test_a_module_that_is_not_told_how_long_sequences_are_is_warned_of(several):
    rows = [np.full((n, 2), float(n)) for n in (1, 2, 3, 4)]
    X = {"steps": rows, "table": np.eye(4)} if several else rows
    trunk = Fusion({"steps": MeanOfSteps()}) if several else MeanOfSteps()
    est = MultiTaskRegressor(trunk=trunk, n_bags=1, max_epochs=1, early_stopping=False, linear_blend=False)
    with pytest.warns(UserWarning, match="module MeanOfSteps, is given sequences of unequal lengths"):
        est.fit(X, np.arange(4.0))
    # Sequences of one length are what they are.
    est.fit({**X, "steps": np.ones((4, 3, 2))} if several else np.ones((4, 3, 2)), np.arange(4.0))
