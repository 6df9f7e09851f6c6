"""Networks whose weights are the points of a simplex: what a point predicts, and what its corners learn."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.func import functional_call

from sklearn_mtl.network import ParetoManifold


class TwoLayers(nn.Module):
    """Stands for the network: two layers, of which the first may be frozen."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)
        self.register_buffer("raw_scale", torch.ones(2))

    def forward(self, x):
        return self.second(self.first(x).tanh())


@pytest.fixture
def manifold():
    """Three corners that lie apart."""
    torch.manual_seed(0)
    found = ParetoManifold(TwoLayers().double(), 3)
    with torch.no_grad():
        found.corners.add_(torch.randn_like(found.corners))
    return found


X = torch.linspace(-1, 1, 15, dtype=torch.float64).reshape(5, 3)


def weights_at(manifold, preference):
    """The weighted mean of the corners, by the names of the network's parameters."""
    parameters = dict(manifold.point.named_parameters())
    mean = sum(alpha * corner for alpha, corner in zip(preference, manifold.corners, strict=True))
    split = mean.split([parameter.numel() for parameter in parameters.values()])
    return {n: flat.view_as(p) for (n, p), flat in zip(parameters.items(), split, strict=True)}


def test_a_point_predicts_as_the_network_with_the_mean_weights(manifold):
    preference = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    expected = functional_call(manifold.point, weights_at(manifold, preference), (X,))
    torch.testing.assert_close(manifold.at(preference)(X), expected)
    manifold.train().preference.copy_(preference)
    torch.testing.assert_close(manifold(X), expected)
    third = torch.full((3,), 1 / 3, dtype=torch.float64)
    expected = functional_call(manifold.point, weights_at(manifold, third), (X,))
    torch.testing.assert_close(manifold.eval()(X), expected)


def test_corners_get_the_derivative_of_the_loss_at_the_point(manifold):
    preference = torch.tensor([0.1, 0.6, 0.3], dtype=torch.float64)
    loss = functional_call(deepcopy(manifold.point), weights_at(manifold, preference), (X,)).square().mean()
    (expected,) = torch.autograd.grad(loss, manifold.corners)
    manifold.train().preference.copy_(preference)
    manifold(X).square().mean().backward()
    manifold.pull_back()
    torch.testing.assert_close(manifold.corners.grad, expected)
    assert all(parameter.grad is None for parameter in manifold.point.parameters())


def test_another_order_of_the_tasks_is_another_order_of_the_corners(manifold):
    order = [2, 0, 1]
    other = deepcopy(manifold)
    with torch.no_grad():
        other.corners.copy_(manifold.corners[order])
    preference = torch.tensor([0.1, 0.6, 0.3], dtype=torch.float64)
    for of_one, alpha in ((manifold, preference), (other, preference[order])):
        of_one.train().preference.copy_(alpha)
        of_one(X).square().mean().backward()
        of_one.pull_back()
    torch.testing.assert_close(other.corners.grad, manifold.corners.grad[order])


def test_only_corners_are_parameters_and_frozen_weights_are_shared():
    network = TwoLayers()
    network.first.requires_grad_(requires_grad=False)
    frozen = network.first.weight.clone()
    found = ParetoManifold(network, 2)
    assert [name for name, _ in found.named_parameters()] == ["corners"]
    assert found.corners.shape == (2, 4 * 2 + 2)
    found.move_to(torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(found.point.first.weight, frozen)


def test_all_corners_begin_at_the_weights_of_the_network():
    network = TwoLayers()
    expected = network(X.float())
    found = ParetoManifold(network, 4)
    torch.testing.assert_close(found.at(torch.tensor([0.7, 0.1, 0.1, 0.1]))(X.float()), expected)


@pytest.mark.parametrize("n_corners", [2, 3, 4])
def test_preferences_are_spread_as_by_a_dirichlet_with_parameters_1(n_corners):
    found = ParetoManifold(TwoLayers().double(), n_corners)
    drawn = []
    for _ in range(600):
        found.draw_preference()
        drawn.append(found.preference.clone())
    drawn = torch.stack(drawn)
    assert drawn.min() >= 0
    torch.testing.assert_close(drawn.sum(1), torch.ones(600, dtype=torch.float64))
    of_task, covariance = 1 / n_corners, -1 / n_corners**2 / (n_corners + 1)
    expected = torch.full((n_corners,) * 2, covariance, dtype=torch.float64)
    expected.fill_diagonal_(-covariance * (n_corners - 1))
    torch.testing.assert_close(drawn.mean(0), torch.full_like(drawn[0], of_task), atol=0.01, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), expected, atol=0.005, rtol=0)


def test_a_single_corner_draws_nothing():
    network = TwoLayers()
    state = torch.get_rng_state()
    found = ParetoManifold(network, 1)
    found.draw_preference()
    assert found.preference.tolist() == [1.0]
    assert torch.equal(torch.get_rng_state(), state)
