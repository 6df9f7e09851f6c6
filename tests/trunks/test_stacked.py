"""Trunks side by side compute what they do alone."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_mtl.trunks import (
    MLP,
    FTTransformer,
    ModuleTrunk,
    ResNet,
    StackedTrunks,
    TabM,
    Trunk,
    TrunkModule,
)
from sklearn_mtl.trunks.layers import FEWEST_BITS_APART, Dropout, Linear
from sklearn_mtl.trunks.layers.stacking import MappedParts

N = 3


class Sines(Trunk):
    """A user's trunk: an entry with a buffer, and a stage that nobody knows."""

    def build(self, spec, statistics):
        return TrunkModule(SinesEntry(spec.single.name), [Doubled(8, 6), Scaled(6)], [8, 6, 6])


class SinesEntry(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.name = name
        self.register_buffer("frequencies", torch.randn(7, 4))

    def forward(self, inputs):
        phases = inputs[self.name] @ self.frequencies
        return torch.cat([phases.sin(), phases.cos()], dim=1).unsqueeze(1)


class Doubled(nn.Linear):
    """A subclass of a known layer that computes something else."""

    def forward(self, x):
        return 2 * super().forward(x)


class Scaled(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(width))
        self.same = self.scale

    def forward(self, x):
        return (x * self.scale).sigmoid() + self.same


class Recurrent(nn.Module):
    """Reads columns one after the other: vmap has no rule for it."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 5, batch_first=True)

    def forward(self, x):
        return self.gru(x.unsqueeze(-1))[1][0]


class Tied(nn.Module):
    """Several parts with one weight and one buffer."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(7, 5), nn.Linear(5, 5), nn.Linear(5, 5))
        self.layers[2].weight = self.layers[1].weight
        for layer in self.layers:
            layer.register_buffer("seen", self.layers[0].bias.detach().clone())
            layer.seen = self.layers[0].seen

    def forward(self, x):
        first, *others = self.layers
        first.seen.add_(x.detach().mean(0)[:5])
        hidden = first(x).relu()
        for layer in others:
            hidden = layer(hidden).relu() * layer.seen
        return hidden


class Recurring(Trunk):
    """Layers of the package, one of which occurs twice, within a stage or in two."""

    def __init__(self, within=True):
        self.within = within

    def build(self, spec, statistics):
        layer = Linear(7, 7)
        stages = [nn.Sequential(layer, nn.Tanh(), layer)] if self.within else [layer, nn.Tanh(), layer]
        return TrunkModule(NoEntry(spec.single.name), stages, [7] * (1 + len(stages)))


class NoEntry(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, inputs):
        return inputs[self.name].unsqueeze(1)


torch.manual_seed(0)
NETWORK = nn.Sequential(nn.Linear(7, 6), nn.ReLU(), nn.LayerNorm(6), nn.Linear(6, 5, bias=False))
TWICE = nn.Linear(5, 5)
TRUNKS = {
    "mlp": MLP((6, 5, 5)),
    "no layer": MLP(()),
    "normalized": MLP((6, 5), normalization="layer", activation="tanh"),
    "tabm": TabM((6, 5), members=3, dropout=0.0),
    "tabm without embedding": TabM((6, 5), members=3, dropout=0.0, embedding=None),
    "ft_transformer": FTTransformer(6, heads=2, attention_dropout=0.0, dropout=0.0),
    "resnet": ResNet(6, blocks=2, dropout=0.0),
    "resnet by batch": ResNet(6, dropout=0.0, normalization="batch"),
    "module": ModuleTrunk(NETWORK),
    "frozen": ModuleTrunk(NETWORK, frozen=True),
    "recurrent": ModuleTrunk(Recurrent()),
    "sines": Sines(),
    "layer that occurs twice": ModuleTrunk(
        nn.Sequential(nn.Linear(7, 5), nn.ReLU(), TWICE, nn.Tanh(), TWICE)
    ),
    "layer that occurs twice in a stage": Recurring(),
    "tied weights": ModuleTrunk(Tied()),
}


def alone_and_stacked(trunk, table, n=N, dtype=torch.float64):
    """Trunks, and the same side by side; layers that start equal are drawn anew."""
    alone = [table.build(trunk).to(dtype) for _ in range(n)]
    for each in alone:
        for parameter in each.parameters():
            if parameter.requires_grad:
                parameter.data.add_(0.1 * torch.randn_like(parameter))
    return alone, StackedTrunks(alone)


def in_dtype(table, dtype=torch.float64):
    return {name: block.to(dtype) for name, block in table.inputs.items()}


def gradients_of_each(alone, outputs):
    """The gradients of trunks alone, stacked, by name; those of frozen parameters are left out."""
    by_trunk = []
    for trunk, output in zip(alone, outputs, strict=True):
        trained = {name: p for name, p in trunk.named_parameters() if p.requires_grad}
        found = torch.autograd.grad(output.sin().sum(), list(trained.values())) if trained else ()
        by_trunk.append(found)
    return [torch.stack(of_name) for of_name in zip(*by_trunk, strict=True)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", TRUNKS)
def test_outputs_and_gradients_are_those_of_the_trunks_alone(name, training, make_table):
    table = make_table()
    alone, stacked = alone_and_stacked(TRUNKS[name], table)
    inputs = in_dtype(table)
    for each in (*alone, stacked):
        each.train(training)
    outputs, together = [trunk(inputs) for trunk in alone], stacked(inputs)
    assert together.shape == (60, alone[0].members, N, alone[0].width)
    torch.testing.assert_close(together, torch.stack(outputs, dim=2))
    trained = [p for p in stacked.parameters() if p.requires_grad]
    assert all(len(p) == N for p in trained)
    found = torch.autograd.grad(together.sin().sum(), trained) if trained else ()
    torch.testing.assert_close(list(found), gradients_of_each(alone, outputs))


@pytest.mark.parametrize("name", TRUNKS)
def test_it_has_the_shape_of_its_trunks(name, make_table):
    table = make_table()
    alone, stacked = alone_and_stacked(TRUNKS[name], table)
    assert (stacked.n, stacked.widths, stacked.width, stacked.members) == (
        N,
        alone[0].widths,
        alone[0].width,
        alone[0].members,
    )
    assert len(stacked.stages) == len(alone[0].stages)
    hidden = stacked.entry(in_dtype(table))
    for stage, width in zip(stacked.stages, stacked.widths[1:], strict=True):
        hidden = stage(hidden)
        assert hidden.shape == (60, stacked.members, N, width)


@pytest.mark.parametrize("name", ["mlp", "normalized", "tabm", "tabm without embedding"])
def test_layers_of_the_package_are_no_loop_and_go_through_no_vmap(name, make_table):
    _, stacked = alone_and_stacked(TRUNKS[name], make_table())
    assert not [part for part in stacked.modules() if isinstance(part, MappedParts)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("n_continuous", [0, 4])
@pytest.mark.parametrize("embedding", [None, "piecewise_linear"])
def test_many_columns_of_bits_are_computed_apart_as_alone(embedding, n_continuous, training, make_table):
    table = make_table(n_continuous=n_continuous, n_binary=FEWEST_BITS_APART + 2)
    trunk = TabM((6, 5), members=3, dropout=0.0, embedding=embedding)
    alone, stacked = alone_and_stacked(trunk, table)
    assert stacked.stages[0][0].first_bit is not None
    inputs = in_dtype(table)
    for each in (*alone, stacked):
        each.train(training)
    outputs, together = [trunk(inputs) for trunk in alone], stacked(inputs)
    torch.testing.assert_close(together, torch.stack(outputs, dim=2))
    found = torch.autograd.grad(together.sin().sum(), list(stacked.parameters()))
    torch.testing.assert_close(list(found), gradients_of_each(alone, outputs))


def test_the_number_of_modules_does_not_grow_with_the_number_of_trunks(make_table):
    table = make_table()
    counts = {len(list(alone_and_stacked(TRUNKS["tabm"], table, n)[1].modules())) for n in (2, 30)}
    assert len(counts) == 1


def test_what_vmap_can_not_batch_is_computed_one_after_the_other(make_table):
    table = make_table()
    _, recurrent = alone_and_stacked(TRUNKS["recurrent"], table)
    _, sines = alone_and_stacked(TRUNKS["sines"], table)
    for trunks in (recurrent, sines):
        trunks(in_dtype(table))
    assert not recurrent.entry.can_be_batched
    assert sines.entry.can_be_batched


def test_the_weights_given_are_copied(make_table):
    table = make_table()
    alone, stacked = alone_and_stacked(TRUNKS["sines"], table)
    before = stacked(in_dtype(table))
    for trunk in alone:
        for parameter in trunk.parameters():
            parameter.data.zero_()
    torch.testing.assert_close(stacked(in_dtype(table)), before, rtol=0, atol=0)


def test_layers_with_their_own_stages_are_given_what_each_trunk_has(make_table):
    """Stages in the middle take numbers that differ by trunk, and gradients reach one trunk only."""
    table = make_table()
    for name in ("mlp", "tabm", "sines"):
        _, stacked = alone_and_stacked(TRUNKS[name], table)
        out = stacked(in_dtype(table))
        parameters = list(stacked.parameters())
        found = torch.autograd.grad(out[:, :, 1].sum(), parameters)
        assert all((gradient[[0, 2]] == 0).all() for gradient in found)
        assert any((gradient[1] != 0).any() for gradient in found)


def test_stages_that_have_a_layer_in_common_are_one_part(make_table):
    table = make_table()
    alone, stacked = alone_and_stacked(Recurring(within=False), table)
    assert (len(stacked.stages), stacked.width, sum(1 for _ in stacked.parameters())) == (0, 7, 2)
    inputs = in_dtype(table)
    outputs, together = [trunk(inputs) for trunk in alone], stacked(inputs)
    torch.testing.assert_close(together, torch.stack(outputs, dim=2))
    found = torch.autograd.grad(together.sin().sum(), list(stacked.parameters()))
    torch.testing.assert_close(list(found), gradients_of_each(alone, outputs))


class InPlace(nn.Module):
    """Works on what it is given; with a recurrent layer, vmap has no rule for it."""

    def __init__(self, width, recurrent):
        super().__init__()
        self.linear = nn.Linear(width, 5)
        self.gru = nn.GRU(5, 5, batch_first=True) if recurrent else None

    def forward(self, x):
        hidden = self.linear(x.mul_(2)).relu()
        return hidden if self.gru is None else self.gru(hidden)[0]


class InPlaceStage(Trunk):
    """A user's trunk whose stage, not its entry, works in place."""

    def __init__(self, recurrent):
        self.recurrent = recurrent

    def build(self, spec, statistics):
        return TrunkModule(NoEntry(spec.single.name), [InPlace(7, self.recurrent)], [7, 5])


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("kind", ["entry", "stage", "frozen"])
def test_what_works_in_place_gets_a_copy_for_each_trunk(kind, recurrent, make_table):
    table = make_table()
    module = InPlace(7, recurrent)
    trunk = InPlaceStage(recurrent) if kind == "stage" else ModuleTrunk(module, frozen=kind == "frozen")
    alone = [table.build(trunk).double() for _ in range(N)]
    stacked, inputs = StackedTrunks(alone), in_dtype(table)
    outputs = torch.stack([trunk(in_dtype(table)) for trunk in alone], dim=2)
    # The second pass knows whether parts can be batched.
    for _ in range(2):
        together = stacked(inputs)
        torch.testing.assert_close(together, outputs)
        torch.testing.assert_close(inputs, in_dtype(table), rtol=0, atol=0)
        if kind != "frozen":
            together.sin().sum().backward()


# Dropout.


@pytest.mark.parametrize(
    "trunk", [MLP((40, 40), dropout=0.5), TabM((40, 40), members=3, dropout=0.5)], ids=["mlp", "tabm"]
)
def test_one_draw_makes_the_masks_of_all_trunks(trunk, make_table, monkeypatch):
    """Rows are the first axis, and the trunks have masks of their own."""
    table = make_table()
    alone, stacked = alone_and_stacked(trunk, table)
    shapes = []
    draw = Dropout.draw

    def noted(self, shape, *args, **kwargs):
        shapes.append(tuple(shape))
        return draw(self, shape, *args, **kwargs)

    monkeypatch.setattr(Dropout, "draw", noted)
    stacked.train()
    out = stacked(in_dtype(table))
    assert shapes == [(60, alone[0].members, N, 40)] * 2
    dropped = (out == 0).double()
    assert dropped.mean() > 0.4
    assert not torch.equal(dropped[:, :, 0], dropped[:, :, 1])


def test_a_dropout_that_occurs_twice_is_masked_by_trunk_at_both_places(make_table):
    dropout = Dropout(0.5)
    module = nn.Sequential(nn.Linear(7, 40), dropout, nn.Sigmoid(), dropout)
    stacked = StackedTrunks([make_table().build(ModuleTrunk(module)) for _ in range(N)]).train()
    dropped = (stacked(make_table().inputs) == 0).double()
    assert stacked.entry.can_be_batched
    assert not torch.equal(dropped[:, :, 0], dropped[:, :, 1])


@pytest.mark.parametrize("p", [0.5, 0.0])
@pytest.mark.parametrize("kind", [nn.Dropout, nn.AlphaDropout])
def test_dropout_within_what_is_not_known_differs_by_trunk(kind, p, make_table):
    table = make_table()
    module = nn.Sequential(nn.Linear(7, 40), kind(p))
    stacked = StackedTrunks([table.build(ModuleTrunk(module)) for _ in range(N)]).train()
    out = stacked(table.inputs)
    assert stacked.entry.can_be_batched
    same = (out[:, :, 0] == out[:, :, 1]).double().mean()
    assert same == 1 if p == 0 else same < 0.6
    torch.testing.assert_close(stacked.eval()(table.inputs)[:, :, 0], stacked(table.inputs)[:, :, 2])


def test_batch_normalization_keeps_the_statistics_of_each_trunk(make_table):
    table = make_table()
    alone, stacked = alone_and_stacked(ModuleTrunk(nn.Sequential(nn.Linear(7, 5), nn.BatchNorm1d(5))), table)
    inputs = in_dtype(table)
    for each in (*alone, stacked):
        each.train()(inputs)
        each.eval()
    together = stacked(inputs)
    torch.testing.assert_close(together, torch.stack([trunk(inputs) for trunk in alone], dim=2))


# Number formats, and where rows are.


@pytest.mark.parametrize("name", TRUNKS)
def test_autocast(name, make_table):
    table = make_table()
    alone, stacked = alone_and_stacked(TRUNKS[name], table, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        together, outputs = stacked(table.inputs), [trunk(table.inputs) for trunk in alone]
        together.float().sum().backward() if together.requires_grad else None
    torch.testing.assert_close(together.float(), torch.stack(outputs, dim=2).float(), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["mlp", "normalized", "tabm", "tabm without embedding"])
def test_in_evaluation_a_row_is_rounded_alike_wherever_it_is(name, dtype, make_table):
    table = make_table(n_rows=64)
    _, stacked = alone_and_stacked(TRUNKS[name], table, dtype=dtype)
    inputs = in_dtype(table, dtype)
    stacked.eval()
    with torch.no_grad():
        expected = stacked(inputs)
        for shift in (1, 5, 32):
            moved = stacked({name: block.roll(shift, 0) for name, block in inputs.items()})
            assert torch.equal(moved.roll(-shift, 0), expected)


# What can't be side by side.


def test_trunks_of_other_shapes_are_refused(make_table):
    table = make_table()
    with pytest.raises(ValueError, match=r"same widths.*Found \[\(\(7, 4\), 1, 1\), \(\(7, 5\), 1, 1\)\]"):
        StackedTrunks([table.build(MLP((size,))) for size in (4, 5)])


class Drawn(Trunk):
    """A trunk whose plain attributes differ by build."""

    def __init__(self, as_tensor=False):
        self.as_tensor = as_tensor

    def build(self, spec, statistics):
        layer = Doubled(7, 5)
        layer.drawn = torch.randn(3) if self.as_tensor else float(torch.randn(()))
        return TrunkModule(NoEntry(spec.single.name), [layer], [7, 5])


@pytest.mark.parametrize("as_tensor", [True, False])
def test_unknown_parts_whose_attributes_differ_are_refused(as_tensor, make_table):
    table = make_table()
    with pytest.raises(ValueError, match=r"Found Doubleds whose attribute 'drawn' differs.*a buffer may"):
        StackedTrunks([table.build(Drawn(as_tensor)) for _ in range(2)])


class Reversed(TrunkModule):
    """A trunk that does not go stage after stage."""

    def forward(self, inputs):
        return F.silu(super().forward(inputs)).flip(-1)


def test_a_trunk_with_a_way_of_its_own_is_one_part(make_table):
    table = make_table()

    class Other(Trunk):
        def build(self, spec, statistics):
            trunk = MLP((6, 5)).build(spec, statistics)
            return Reversed(trunk.entry, trunk.stages, trunk.widths)

    alone, stacked = alone_and_stacked(Other(), table)
    assert (len(stacked.stages), stacked.width) == (0, 5)
    inputs = in_dtype(table)
    torch.testing.assert_close(stacked(inputs), torch.stack([trunk(inputs) for trunk in alone], dim=2))


def test_layers_with_hooks_are_not_taken_for_plain_ones(make_table):
    table = make_table()
    alone = [table.build(MLP((6, 5))).double() for _ in range(N)]
    for trunk in alone:
        trunk.stages[0][0].register_forward_hook(lambda part, given, output: output + 1)
    inputs = in_dtype(table)
    torch.testing.assert_close(
        StackedTrunks(alone)(inputs), torch.stack([trunk(inputs) for trunk in alone], dim=2)
    )


def test_a_frozen_entry_is_computed_once(make_table):
    table, passed = make_table(), []

    class Noted(nn.Linear):
        def forward(self, x):
            passed.append(len(x))
            return super().forward(x)

    stacked = StackedTrunks([table.build(ModuleTrunk(Noted(7, 5), frozen=True)) for _ in range(N)])
    passed.clear()
    assert stacked(table.inputs).shape == (60, 1, N, 5)
    assert passed == [60]


def test_frozen_entries_with_other_weights_are_computed_each(make_table):
    table = make_table()
    alone = [table.build(ModuleTrunk(nn.Linear(7, 5), frozen=True)).double() for _ in range(N)]
    for number, trunk in enumerate(alone):
        trunk.entry.module.weight.data.mul_(number)
    stacked, inputs = StackedTrunks(alone), in_dtype(table)
    torch.testing.assert_close(stacked(inputs), torch.stack([trunk(inputs) for trunk in alone], dim=2))
    assert not [p for p in stacked.parameters() if p.requires_grad]
