"""Balancers of many nets as one, against each of them alone."""

import pytest
import torch
from torch import nn

from sklearn_mtl.balancing import LossBalancer
from sklearn_mtl.training.stacking.losses import StackedBalancer


class Tracking(LossBalancer):
    """A learned rate; the losses of the last step, how many there were, and the last epoch's mean."""

    def start(self, n_tasks):
        self.rate = nn.Parameter(torch.linspace(0.5, 1.5, n_tasks))
        self.register_buffer("last", torch.ones(n_tasks))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("epoch", torch.ones(n_tasks))

    def forward(self, losses, weights):
        total = (losses * weights * self.rate / self.last / self.epoch).sum()
        self.last = losses.detach().clone()
        self.steps += 1
        return total

    def after_step(self, losses):
        self.last = self.last / losses()

    def end_epoch(self, losses):
        self.epoch = losses * self.last


class Given:
    """Losses of a step with a graph, as `StepLosses` has them."""

    def __init__(self, raw):
        self.raw, self.values, self.mass = raw, raw.detach(), torch.ones_like(raw)

    def gradient(self, rates):
        return rates


WEIGHTS = torch.tensor([[1.0, 0.5], [2.0, 1.0], [0.1, 3.0]])


@pytest.fixture
def balancers():
    made = [Tracking().fresh(2) for _ in range(3)]
    for number, balancer in enumerate(made):
        balancer.rate.data += number
    return made


def of_stack(balancers):
    stacked = StackedBalancer(balancers)
    learned = torch.stack([balancer.rate.detach() for balancer in balancers]).requires_grad_()
    stacked.learned = {"rate": learned}
    return stacked


def losses_of(step):
    torch.manual_seed(step)
    return torch.rand(3, 2) + 0.5


def step_alone(balancer, losses, weights):
    raw = losses.clone().requires_grad_()
    balancer.rate.grad = None
    total = balancer.backward(Given(raw), weights, None, [])
    return total, raw.grad, balancer.rate.grad


def states(balancers):
    return [{name: value.clone() for name, value in one.named_buffers()} for one in balancers]


def test_each_has_the_gradients_and_buffers_that_it_has_alone(balancers):
    alone = [one.fresh(2) for one in balancers]
    for one, other in zip(alone, balancers, strict=True):
        one.load_state_dict(other.state_dict())
    stacked = of_stack(balancers)
    # The second net has one step, the others two.
    stacked.begin_epoch([2, 1, 2])
    for step in range(2):
        losses, after = losses_of(step), losses_of(step + 10)
        raw = losses.clone().requires_grad_()
        stacked.learned["rate"].grad = None
        total = stacked.backward(Given(raw), WEIGHTS, None)
        stacked.after_step(after)
        stacked.keep(step)
        for net, one in enumerate(alone):
            if step == 1 and net == 1:
                continue
            expected = step_alone(one, losses[net], WEIGHTS[net])
            with torch.no_grad():
                one.after_step(lambda net=net, after=after: after[net])
            found = (total[net], raw.grad[net], stacked.learned["rate"].grad[net])
            torch.testing.assert_close(found, expected)
    torch.testing.assert_close(states(balancers), states(alone))
    assert [int(one.steps) for one in balancers] == [2, 1, 2]


def test_the_end_of_an_epoch_finds_and_sets_each_nets_own(balancers):
    stacked = of_stack(balancers)
    stacked.begin_epoch([1, 1, 1])
    stacked.backward(Given(losses_of(0).requires_grad_()), WEIGHTS, None)
    stacked.keep(0)
    for net, one in enumerate(balancers):
        one.end_epoch(torch.full((2,), net + 1.0))
    stacked.begin_epoch([1, 1, 1])
    expected = losses_of(0) * torch.tensor([[1.0], [2.0], [3.0]])
    torch.testing.assert_close(stacked.buffers["epoch"], expected)


def test_what_is_not_kept_is_forgotten(balancers):
    before = states(balancers)
    stacked = of_stack(balancers)
    stacked.backward(Given(losses_of(0).requires_grad_()), WEIGHTS, None)
    stacked.after_step(losses_of(1))
    assert not torch.equal(stacked.after["last"], stacked.buffers["last"])
    torch.testing.assert_close(states(balancers), before, rtol=0, atol=0)
    torch.testing.assert_close(stacked.buffers["last"], torch.ones(3, 2), rtol=0, atol=0)


def test_a_net_that_leaves_takes_its_buffers_along(balancers):
    stacked = of_stack(balancers)
    stacked.begin_epoch([1, 1, 1])
    stacked.release(1)
    stacked.backward(Given(losses_of(0).requires_grad_()), WEIGHTS, None)
    stacked.keep(0)
    assert int(balancers[0].steps) == 1
    assert int(balancers[1].steps) == 0
    assert balancers[1].last.untyped_storage().nbytes() == balancers[1].last.nbytes


def test_the_pattern_is_left_as_it_was(balancers):
    stacked = of_stack(balancers)
    before = {name: value.clone() for name, value in stacked.pattern.state_dict().items()}
    stacked.backward(Given(losses_of(0).requires_grad_()), WEIGHTS, None)
    stacked.after_step(losses_of(1))
    assert isinstance(stacked.pattern.rate, nn.Parameter)
    for name, value in stacked.pattern.state_dict().items():
        assert torch.equal(value, before[name])
