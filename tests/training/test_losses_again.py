"""The losses of a step's rows once more: under the new weights, the same masks, and nothing else changed."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from sklearn_mtl.training.losses_again import losses_again
from sklearn_mtl.training.runs import make_ready
from sklearn_mtl.trunks import ModuleTrunk

CPU = torch.device("cpu")


@pytest.fixture
def ready(make_plan):
    """A net with dropout and batch normalization, which is about to make a step."""
    plan = make_plan()
    layers = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.Dropout(0.5))
    ready = make_ready(replace(plan, blueprint=replace(plan.blueprint, trunk=ModuleTrunk(layers))))
    ready.net.module_.train()
    return ready


def batch_of(ready):
    return ready.plan.train.rows(slice(0, 16))


def losses_of(ready):
    """The losses that a step would have now."""
    net, batch = ready.net, batch_of(ready)
    raw, _ = net.training_outputs(batch)
    return net.criterion_.losses(raw, batch.y, batch.weight).values


def test_they_are_those_of_the_masks_that_the_step_draws(ready):
    with ready.generator.restored(CPU):
        again = losses_again(ready.net, batch_of(ready))
        of_step = losses_of(ready)
        assert not torch.equal(losses_of(ready), of_step)
        assert torch.equal(again(), of_step)
        assert not again().requires_grad


def test_they_are_those_of_the_weights_at_the_time_they_are_asked_for(ready):
    again = losses_again(ready.net, batch_of(ready))
    before = again()
    with torch.no_grad():
        for parameter in ready.net.module_.parameters():
            parameter.add_(0.1)
    assert (again() != before).all()


def test_rows_that_the_step_works_on_in_place_count_as_they_were(ready):
    batch = batch_of(ready).copied()
    again = losses_again(ready.net, batch)
    before = again()
    batch.inputs["x"].fill_(7.0)
    assert torch.equal(again(), before)


def test_generator_and_buffers_are_left_as_they_were(ready):
    again = losses_again(ready.net, batch_of(ready))
    losses_of(ready)
    buffers = {name: value.clone() for name, value in ready.net.module_.named_buffers()}
    assert any(name.endswith("running_mean") for name in buffers)
    state = torch.get_rng_state()
    again()
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in ready.net.module_.named_buffers():
        assert torch.equal(value, buffers[name]), name


def test_a_module_that_works_in_place_does_not_change_what_is_asked_for_twice(ready):
    def in_place(_module, given):
        given[0]["x"].exp_()

    ready.net.network.register_forward_pre_hook(in_place)
    again = losses_again(ready.net, batch_of(ready))
    assert torch.equal(again(), again())
