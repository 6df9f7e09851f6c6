"""Steps that are replayed come to what they come to when each is made as it comes."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, Checkpoint
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.data import Batch, PendingBatch
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.training.capture import of_net, replayed

SETTINGS = {
    "default": {},
    "mlp": {"trunk": "mlp", "weight_decay": 0.1},
    "clipped": {"trunk": "mlp", "gradient_clip": 0.5},
    "cosine": {"trunk": "mlp", "lr_schedule": "cosine", "ema_decay": None},
    "mixup": {"trunk": "mlp", "augmentation": "mixup"},
    "weights of rows": {"trunk": "mlp", "sampler": "task_balanced"},
    "mmoe": {"trunk": "mlp", "sharing": "mmoe"},
    "cross_stitch": {"trunk": "mlp", "sharing": "cross_stitch"},
    "separate": {"trunk": "mlp", "sharing": "separate"},
    "soft": {"trunk": "mlp", "sharing": "soft"},
}


@pytest.fixture(scope="module")
def data():
    return make_multitask(
        170, 6, n_regression=1, n_binary=1, n_multiclass=1, missing_labels=0.1, random_state=0
    )


def fitted(data, n_bags=1, **settings):
    told = {"max_epochs": 4, "batch_size": 16, "linear_blend": False, "random_state": 0, "device": "cpu"}
    return MultiTaskClassifierRegressor(n_bags=n_bags, **{**told, **settings}).fit(*data)


def same(one, other):
    np.testing.assert_allclose(
        one.history_.to_numpy(float), other.history_.to_numpy(float), rtol=2e-4, atol=1e-5
    )


@pytest.mark.parametrize("n_bags", [1, 5], ids=["alone", "stacked"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_same_losses(data, settings, n_bags, request):
    expected = fitted(data, n_bags, **settings)
    tapes = request.getfixturevalue("tapes")
    found = fitted(data, n_bags, **settings)
    assert tapes[0].replays > 20
    same(found, expected)


@pytest.mark.parametrize("n_bags", [1, 5], ids=["alone", "stacked"])
@pytest.mark.parametrize("balancer", sorted(of_net.BALANCERS, key=lambda one: one.__name__))
def test_every_balancer_that_is_said_to_be_safe(data, balancer, n_bags, request):
    balancing = (
        balancer({"binary0": [0.5, 1.0, 2.0]}) if balancer.__name__ == "WeightSchedule" else balancer()
    )
    expected = fitted(data, n_bags, trunk="mlp", balancing=balancing)
    tapes = request.getfixturevalue("tapes")
    same(fitted(data, n_bags, trunk="mlp", balancing=balancing), expected)
    assert sum(tape.replays for tape in tapes) > 20


def test_nets_leave_a_stack(data, request):
    settings = {"trunk": "mlp", "max_epochs": 40, "patience": 2, "lr": 0.02}
    expected = fitted(data, 6, **settings)
    assert len(set(expected.history_.groupby("bag").size())) > 1
    tapes = request.getfixturevalue("tapes")
    same(fitted(data, 6, **settings), expected)
    # What was recorded of all is of no use for those that are left.
    assert len(tapes) > 1


def test_training_goes_on(data, request):
    def two_fits():
        est = MultiTaskClassifierRegressor(
            trunk="mlp",
            n_bags=1,
            max_epochs=3,
            batch_size=16,
            warm_start=True,
            linear_blend=False,
            random_state=0,
            device="cpu",
        )
        return est.fit(*data).set_params(max_epochs=6).fit(*data)

    expected = two_fits()
    tapes = request.getfixturevalue("tapes")
    same(two_fits(), expected)
    assert len(tapes) > 1


def test_few_steps_are_not_worth_a_recording(data, tapes):
    fitted(data, trunk="mlp", max_epochs=1)
    assert tapes == []


class Own(StaticWeights):
    pass


class Ramp(nn.Module):
    def forward(self, x):
        return x.relu()


class Watching(Callback):
    def on_epoch_end(self, net, **kwargs):
        net.criterion_.weights.mul_(1)


class WatchingSteps(Callback):
    def on_batch_end(self, net, **kwargs):
        assert "loss" in kwargs or not kwargs["training"]


REASONS = {
    "optimizer": ({"optimizer": "sgd"}, "the optimizer is SGD"),
    "float64": ({"precision": "float64"}, "weights are of float64"),
    "conflict": ({"gradient_conflict": 2}, "`gradient_conflict` looks into steps"),
    "callback": ({"callbacks": [Watching()]}, "a callback is of your own"),
    "steps": ({"callbacks": [WatchingSteps()]}, "a callback listens to steps"),
    "balancer": ({"balancing": Own()}, "Own is not known to do the same in every step"),
    "gradients": ({"balancing": "pcgrad"}, "PCGrad is not known"),
    "module": ({"trunk": nn.Sequential(nn.Linear(6, 8), Ramp())}, "is not known to do the same"),
}


@pytest.mark.parametrize("n_bags", [1, 4], ids=["alone", "stacked"])
@pytest.mark.parametrize(("settings", "reason"), REASONS.values(), ids=REASONS)
def test_what_is_not_known_to_be_safe_is_made_as_it_comes(data, tapes, capsys, settings, reason, n_bags):
    fitted(data, n_bags, **{"trunk": "mlp", **settings}, verbose=1)
    assert tapes == []
    assert reason in capsys.readouterr().out


def test_a_step_that_cannot_be_recorded_is_made_as_it_comes(data, monkeypatch, tapes):
    expected, attempts = fitted(data, trunk="mlp"), []

    def fails(device):
        attempts.append(device)
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(replayed, "recording_on", fails)
    same(fitted(data, trunk="mlp"), expected)
    assert len(attempts) == 1


def test_a_net_can_be_copied_and_pickled_meanwhile(data, tapes, tmp_path):
    checkpoint = Checkpoint(dirname=tmp_path, f_pickle="net.pkl", monitor=None)
    est = fitted(data, trunk="mlp", callbacks=[checkpoint])
    assert tapes
    assert next(tmp_path.glob("*net.pkl")).stat().st_size > 0
    pickle.loads(pickle.dumps(deepcopy(est)))


def test_what_a_callback_puts_in_place_is_read(data, request):
    expected = fitted(data, trunk="mlp", callbacks=[_Reload()])
    tapes = request.getfixturevalue("tapes")
    same(fitted(data, trunk="mlp", callbacks=[_Reload()]), expected)
    assert len(tapes) > 1


class _Reload(Callback):
    """Puts other tensors in the place of those that a recording reads."""

    __module__ = "skorch.callbacks"

    def on_epoch_end(self, net, **kwargs):
        net.optimizer_.load_state_dict(deepcopy(net.optimizer_.state_dict()))
        for parameter in net.module_.parameters():
            parameter.data = parameter.data.clone()


def test_each_size_of_batches_has_a_recording(tapes):
    made = []

    def whole_step(batch, masks, rates):
        made.append(batch.n_rows)
        return batch.y.sum(0) * rates[0], batch.weight.sum(0)

    steps = replayed.ReplayedSteps(whole_step, lambda: None, torch.device("cpu"))
    steps.begin_epoch([4, 4, 3], 15)
    for rate in range(1, 20):
        n_rows = 3 if rate % 5 == 0 else 4
        weight = torch.ones(n_rows, 1).expand(-1, 3)
        batch = PendingBatch.of(Batch({"x": torch.ones(n_rows, 2)}, torch.ones(n_rows, 3), weight))
        found, mass = steps(batch, (), [float(rate)])
        assert found.tolist() == [n_rows * rate] * 3
        assert mass.tolist() == [n_rows] * 3
    # Three are made before one is recorded, which on a CPU is made meanwhile, and undone.
    assert made == [4, 4, 4, 4, 3]
    assert len(tapes) == 2
