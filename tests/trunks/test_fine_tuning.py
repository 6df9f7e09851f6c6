"""Layers of modules, and the parts of them that stay as they are."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sklearn_mtl.trunks import MLP, ModuleTrunk
from sklearn_mtl.trunks.fitted_trunk import FittedTrunk
from sklearn_mtl.trunks.layers.fine_tuning import layers_of


class Plain(nn.Module):
    """Parts side by side."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(7, 5), nn.LayerNorm(5), nn.Linear(5, 4)

    def forward(self, x):
        return self.last(self.norm(self.first(x)))


class Encoder(nn.Module):
    """As a vision transformer: tokens of its own, an encoder with layers in a list, a norm and a head."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.embedding = nn.Linear(7, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 3, norm=nn.LayerNorm(8), enable_nested_tensor=False)
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(8, 4))

    def forward(self, x):
        return self.head(self.encoder(self.embedding(x)[:, None] + self.token)[:, 0])


class Wrapped(nn.Module):
    """A module around another."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


def convolutions():
    def block():
        return nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3))

    return nn.Sequential(nn.Sequential(block(), nn.ReLU(), block(), nn.Flatten()), nn.Linear(3, 2))


@pytest.mark.parametrize(
    ("module", "first_of_each"),
    [
        (nn.Linear(2, 3), ["weight"]),
        (nn.Sequential(nn.Flatten(), nn.Linear(2, 3)), ["1.weight"]),
        (Plain(), ["first.weight", "norm.weight", "last.weight"]),
        (Wrapped(Plain()), ["inner.first.weight", "inner.norm.weight", "inner.last.weight"]),
        (
            Encoder(),
            [
                "token",
                *(f"encoder.layers.{i}.self_attn.in_proj_weight" for i in range(3)),
                "encoder.norm.weight",
                "head.1.weight",
            ],
        ),
        (convolutions(), ["0.0.0.weight", "0.0.1.weight", "0.2.0.weight", "0.2.1.weight", "1.weight"]),
        (nn.Identity(), []),
    ],
    ids=["linear", "one in a row", "parts", "wrapped", "encoder", "convolutions", "nothing"],
)
def test_layers(module, first_of_each):
    found = layers_of(module)
    assert [layer[0] for layer in found] == first_of_each
    names = [name for layer in found for name in layer]
    assert sorted(names) == sorted(name for name, _ in module.named_parameters())


def trained(module):
    return {name.rpartition(".")[0] for name, value in module.named_parameters() if value.requires_grad}


def test_parts_without_parameters_go_with_the_part_before_them(make_table):
    table = make_table()
    norm = nn.BatchNorm1d(7, affine=False)
    network = nn.Sequential(norm, nn.Linear(7, 5), nn.Dropout(0.5), nn.Linear(5, 4), nn.Dropout(0.5))
    module = table.build(ModuleTrunk(network, frozen=["1"])).train().entry.module
    assert [part.training for part in module] == [False, False, False, True, True]
    assert [part.training for part in table.build(ModuleTrunk(network)).train().entry.module] == [True] * 5


def test_a_tied_weight_is_trained_as_in_its_first_place(make_table):
    first, last = nn.Linear(7, 7), nn.Linear(7, 7)
    last.weight = first.weight
    module = make_table().build(ModuleTrunk(nn.Sequential(first, last), frozen=["0"])).entry.module
    assert trained(module) == {"1"}
    assert not module[1].weight.requires_grad
    # And is frozen by the name of any of its places.
    for frozen in (["1"], ["1.weight"]):
        module = make_table().build(ModuleTrunk(nn.Sequential(first, last), frozen=frozen)).entry.module
        assert not module[0].weight.requires_grad
        assert module[0].bias.requires_grad
        assert module[1].bias.requires_grad is (frozen == ["1.weight"])


