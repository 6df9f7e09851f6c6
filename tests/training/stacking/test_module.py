"""With stacked weights one module computes what many do."""


import pytest
import torch
from torch import nn

from sklearn_mtl.training.runs import make_ready
from sklearn_mtl.training.stacking.batches import few_rows
from sklearn_mtl.training.stacking.module import DropoutCall, StackedModule, draw_mask
from sklearn_mtl.trunks import MLP, TabM
from tests.training.stacking.nets import plans_of


def ready_of(data, trunk):
    return [make_ready(plan) for seed in (0, 1, 2) for plan in plans_of(data, trunk=trunk, random_state=seed)]


def stack_of(ready):
    """The module of nets, their stacked weights, and some rows for each."""
    modules = [one.net.module_ for one in ready]
    stacked = StackedModule(modules[0], few_rows(ready[0].plan.train).inputs)
    named = [dict(module.named_parameters()) for module in modules]
    weights = {name: torch.stack([own[name].detach() for own in named]) for name in named[0]}
    batches = [one.plan.train.rows(slice(5 * i, 5 * i + 6)) for i, one in enumerate(ready)]
    rows = [batch.inputs for batch in batches]
    inputs = {name: torch.stack([own[name] for own in rows]) for name in rows[0]}
    return stacked, weights, rows, (inputs, torch.stack([batch.weight for batch in batches]))


@pytest.mark.parametrize("trunk", [MLP((8, 8), dropout=0.4), TabM((8,), members=2)], ids=repr)
def test_a_stack_predicts_as_its_modules(data, trunk):
    ready = ready_of(data, trunk)
    stacked, weights, rows, given = stack_of(ready)
    raw, penalty = stacked(weights, *given, [], training=False)
    assert penalty.tolist() == [0, 0, 0]
    for own, one, found in zip(rows, ready, raw, strict=True):
        torch.testing.assert_close(found, one.net.module_.eval()(own))


def test_dropout_takes_the_masks_in_the_order_of_the_calls(data):
    ready = ready_of(data, MLP((8, 6), dropout=0.4))
    stacked, weights, rows, given = stack_of(ready)
    assert [call.shape[-1] for call in stacked.calls] == [8, 6]
    layers = [ready[0].net.module_.get_submodule(call.name) for call in stacked.calls]
    masks = []
    for number in range(3):
        generator = torch.Generator().manual_seed(number)
        masks.append(
            [
                draw_mask(layer, (6, *call.shape), generator, next(iter(rows[0].values())))
                for layer, call in zip(layers, stacked.calls, strict=True)
            ]
        )
    raw, _ = stacked(
        weights, *given, [torch.stack(of_layer) for of_layer in zip(*masks, strict=True)], training=True
    )
    for number, (own, one) in enumerate(zip(rows, ready, strict=True)):
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(number)
            torch.testing.assert_close(raw[number], one.net.module_.train()(own))


def test_the_pattern_is_left_as_it_was(data):
    ready = ready_of(data, MLP((8,)))
    stacked, weights, _, (inputs, cells) = stack_of(ready)
    before = dict(stacked.pattern.named_parameters())
    stacked(weights, inputs, cells, [], training=True)
    with pytest.raises(RuntimeError):
        stacked(weights, {name: block[..., :2] for name, block in inputs.items()}, cells, [], training=True)
    after = dict(stacked.pattern.named_parameters())
    assert before.keys() == after.keys()
    assert all(after[name] is value for name, value in before.items())
    assert all(
        own is not of_net
        for own, of_net in zip(before.values(), ready[0].net.module_.parameters(), strict=True)
    )


def test_a_dropout_layer_in_a_frozen_part_is_never_passed(data):
    class Frozen(nn.Sequential):
        def train(self, mode=True):
            return super().train(mode=False)

    class Sharing(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Dropout(0.5), Frozen(nn.Dropout(0.5))

        def forward(self, inputs):
            return self.second(self.first(inputs["x"]))

    found = StackedModule(Sharing(), {"x": torch.ones(4, 3)}).calls
    assert found == [DropoutCall("first", (3,))]
