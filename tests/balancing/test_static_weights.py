"""The weighted sum."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sklearn_mtl.balancing import StaticWeights


def given(losses):
    """What a balancer is given for losses with a graph."""
    values = losses.detach()
    return SimpleNamespace(
        raw=losses, values=values, mass=torch.ones_like(values), gradient=lambda rates: rates
    )


def test_loss_is_the_weighted_sum():
    losses = torch.tensor([0.7, 1.3, 0.2])
    assert float(StaticWeights()(losses, torch.tensor([2.0, 1.0, 0.5]))) == pytest.approx(2.8)


def test_weight_zero_leaves_every_gradient_to_the_other_tasks():
    x = torch.linspace(-1, 1, 20).view(5, 4)
    found = []
    for scale in (1.0, 1e6):
        torch.manual_seed(0)
        trunk, heads = nn.Linear(4, 3), nn.ModuleList(nn.Linear(3, 1) for _ in range(2))
        hidden = trunk(x)
        losses = torch.stack([heads[0](hidden).square().mean(), scale * heads[1](hidden).exp().mean()])
        shared = list(trunk.parameters())
        StaticWeights().fresh(2).backward(given(losses), torch.tensor([1.0, 0.0]), None, shared)
        assert all((weights.grad == 0).all() for weights in heads[1].parameters())
        found.append([weights.grad for weights in (*trunk.parameters(), *heads[0].parameters())])
    for first, second in zip(*found, strict=True):
        assert (first != 0).any()
        torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_permuting_tasks_changes_nothing():
    losses, weights, order = torch.rand(6), torch.rand(6), torch.randperm(6)
    torch.testing.assert_close(
        StaticWeights()(losses[order], weights[order]), StaticWeights()(losses, weights)
    )


def test_gradient_is_the_weight():
    losses = torch.tensor([0.7, 1.3], requires_grad=True)
    weights = torch.tensor([2.0, 0.5])
    total = StaticWeights().fresh(2).backward(given(losses), weights, losses.sum(), [])
    assert losses.grad.tolist() == [3.0, 1.5]
    assert total.item() == pytest.approx(2 * 0.7 + 0.5 * 1.3 + 2.0)


def test_subclass_is_asked_for_its_own_sum():
    class Squared(StaticWeights):
        def forward(self, losses, weights):
            return losses**2 @ weights

    losses, weights = torch.tensor([0.7, 1.3]), torch.tensor([2.0, 0.5])
    _, rates = Squared().fresh(2).differentiate(losses, weights)
    torch.testing.assert_close(rates, 2 * losses * weights)