def test_stages_of_a_trunk_are_layers(make_table):
    table = make_table()
    known = table.build(MLP((6, 5, 4)))
    module = table.build(ModuleTrunk(known, frozen=["entry", "stages.0"]))
    assert len(module.stages) == len(known.stages)
    assert [any(p.requires_grad for p in part.parameters()) for part in module.stages] == [False, True, True]
    torch.testing.assert_close(module.eval()(table.inputs), known.eval()(table.inputs))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"lr_scale": 0.1},
        {"lr_scale": (0.1, 1.0)},
        {"frozen": ["2"], "unfreeze_after": 0},
        {"frozen": True, "unfreeze_after": 0},
    ],
    ids=str,
)
@pytest.mark.parametrize("inner", [False, True], ids=["module", "trunk"])
def test_what_the_user_has_frozen_stays_so(params, inner, make_table):
    table = make_table()
    network = nn.Sequential(nn.Linear(7, 5), nn.BatchNorm1d(5), nn.Linear(5, 4))
    network[:2].requires_grad_(False)
    given = table.build(ModuleTrunk(network)) if inner else network
    if inner and "frozen" in params and params["frozen"] is not True:
        params = {**params, "frozen": ["entry.module.2"]}
    module = table.build(ModuleTrunk(given, **params)).train()
    assert [value.requires_grad for value in module.parameters()] == [False] * 4 + [True] * 2
    # And is kept so where it is fine-tuned anew.
    again = table.build(ModuleTrunk(module))
    assert [value.requires_grad for value in again.parameters()] == [False] * 4 + [True] * 2


def test_layers_that_the_user_has_frozen_do_not_take_part_in_unfreezing(make_table):
    network = nn.Sequential(nn.Linear(7, 5), nn.Linear(5, 5), nn.Linear(5, 4))
    network[0].requires_grad_(False)
    entry = make_table().build(ModuleTrunk(network, frozen=True, unfreeze_after=(6, 2))).entry
    assert {name: how.frozen_epochs for name, how in entry.fine_tuning.items() if "weight" in name} == {
        "1.weight": 6,
        "2.weight": 2,
    }


def test_parts_of_a_fitted_trunk_are_named_as_it_names_them(make_table):
    table = make_table()
    known = FittedTrunk(table.build(MLP((6, 5, 4))), SimpleNamespace(spec=table.spec), None, None)
    names = [name for name, _ in known.named_modules()]
    assert {"trunk.entry", "trunk.stages.0"} <= set(names)
    module = table.build(ModuleTrunk(known, frozen=["trunk.entry", "trunk.stages.0"]))
    assert [any(p.requires_grad for p in part.parameters()) for part in module.stages] == [False, True, True]
    assert not any(p.requires_grad for p in module.entry.parameters())
    module = table.build(ModuleTrunk(known, frozen=["trunk"]))
    assert not any(p.requires_grad for p in module.parameters())
    with pytest.raises(ValueError, match=r"Found 'stages\.0'; the parts are \['trunk', 'trunk\.entry'"):
        table.build(ModuleTrunk(known, frozen=["stages.0"]))


def test_a_module_that_was_fine_tuned_is_fine_tuned_anew(make_table):
    table = make_table()
    once = table.build(ModuleTrunk(table.build(MLP((6, 5))), frozen=True))
    again = table.build(ModuleTrunk(once))
    assert all(value.requires_grad for value in again.parameters())
    assert all(part.training for part in again.train().modules())
    assert not any(value.requires_grad for value in once.parameters())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"frozen": "first"}, r"`frozen` of ModuleTrunk must be True, False or a sequence .* Found 'first'"),
        ({"frozen": 1}, "Found 1"),
        ({"frozen": ["third"]}, r"Found 'third'; the parts are \['first', "),
        ({"frozen": True, "unfreeze_after": -1}, "`unfreeze_after` .* non-negative integer, .* Found -1"),
        ({"frozen": True, "unfreeze_after": 1.5}, "Found 1.5"),
        ({"frozen": True, "unfreeze_after": (1, 2, 3)}, r"Found \(1, 2, 3\)"),
        ({"unfreeze_after": 2}, "`unfreeze_after` .* unless something is `frozen`. Found 2"),
        ({"lr_scale": 0}, "`lr_scale` .* positive number, or a pair of them. Found 0"),
        ({"lr_scale": "low"}, "Found 'low'"),
        ({"lr_scale": (0.1, None)}, r"Found \(0.1, None\)"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(params, message, make_table):
    with pytest.raises(ValueError, match=message):
        make_table().build(ModuleTrunk(Plain(), **params))
