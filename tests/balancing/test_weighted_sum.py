"""Weighted sums whose weights are computed."""

import numpy as np
import pytest
import torch

from sklearn_mtl.balancing import WeightedSum
from sklearn_mtl.balancing.weighted_sum import softmax_weights


class Squares(WeightedSum):
    """Weighs each loss by itself."""

    def weigh(self, losses, weights):
        return weights * losses


def test_weights_count_as_constants():
    losses, weights = torch.tensor([0.5, 2.0]), torch.tensor([1.0, 3.0])
    balancer = Squares().fresh(2)
    total, rates = balancer.differentiate(losses, weights)
    assert float(total) == pytest.approx(0.25 + 12)
    assert rates.tolist() == [0.5, 6.0]
    leaf = losses.clone().requires_grad_()
    balancer(leaf, weights).backward()
    assert torch.equal(leaf.grad, rates)


def test_several_networks_have_each_its_own():
    losses, weights = torch.rand(3, 2), torch.rand(3, 2)
    total, rates = Squares().fresh(2).differentiate(losses, weights)
    torch.testing.assert_close(rates, weights * losses)
    torch.testing.assert_close(total, (weights * losses**2).sum(1))


def test_softmax_over_the_tasks_that_take_part():
    logits, weights = torch.tensor([0.3, -1.0, 9.0]), torch.tensor([1.0, 2.0, 0.0])
    of_two = np.exp([0.3, -1.0]) / np.exp([0.3, -1.0]).sum()
    found = softmax_weights(logits, weights)
    np.testing.assert_allclose(found.numpy(), [2 * of_two[0], 4 * of_two[1], 0], rtol=1e-6)


def test_softmax_of_equal_logits_is_the_users_weights():
    weights = torch.tensor([0.5, 0.0, 7.0])
    torch.testing.assert_close(softmax_weights(torch.full((3,), 4.0), weights), weights)


def test_softmax_where_no_task_takes_part():
    assert softmax_weights(torch.tensor([1.0, 2.0]), torch.zeros(2)).tolist() == [0.0, 0.0]


def test_a_subclass_is_asked_for_its_own_sum():
    class Doubled(Squares):
        def forward(self, losses, weights):
            return 2 * super().forward(losses, weights)

    losses = torch.tensor([0.5, 2.0])
    _, rates = Doubled().fresh(2).differentiate(losses, torch.ones(2))
    torch.testing.assert_close(rates, 2 * losses)
