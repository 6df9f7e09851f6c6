"""Each net of a stack sees the rows, and draws the masks, that it would alone."""

import numpy as np
import pytest
import torch

from sklearn_mtl.data.table import WholeBatches
from sklearn_mtl.training.runs import make_ready
from sklearn_mtl.training.stacking.batches import (
    N_ROWS,
    Assignment,
    RandomNumbers,
    StackedBatches,
    dropout_layers,
    few_rows,
    padded,
    rows_to_try,
)
from sklearn_mtl.training.stacking.module import StackedModule
from sklearn_mtl.trunks import MLP
from tests.training.stacking.nets import plans_of, rows

CPU = torch.device("cpu")


def ready_of(data, **params):
    (plan,) = plans_of(data, trunk=MLP((8,), dropout=0.3), batch_size=32, **params)
    return make_ready(plan)


def calls_of(ready):
    return StackedModule(ready.net.module_, few_rows(ready.plan.train).inputs).calls


def test_tensors_are_padded_in_their_corner():
    stacked = padded([torch.ones(2, 3), torch.ones(1, 2), torch.ones(2, 2)])
    assert stacked.shape == (3, 2, 3)
    assert stacked.sum((1, 2)).tolist() == [6, 2, 4]
    assert stacked[1].tolist() == [[1, 1, 0], [0, 0, 0]]


def test_a_stack_of_tensors_is_a_copy():
    for tensors in ([torch.zeros(2)], [torch.zeros(2), torch.zeros(2)]):
        padded(tensors).fill_(1.0)
        assert all((tensor == 0).all() for tensor in tensors)


@pytest.mark.parametrize("keys", [("a", "b", "c"), ("a", "b", "a"), ("b", "b", "b")], ids="".join)
def test_networks_of_equal_keys_are_given_the_same_tensor(keys):
    assignment = Assignment(keys, CPU)
    of_key = {key: torch.full((2,), float(ord(key))) for key in keys}
    found = assignment.expand([of_key[keys[first]] for first in assignment.first])
    assert torch.equal(found, torch.stack([of_key[key] for key in keys]))


def test_an_epoch_has_the_rows_and_masks_of_each_net_alone(data):
    # Two that differ in task weights share all, others have another seed, and fewer rows and batches.
    ready = [
        ready_of(data),
        ready_of(data, task_weights={"binary0": 3.0}),
        ready_of(data, random_state=1),
        ready_of(rows(data, 71)),
    ]
    calls = calls_of(ready[0])
    assert len(calls) == 1
    steps = [(batch.picked(), masks) for batch, masks in StackedBatches(ready, calls).epoch()]
    assert len(steps) == max(one.plan.n_batches for one in ready) > ready[3].plan.n_batches
    for slot, one in enumerate(ready):
        (layer,) = dropout_layers(one, calls)
        layer.train()
        with one.generator.restored(CPU):
            own = iter(WholeBatches(one.plan.train, 32, shuffle=True))
            for batch, (mask,) in steps:
                expected = next(own, None)
                n_rows = 0 if expected is None else len(expected.y)
                assert (batch.weight[slot, n_rows:] == 0).all()
                if expected is not None:
                    assert torch.equal(batch.y[slot, :n_rows], expected.y)
                    assert torch.equal(batch.inputs["x"][slot, :n_rows], expected.inputs["x"])
                    dropped = layer(torch.ones(n_rows, *calls[0].shape, dtype=torch.float64))
                    assert torch.equal(mask[slot, :n_rows], dropped)


def test_random_numbers_go_on_when_a_net_has_left(data):
    ready = [ready_of(data), ready_of(data, random_state=1)]
    calls = calls_of(ready[0])
    whole, shorter = StackedBatches(ready, calls), StackedBatches(ready, calls)
    list(whole.epoch())
    list(shorter.epoch())
    rest = StackedBatches(ready[1:], calls, shorter)
    for (batch, masks), (own, own_masks) in zip(whole.epoch(), rest.epoch(), strict=True):
        batch, own = batch.picked(), own.picked()
        n_rows = len(own.y[0])
        assert torch.equal(batch.y[1, :n_rows], own.y[0])
        assert torch.equal(masks[0][1, :n_rows], own_masks[0][0])
    assert torch.equal(whole.random_numbers_of(1).state.cpu, rest.random_numbers_of(0).state.cpu)


def test_what_nets_draw_goes_by_seed_rows_and_rate(data):
    def key(one):
        return RandomNumbers.key(one, dropout_layers(one, calls_of(one)))

    first = key(ready_of(data))
    assert key(ready_of(data, lr=0.5, task_weights={"binary0": 3.0})) == first
    others = [ready_of(data, random_state=1), ready_of(rows(data, 90))]
    (plan,) = plans_of(data, trunk=MLP((8,), dropout=0.2), batch_size=32)
    assert first not in [key(one) for one in [*others, make_ready(plan)]]


def test_validation_has_the_held_out_rows_of_each_net(data):
    ready = [ready_of(data), ready_of(rows(data, 71))]
    batches = list(StackedBatches(ready, calls_of(ready[0])).validation(4))
    for slot, one in enumerate(ready):
        weight = torch.cat([batch.weight[slot] for batch in batches])
        n_rows = len(one.plan.valid)
        assert torch.equal(weight[:n_rows], one.plan.valid.weight)
        assert (weight[n_rows:] == 0).all()


def test_a_label_of_each_task_is_among_the_rows_that_are_tried(data):
    X, Y, weight = data
    late = {name: np.array(y, dtype=object) for name, y in Y.items()}
    late["binary0"][:70] = None
    (plan,) = plans_of((X, late, weight), early_stopping=False)
    first, last = (rows_to_try([plan.train] * 2, last=last)[id(plan.train)] for last in (False, True))
    for found in (first, last):
        assert len(found.y) == N_ROWS
        assert (found.weight > 0).any(0).all()
        assert (found.weight == 0).any()
    assert not torch.equal(first.y, last.y)
