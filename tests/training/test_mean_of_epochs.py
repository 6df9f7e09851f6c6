"""The weights that a net ends with: those of its best epoch, or their mean with those of epochs after it."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sklearn_mtl.training.kept_weights import KeptWeights, snapshot
from sklearn_mtl.training.runs import make_ready, train_alone


class Odd(nn.Module):
    """Tied, frozen, infinite and whole numbers among its weights."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
        self.second.weight = self.first.weight
        self.mask = nn.Parameter(torch.tensor([0.0, -torch.inf]))
        self.levels = nn.Parameter(torch.tensor([1, 2]), requires_grad=False)
        self.register_buffer("edges", torch.tensor([-torch.inf, 0.0, torch.inf]))
        self.register_buffer("count", torch.tensor(3))


def moved(module, by):
    """Return a copy's worth of change: all trained weights, and the count, moved by a number."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.is_floating_point():
                parameter += by
    module.count += 1
    return module


def test_a_snapshot_does_not_follow_the_module():
    module = nn.Linear(2, 2)
    taken = snapshot(module)
    before = module.weight.detach().clone()
    module.weight.data.zero_()
    assert torch.equal(taken["weight"], before)


def test_trained_weights_are_averaged_and_what_is_infinite_or_counts_is_that_of_the_first_epoch():
    module = Odd()
    start = snapshot(module)
    kept = KeptWeights(start)
    for by in (1.0, 1.0, 4.0):
        kept.add(moved(module, by))
    assert kept.n_epochs == 4
    for name in ("first.weight", "first.bias", "second.weight", "second.bias"):
        # After each epoch the weights were 0, 1, 2 and 6 more than at the start.
        torch.testing.assert_close(kept.mean[name], start[name] + 9 / 4)
        assert torch.equal(kept.best[name], start[name])
    for name in ("mask", "levels", "edges", "count"):
        assert torch.equal(kept.mean[name], start[name])
    module.load_state_dict(kept.mean)
    torch.testing.assert_close(module.second.weight, start["first.weight"] + 9 / 4)


def test_a_copy_moves_on_without_the_one_that_it_is_of():
    module = Odd()
    kept = KeptWeights(snapshot(module))
    kept.add(moved(module, 1.0))
    before = kept.mean["first.bias"].clone()
    copy = kept.copy()
    copy.add(moved(module, 5.0))
    assert torch.equal(kept.mean["first.bias"], before)
    assert (kept.n_epochs, copy.n_epochs) == (2, 3)


# Of a net in training


class Recorded(Callback):
    """Remembers the weights that were validated in each epoch; copies of it share the list."""

    def __init__(self, found):
        self.found = found

    def __deepcopy__(self, memo):
        return Recorded(self.found)

    def on_epoch_end(self, net, **kwargs):
        self.found.append(snapshot(net.evaluated))


def trained(make_plan, **settings):
    """Return a net, its plan, and the weights that were validated in each epoch."""
    found = []
    plan = make_plan(callbacks=[Recorded(found)], **settings)
    return train_alone(make_ready(plan)), plan, found


def mean_of(states, name):
    return torch.stack([state[name].double() for state in states]).mean(0).float()


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_a_net_ends_with_the_mean_of_the_best_epoch_and_all_after_it(make_plan, ema_decay):
    settings = {"patience": 4, "max_epochs": 60, "lr": 0.05, "ema_decay": ema_decay, "calibrate": False}
    net, plan, states = trained(make_plan, **settings)
    losses = net.history[:, "valid_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 5 < 60
    names = [name for name, _ in net.module_.named_parameters()]
    for name in names:
        torch.testing.assert_close(net.module_.state_dict()[name], mean_of(states[best:], name))
    assert any(not torch.equal(net.module_.state_dict()[name], states[best][name]) for name in names)
    assert net.loss_on(plan.valid) == net.resume_.kept.loss_of_mean


def test_epochs_that_lead_away_are_not_averaged(make_plan):
    net, plan, states = trained(make_plan, patience=20, lr=3.0, max_epochs=6, calibrate=False)
    losses = net.history[:, "valid_loss"]
    best = int(np.argmin(losses))
    assert best < 5
    for name, value in net.module_.state_dict().items():
        assert torch.equal(value, states[best][name]), name
    assert net.loss_on(plan.valid) == pytest.approx(losses[best], rel=1e-5)


class Breaks(Callback):
    """Makes the training loss of the last epoch but one infinite, after its steps."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 4:
            record = net.record_training
            net.record_training = lambda losses, *args: record(np.full_like(losses, np.inf), *args)


@pytest.mark.filterwarnings("ignore:The loss of:RuntimeWarning")
def test_an_epoch_that_broke_is_not_averaged(make_plan):
    settings = {"patience": 20, "lr": 0.05, "ema_decay": None, "calibrate": False}
    whole = train_alone(make_ready(make_plan(max_epochs=3, **settings)))
    broken = train_alone(make_ready(make_plan(max_epochs=6, callbacks=[Breaks()], **settings)))
    assert len(broken.history) == 4
    for name, value in whole.module_.state_dict().items():
        assert torch.equal(value, broken.module_.state_dict()[name]), name


def test_what_goes_on_on_other_rows_begins_its_mean_anew(make_plan):
    settings = {"patience": 9, "max_epochs": 8, "lr": 0.3, "calibrate": False}
    before = train_alone(make_ready(make_plan(**settings)))
    assert before.resume_.kept.n_epochs > 1
    plan = make_plan(before=before, **settings)
    same = make_ready(plan).net
    same.open_training(plan.train, plan.valid)
    assert same.run_.kept.n_epochs == before.resume_.kept.n_epochs
    assert same.run_.kept.mean is not before.resume_.kept.mean
    other = make_ready(plan).net
    other.open_training(plan.train, plan.train)
    assert (other.run_.kept.n_epochs, other.run_.kept.epoch) == (1, 8)
    assert other.run_.kept.loss == other.run_.start.loss > 0
