"""A net's own step: its gradients and masks, what it leaves as it was, and why a net must train alone."""

import re

import pytest
import torch
from torch import nn

from sklearn_mtl.balancing import LossBalancer
from sklearn_mtl.training.runs import make_ready
from sklearn_mtl.training.stacking.batches import few_rows
from sklearn_mtl.training.stacking.module import StackedModule
from sklearn_mtl.training.stacking.own_step import OwnStep, own_step
from sklearn_mtl.training.stacking.trainer import Member
from sklearn_mtl.trunks import MLP
from tests.training.stacking.nets import plans_of

CPU = torch.device("cpu")


class Remembering(LossBalancer):
    """Remembers the losses of a step before it and after it, and counts steps."""

    def start(self, n_tasks):
        self.register_buffer("last", torch.ones(n_tasks))
        self.register_buffer("after", torch.ones(n_tasks))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, losses, weights):
        self.last.copy_(losses.detach())
        self.steps = self.steps + 1
        return losses @ weights

    def after_step(self, losses):
        self.after = losses()


def ready_of(data, **params):
    (plan,) = plans_of(data, **{"trunk": MLP((8,), dropout=0.3), **params})
    return make_ready(plan)


def calls_of(ready):
    return StackedModule(ready.net.module_, few_rows(ready.plan.train).inputs).calls


def step_of(ready, calls):
    return own_step(Member(0, ready), ready.plan.train.rows(slice(0, 20)), calls)


def test_its_gradients_and_losses_are_those_of_the_net_by_itself(data):
    ready, other = ready_of(data), ready_of(data)
    found = step_of(ready, calls_of(ready))
    with other.generator.restored(CPU):
        other.net.module_.train()
        expected = other.net.train_step_single(other.plan.train.rows(slice(0, 20)))
    assert torch.equal(found.results["task_loss"], expected["task_loss"])
    pairs = zip(ready.net.module_.parameters(), other.net.module_.parameters(), strict=True)
    for mine, theirs in pairs:
        assert torch.equal(mine, theirs)
        assert torch.equal(mine.grad, theirs.grad)


def test_its_masks_are_those_of_the_step(data):
    ready, drawn = ready_of(data), []
    calls = calls_of(ready)
    layer = ready.net.module_.get_submodule(calls[0].name)
    layer.register_forward_hook(lambda layer, inputs, output: drawn.append((inputs[0], output)))
    (mask,) = step_of(ready, calls).masks
    ((before, after),) = drawn
    assert 0 < (mask == 0).sum() < mask.numel()
    torch.testing.assert_close(before * mask, after)


def test_generator_and_balancer_are_put_back(data):
    ready = ready_of(data, balancing=Remembering())
    balancer = ready.net.criterion_.balancer
    before = {name: value.clone() for name, value in balancer.named_buffers()}
    calls, state = calls_of(ready), torch.get_rng_state()
    found = step_of(ready, calls)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in balancer.named_buffers():
        assert torch.equal(value, before[name]), name
    # What the step has made of them, where it is taken to have halved the losses.
    assert found.buffers["steps"] == 1
    torch.testing.assert_close(found.buffers["after"], 0.5 * found.buffers["last"])


class Failing(nn.Linear):
    def forward(self, rows):
        if self.training:
            raise ValueError("not\ntoday")
        return super().forward(rows)


class Noisy(nn.Linear):
    def forward(self, rows):
        return super().forward(rows) + torch.randn(())


@pytest.mark.parametrize(
    ("trunk", "reason"),
    [
        (nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)), "training changes its buffer '.*running_mean'"),
        (Noisy(5, 4), "it draws random numbers other than by Dropout layers"),
        (Failing(5, 4), "its step fails: not"),
    ],
    ids=["buffer", "random", "fails"],
)
def test_why_a_net_must_train_alone(trunk, reason, data):
    found = step_of(ready_of(data, trunk=trunk, preprocessing=None), [])
    assert re.match(reason, found)


def test_a_plain_module_may_be_stacked(data):
    assert isinstance(step_of(ready_of(data, trunk=nn.Linear(5, 4), preprocessing=None), []), OwnStep)
