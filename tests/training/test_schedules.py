"""How the learning rate moves over the steps of a training."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sklearn_mtl.training.schedules import Cosine, InverseSqrt, OneCycle, StepSchedule


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 1.0), (25, 0.5 + 0.5**1.5), (50, 0.5), (100, 0.0), (130, 0.0)]
)
def test_a_cosine_goes_from_one_to_zero_and_stays_there(step, expected):
    assert Cosine(100)(step) == pytest.approx(expected, abs=1e-12)


def of_torch(schedule, n_steps):
    """Return the rates of a schedule of torch, relative to a rate of 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, rates = schedule(optimizer), []
    for _ in range(n_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_a_cosine_is_that_of_torch():
    expected = of_torch(lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20), 20)
    assert [Cosine(20)(step) for step in range(20)] == pytest.approx(expected)


def test_one_cycle_has_the_shape_of_torchs():
    # torch counts from the first step to the last, and so reaches its end a step earlier.
    expected = of_torch(lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, 1001), 1000)
    assert [OneCycle(1000)(step) for step in range(1000)] == pytest.approx(expected, abs=0.01)


def test_one_cycle_rises_once_and_ends_near_zero():
    rates = [OneCycle(100)(step) for step in range(131)]
    assert rates[0] == pytest.approx(1 / 25)
    assert rates[30] == max(rates) == 1.0
    assert rates[:31] == sorted(rates[:31])
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert rates[100] == rates[130] == pytest.approx(1 / 25e4)


def a_net():
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.1, 0.02)]
    return SimpleNamespace(optimizer_=torch.optim.SGD(groups, lr=1.0))


def rates_of(net):
    return [group["lr"] for group in net.optimizer_.param_groups]


def test_each_step_sets_the_rate_of_every_group():
    net, schedule = a_net(), StepSchedule(Cosine(4), done=0)
    schedule.on_train_begin(net)
    seen = []
    for _ in range(4):
        schedule.before_step(net)
        seen.append(rates_of(net))
    factors = [0.5 * (1 + math.cos(math.pi * step / 4)) for step in range(4)]
    assert seen == [pytest.approx([0.1 * factor, 0.02 * factor]) for factor in factors]


def test_a_training_goes_on_where_the_one_before_stopped():
    net, schedule = a_net(), StepSchedule(Cosine(4), done=3)
    schedule.on_train_begin(net)
    schedule.before_step(net)
    assert rates_of(net) == pytest.approx([0.1 * Cosine(4)(3), 0.02 * Cosine(4)(3)])


def test_a_schedule_that_is_over_says_so():
    with pytest.warns(UserWarning, match=r"`lr_schedule` has come to its end.*Found 4 steps done"):
        StepSchedule(Cosine(4), done=4).on_train_begin(a_net())


def test_what_another_callback_makes_of_a_rate_is_kept():
    net, schedule = a_net(), StepSchedule(InverseSqrt(), done=0)
    schedule.on_train_begin(net)
    schedule.before_step(net)
    net.optimizer_.param_groups[0]["lr"] /= 2
    for step in (1, 2):
        schedule.before_step(net)
        assert rates_of(net) == pytest.approx([0.05 * InverseSqrt()(step), 0.02 * InverseSqrt()(step)])


def test_a_rate_of_nothing_may_rise_again():
    net, schedule = a_net(), StepSchedule(InverseSqrt(), done=0)
    schedule.on_train_begin(net)
    seen = []
    for rate in (0.0, 0.0, 0.1):
        schedule.before_step(net)
        net.optimizer_.param_groups[0]["lr"] = rate
        seen.append(rate)
    schedule.before_step(net)
    assert rates_of(net)[0] == pytest.approx(0.1 * InverseSqrt()(3) / InverseSqrt()(2))


def test_the_inverse_root_halves_the_rate_in_three_thousand_steps():
    assert [InverseSqrt()(step) for step in (0, 3_000, 15_000)] == [1, 0.5, 0.25]
