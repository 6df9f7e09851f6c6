import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.training.averaging import WeightAverage, snapshot
from sklearn_mtl.trunks import MLP


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_the_average_follows_the_formula(decay):
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(1.0)
    average, expected = WeightAverage(module, decay), 1.0
    for step in range(200):
        value = float(np.sin(step))
        module.weight.data.fill_(value)
        average.update()
        rate = min(decay, (1 + step) / (10 + step))
        expected = rate * expected + (1 - rate) * value
        assert float(average.module.weight) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_the_average_is_a_copy_that_is_not_trained():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    average = WeightAverage(module, 0.9)
    assert not average.module.training
    assert not any(parameter.requires_grad for parameter in average.module.parameters())
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    average.update()
    module[0].weight.data.fill_(7.0)
    assert (average.module[0].weight != 7.0).all()


def test_buffers_are_copied_not_averaged():
    module = nn.BatchNorm1d(3)
    average = WeightAverage(module, 0.99)
    module(torch.randn(8, 3))
    average.update()
    for ours, theirs in zip(average.module.buffers(), module.buffers(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_snapshot_does_not_follow_the_module():
    module = nn.Linear(2, 2)
    taken = snapshot(module)
    before = module.weight.detach().clone()
    module.weight.data.zero_()
    assert torch.equal(taken["weight"], before)


def test_a_decay_of_zero_is_no_average():
    X, Y = make_multitask(n_samples=60, n_features=4, n_factors=2, random_state=0)
    y = Y["regression0"]
    settings = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 3, "random_state": 0}
    predictions = {
        decay: MultiTaskRegressor(ema_decay=decay, **settings).fit(X, y).predict(X)
        for decay in (None, 0.0, 0.9)
    }
    np.testing.assert_allclose(predictions[None], predictions[0.0], rtol=1e-6)
    assert (predictions[None] != predictions[0.9]).any()
