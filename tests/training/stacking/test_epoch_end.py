"""What the nets of a stack record and keep, for all at once, is what each would record and keep."""

import numpy as np
import pytest
import torch

from sklearn_mtl.training.kept_weights import latest_weights, snapshot
from sklearn_mtl.training.recording import first_broken, means_and_watched
from sklearn_mtl.training.runs import make_ready
from sklearn_mtl.training.stacking import epoch_end
from sklearn_mtl.training.stacking.epoch_end import EpochLosses, LatestOfStack
from sklearn_mtl.training.stacking.trainer import StackedTrainer
from sklearn_mtl.trunks import TabM
from tests.training.stacking.nets import plans_of, rows


@pytest.fixture(params=[{}, {"ema_decay": None}, {"trunk": TabM((8,), members=2)}], ids=str)
def trainer(request, data):
    plans = [plan for n_rows in (150, 90, 70) for plan in plans_of(rows(data, n_rows), **request.param)]
    return StackedTrainer([make_ready(plan) for plan in plans])


def taken(trainer, slots):
    """The states that some nets are given, all having asked."""
    latest, found = LatestOfStack(trainer.weights), {}
    for slot in slots:
        net = trainer.members[slot].net
        latest_weights(net).take(lambda state, slot=slot: found.__setitem__(slot, state))
    assert not found
    latest.hand_over()
    return found


@pytest.mark.parametrize("bytes_together", [2**24, 0])
def test_each_is_given_its_own_state(trainer, bytes_together, monkeypatch):
    monkeypatch.setattr(epoch_end, "BYTES_TOGETHER", bytes_together)
    found = taken(trainer, [2, 0])
    assert list(found) == [2, 0]
    for slot, state in found.items():
        expected = snapshot(trainer.members[slot].net.evaluated)
        assert state.keys() == expected.keys()
        for name, value in state.items():
            assert torch.equal(value, expected[name])
            assert not value.requires_grad


def test_what_was_given_stays_what_it_was(trainer):
    state = taken(trainer, [1])[1]
    before = {name: value.clone() for name, value in state.items()}
    for stack in (*trainer.weights.trained.values(), *trainer.weights.averages.values()):
        stack.data.add_(1.0)
    assert all(torch.equal(value, before[name]) for name, value in state.items())


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e308])
def test_a_net_whose_weights_broke_is_told_from_the_others(trainer, number):
    stack = next(iter((trainer.weights.averages or trainer.weights.trained).values()))
    stack.data[1].fill_(number)
    LatestOfStack(trainer.weights)
    finite = [latest_weights(member.net).are_finite() for member in trainer.members]
    assert finite == [True, number == 1e308, True]


def test_copies_of_a_net_are_in_no_stack(trainer):
    latest = LatestOfStack(trainer.weights)
    net = trainer.members[0].net
    assert latest_weights(net).__reduce__() == (type(None), ())
    assert net.run_.latest is not None
    assert latest.finite() == [True, True, True]


def epoch_of(n_nets=3, n_tasks=4, n_steps=50):
    rng = np.random.default_rng(0)
    losses, masses = rng.uniform(0, 2, (2, n_steps, n_nets, n_tasks))
    masses[:, :, 1] = 0
    masses[:25, 2] = 0
    losses[masses == 0] = 0
    losses[7, 1, 2] = np.inf
    losses[9, 1] = np.nan
    weights = rng.uniform(0, 1, (n_nets, n_tasks))
    weights[0, 3] = 0
    return EpochLosses(losses, masses, weights)


def test_nets_in_one_pass_have_the_numbers_that_each_has():
    epoch = epoch_of()
    for net in range(3):
        losses, masses, weights = epoch.losses[:, net], epoch.masses[:, net], epoch.weights[net]
        expected = means_and_watched(losses.sum(0), masses.sum(0), weights)
        for mine, theirs in zip(epoch.means, expected, strict=True):
            np.testing.assert_array_equal(mine[net], theirs)
        steps = means_and_watched(losses, masses, weights)[1]
        np.testing.assert_array_equal(epoch.watched_in_steps()[:, net], steps)


def test_only_tasks_of_positive_weight_with_a_label_are_watched():
    per_task, watched = epoch_of().means
    assert np.isnan(per_task[:, 1]).all()
    assert watched[0] == np.mean(per_task[0, [0, 2]])


def test_the_tasks_of_the_first_step_that_breaks_are_told():
    epoch = epoch_of()
    assert epoch.are_finite.tolist() == [True, False, True]
    assert [first_broken(epoch.losses[:, net]).tolist() for net in range(3)] == [[], [2], []]
