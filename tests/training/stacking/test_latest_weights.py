"""The weights of the nets of a stack, read and copied for all at once."""

import pytest
import torch

from sklearn_mtl.training.kept_weights import latest_weights, snapshot
from sklearn_mtl.training.runs import make_ready
from sklearn_mtl.training.stacking import latest_weights as module
from sklearn_mtl.training.stacking.latest_weights import LatestOfStack
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
    monkeypatch.setattr(module, "BYTES_TOGETHER", bytes_together)
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
