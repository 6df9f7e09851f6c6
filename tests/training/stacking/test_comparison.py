"""What a stack would train differently is found by one step, and trained alone."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl.balancing import GradientBalancer, LossBalancer
from sklearn_mtl.training import train_nets
from sklearn_mtl.training.runs import make_ready, train_alone
from sklearn_mtl.training.stacking import comparison
from sklearn_mtl.training.stacking.grouping import Structures
from sklearn_mtl.trunks import ModuleTrunk
from tests.training.stacking.nets import plans_of, same_net


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTM(1, 6, batch_first=True)

    def forward(self, x):
        return self.cell(x.unsqueeze(-1))[0][:, -1]


class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 6)

    def forward(self, x):
        hidden = self.linear(x)
        return hidden if hidden.sum() > 0 else hidden * 2


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 6)

    def forward(self, x):
        return nn.functional.dropout(self.linear(x), 0.2, self.training)


class AcrossRows(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 6)

    def forward(self, x):
        return self.linear(x - x.mean(0))


class Chance(LossBalancer):
    def forward(self, losses, weights):
        return losses @ torch.rand_like(weights)


class Growing(LossBalancer):
    """Remembers the losses of all steps, in a buffer that grows."""

    def start(self, n_tasks):
        self.register_buffer("seen", torch.ones(1, n_tasks))

    def forward(self, losses, weights):
        self.seen = torch.cat([self.seen, losses.detach()[None]])
        return losses @ weights


class Pushing(LossBalancer):
    """Moves a learned parameter other than by its gradient."""

    def start(self, n_tasks):
        self.level = nn.Parameter(torch.ones(n_tasks))

    def forward(self, losses, weights):
        return losses @ weights + self.level.sum()

    def after_step(self, losses):
        self.level += losses()


class Counting(LossBalancer):
    """Counts epochs in a plain attribute."""

    epochs = 0

    def end_epoch(self, losses):
        self.epochs = self.epochs + 1

    def forward(self, losses, weights):
        return losses @ weights / (1 + self.epochs)


class OwnBackward(LossBalancer):
    def forward(self, losses, weights):
        return losses @ weights

    def backward(self, losses, weights, penalty, shared):
        return super().backward(losses, 2 * weights, penalty, shared)


class ByGradients(GradientBalancer):
    def forward(self, gradients, losses, weights):
        return weights @ gradients


def normed():
    return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"trunk": ModuleTrunk(Recurrent())}, "LSTM is computed for one net at a time"),
        ({"trunk": ModuleTrunk(Deciding())}, "vmap can't batch it"),
        ({"trunk": ModuleTrunk(Noisy())}, "random numbers other than by Dropout"),
        ({"trunk": ModuleTrunk(AcrossRows())}, "computes something else"),
        ({"trunk": ModuleTrunk(normed())}, "batch normalization"),
        ({"balancing": Chance()}, "random numbers other than by Dropout"),
        ({"balancing": Growing()}, "each step changes 'seen' of its balancer"),
        ({"balancing": Pushing()}, "each step changes 'level' of its balancer"),
        ({"balancing": Counting()}, "training changes its attribute 'epochs', which is no buffer"),
        ({"balancing": ByGradients()}, "balances gradients"),
        ({"balancing": OwnBackward()}, "OwnBackward has a backward of its own"),
        ({"optimizer": "sgd"}, "its optimizer is SGD"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_stacked_is_trained_alone_and_says_why(data, params, words):
    X, Y, weight = data
    complete = (X.astype(np.float64), Y, weight)
    plans = [
        plan
        for seed in (0, 1)
        for plan in plans_of(complete, max_epochs=2, preprocessing=None, random_state=seed, **params)
    ]
    outcomes = dict(train_nets(plans))
    for place, plan in enumerate(plans):
        assert words in outcomes[place].not_stacked_because
        same_net(outcomes[place].trained(), train_alone(make_ready(plan)), 1e-12)


class Scaled(LossBalancer):
    """Scales the losses by what it has in a function, where nothing can be read off."""

    def __init__(self, scales=(1.0,)):
        super().__init__()
        self.scales = scales

    def start(self, n_tasks):
        scales = torch.tensor(self.scales)
        self.scaled = lambda losses: losses * scales.to(losses)

    def forward(self, losses, weights):
        return self.scaled(losses) @ weights


class Sideways(nn.Module):
    """Changes neither outputs nor penalty, but gradients."""

    def __init__(self, factor):
        super().__init__()
        self.linear = nn.Linear(5, 6)
        self.factor = factor

    def forward(self, x):
        hidden = self.linear(x)
        return (1 - self.factor) * hidden.detach() + self.factor * hidden


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize(
    ("params", "words"),
    [
        ([{"balancing": Scaled((1.0,) * 4)}, {"balancing": Scaled((1.0, 1.0, 1.0, 1.01))}], "gradient of"),
        ([{"trunk": ModuleTrunk(Sideways(f))} for f in (1.0, 0.99)], "gradient of 'module.sharing.trunk"),
    ],
    ids=["balancer", "trunk"],
)
def test_a_step_tells_apart_what_no_attribute_shows(data, monkeypatch, params, words, precision):
    monkeypatch.setattr(Structures, "_of_recipe", lambda self, ready: 0)
    X, Y, weight = data
    plans = [
        plan
        for own in (params[0], params[0], params[1])
        for plan in plans_of(
            (X.astype(np.float64), Y, weight), max_epochs=2, preprocessing=None, precision=precision, **own
        )
    ]
    outcomes = dict(train_nets(plans))
    assert outcomes[0].not_stacked_because is outcomes[1].not_stacked_because is None
    assert f"stacked, it computes something else: another {words}" in outcomes[2].not_stacked_because
    same_net(outcomes[2].trained(), train_alone(make_ready(plans[2])), 1e-6)


def test_a_difference_that_does_not_come_again_is_rounding(data, monkeypatch):
    plans = [plan for seed in (0, 1, 2) for plan in plans_of(data, random_state=seed, max_epochs=2)]
    original, tries = comparison.differences, []

    def by_chance(trainer, *args):
        tries.append([member.position for member in trainer.members])
        yield from original(trainer, *args)
        # One net's step looks different on the first rows only, another's on both.
        for position in [1] if len(tries) > 1 else [0, 1]:
            yield "a sign", torch.tensor([member.position == position for member in trainer.members])

    monkeypatch.setattr(comparison, "differences", by_chance)
    outcomes = dict(train_nets(plans))
    assert tries == [[0, 1, 2], [0, 1, 2]]
    reasons = [outcomes[place].not_stacked_because for place in range(3)]
    assert reasons == [None, "stacked, it computes something else: a sign", None]
    for place, plan in enumerate(plans):
        same_net(outcomes[place].trained(), train_alone(make_ready(plan)), 1e-8)


def test_a_net_whose_step_fails_does_not_hurt_the_others(data):
    plans = [*plans_of(data), *plans_of(data, balancing=Scaled((1.0, 2.0))), *plans_of(data, random_state=1)]
    outcomes = dict(train_nets([*plans, *plans_of(data, balancing=Scaled((1.0, 2.0)), random_state=1)]))
    assert [outcomes[place].not_stacked_because for place in (0, 2)] == [None, None]
    for place in (1, 3):
        assert "its step fails: The size of tensor" in outcomes[place].not_stacked_because
        assert isinstance(outcomes[place].error, RuntimeError)


class Failing(nn.Module):
    def __init__(self, mode):
        super().__init__()
        self.linear = nn.Linear(5, 6)
        self.mode = mode
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        # The first passes are those by which the network is built.
        if self.calls > 2 and self.training is self.mode:
            raise RuntimeError("it fails")
        return self.linear(x)


@pytest.mark.parametrize("mode", [True, False], ids=["in training", "in evaluation"])
def test_a_module_that_fails_does_not_hurt_the_others(data, mode):
    X, Y, weight = data
    plans = [
        plan
        for trunk in (None, ModuleTrunk(nn.Linear(5, 6)), ModuleTrunk(Failing(mode)))
        for seed in (0, 1)
        for plan in plans_of((X, Y, weight), trunk=trunk, preprocessing=None, random_state=seed, max_epochs=1)
    ]
    outcomes = dict(train_nets(plans))
    assert [outcomes[place].error is None for place in range(6)] == [True] * 4 + [False] * 2
    assert [outcomes[place].not_stacked_because for place in range(4)] == [None] * 4
