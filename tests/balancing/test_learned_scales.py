"""Learned scales: what is written out is what automatic differentiation finds."""

import pytest
import torch

from sklearn_mtl.balancing import IMTLL, LossBalancer, UncertaintyWeighting


@pytest.mark.parametrize("make", [UncertaintyWeighting, IMTLL], ids=lambda make: make.__name__)
def test_derivatives_are_those_of_forward(make):
    found = []
    for differentiate in (make.differentiate, LossBalancer.differentiate):
        balancer = make().fresh(3).double()
        balancer.log_scale.data.copy_(torch.tensor([0.4, -1.0, 2.0]))
        balancer.factor.copy_(torch.tensor([0.5, 1.0, 2.0]))
        for losses in ([0.7, 1.3, 0.2], [0.5, 1.0, 0.0]):
            # The second adds to the gradient of the first.
            total, rates = differentiate(
                balancer, torch.tensor(losses).double(), torch.tensor([2.0, 1.0, 0.0]).double()
            )
        found.append([total, rates, balancer.log_scale.grad])
    torch.testing.assert_close(*found)


def test_a_subclass_is_asked_for_its_own_objective():
    class Squared(IMTLL):
        def forward(self, losses, weights):
            return super().forward(losses**2, weights)

    losses = torch.tensor([0.5, 2.0])
    _, rates = Squared().fresh(2).differentiate(losses, torch.ones(2))
    torch.testing.assert_close(rates, 2 * losses)
