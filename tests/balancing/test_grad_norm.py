"""GradNorm: the equations of its paper on small tensors, and a network of several layers."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.balancing import BALANCERS, GradNorm
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.tasks import Regression
from sklearn_mtl.trunks import MLP, TabM
from tests.balancing.test_task_gradients import given as given_losses


def fresh(n_tasks=3, **params):
    return GradNorm(**params).fresh(n_tasks).double()


def tensor(numbers):
    return torch.tensor(numbers, dtype=torch.float64)


GRADIENTS = tensor([[3.0, 4.0], [0.6, -0.8], [0.0, 2.0]])
NORMS = np.array([5.0, 1.0, 2.0])


def step(balancer, gradients, losses, weights, rate=0.1):
    """What a step of plain gradient descent makes of the weights; return those that were used."""
    used = balancer(gradients, losses, weights)
    with torch.no_grad():
        balancer.weight -= rate * balancer.weight.grad
    return used.numpy()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.5])
def test_algorithm_1(alpha):
    balancer, w = fresh(alpha=alpha), np.ones(3)
    first = np.array([1.0, 0.8, 1.2])
    for losses in (first, np.array([0.5, 0.7, 1.2]), np.array([0.3, 0.7, 0.1])):
        used = step(balancer, GRADIENTS, tensor(losses), torch.ones(3, dtype=torch.float64))
        np.testing.assert_allclose(used, w, rtol=1e-12)
        # Norms, relative inverse training rates, the derivative of the L1 loss, renormalization.
        norms = w * NORMS
        pace = losses / first
        target = norms.mean() * (pace / pace.mean()) ** alpha
        w = w - 0.1 * np.sign(norms - target) * NORMS
        w = np.maximum(w, 1e-3)
        w = 3 * w / w.sum()


def test_weights_bring_norms_together():
    balancer = fresh(alpha=0.0)
    for number in range(3000):
        used = step(balancer, GRADIENTS, tensor([1.0, 1.0, 1.0]), tensor([1.0, 1.0, 1.0]), 0.1 / (1 + number))
    norms = used * NORMS
    np.testing.assert_allclose(norms, norms.mean(), rtol=1e-2)
    assert used.sum() == pytest.approx(3)


def test_a_task_that_trains_slowly_is_given_more():
    balancer, ones = fresh(2, alpha=1.5), tensor([1.0, 1.0])
    alike = torch.eye(2, dtype=torch.float64)
    step(balancer, alike, tensor([1.0, 1.0]), ones)
    step(balancer, alike, tensor([0.1, 0.9]), ones)
    used = step(balancer, alike, tensor([0.1, 0.9]), ones)
    assert used[1] > 1 > used[0]


def test_a_task_of_weight_0_takes_no_part():
    balancer, other = fresh(3), fresh(2)
    for losses in ([1.0, 9.0, 0.5], [0.7, 1e3, 0.4], [0.2, 0.0, 0.4]):
        used = step(balancer, GRADIENTS, tensor(losses), tensor([1.0, 0.0, 1.0]))
        two = step(other, GRADIENTS[[0, 2]], tensor(losses)[[0, 2]], tensor([1.0, 1.0]))
        assert used[1] == 0
        # The third weight, which nothing moves, has a share of the sum but not of the ratio of the others.
        assert used.sum() == pytest.approx(2)
        assert (used[0] - 1) * (two[0] - 1) >= 0
    assert balancer.first.isnan().tolist() == [False, True, False]
    assert balancer.weight.grad[1] == 0


def test_first_losses_are_those_of_the_first_batch_with_a_label():
    balancer = fresh(2)
    step(balancer, torch.eye(2).double(), tensor([0.9, 0.0]), tensor([1.0, 0.0]))
    step(balancer, torch.eye(2).double(), tensor([0.8, 1.1]), tensor([1.0, 1.0]))
    step(balancer, torch.eye(2).double(), tensor([0.7, 1.0]), tensor([1.0, 1.0]))
    assert balancer.first.tolist() == [0.9, 1.1]


@pytest.mark.parametrize("losses", [[0.0, 0.0], [1e30, 1e-30], [0.0, 1.0], [-1.0, 1.0]], ids=str)
@pytest.mark.parametrize("gradients", [[[0.0], [0.0]], [[1e18], [1e-18]]], ids=str)
def test_zero_and_huge_losses_are_finite(losses, gradients):
    balancer = GradNorm().fresh(2)
    for _ in range(5):
        used = step(balancer, torch.tensor(gradients), torch.tensor(losses), torch.ones(2))
        assert np.isfinite(used).all()
        assert (used > 0).all()
        assert used.sum() == pytest.approx(2, rel=1e-5)


def test_weights_do_not_fall_below_0():
    balancer = fresh(2, alpha=0.0)
    for _ in range(50):
        used = step(balancer, tensor([[100.0], [0.01]]), tensor([1.0, 1.0]), tensor([1.0, 1.0]), rate=1.0)
        assert (used > 0).all()


def test_one_task_is_the_plain_sum():
    balancer, x = fresh(1), nn.Parameter(tensor([3.0]))
    total = balancer.backward(given_losses(x**2), tensor([0.5]), None, [x])
    assert total.item() == 4.5
    assert x.grad.item() == 3.0


def test_users_weights_multiply_the_learned_ones():
    found = []
    for weights in (tensor([1.0, 1.0]), tensor([2.0, 0.5])):
        torch.manual_seed(0)
        balancer = fresh(2)
        balancer.weight.data = tensor([0.4, 1.6])
        trunk, heads = nn.Linear(3, 3).double(), nn.ModuleList(nn.Linear(3, 1).double() for _ in range(2))
        hidden = trunk(torch.linspace(-1, 1, 12).view(4, 3).double())
        losses = torch.stack([head(hidden).square().mean() for head in heads])
        balancer.backward(given_losses(losses), weights, None, list(trunk.parameters()))
        found.append([head.weight.grad for head in heads] + [balancer.weight.grad])
    torch.testing.assert_close(found[1][0], 2 * found[0][0])
    torch.testing.assert_close(found[1][1], 0.5 * found[0][1])
    # What it learns does not depend on them.
    torch.testing.assert_close(found[1][2], found[0][2])


def test_permuting_the_tasks_permutes_the_weights():
    order, ones = [2, 0, 1], torch.ones(3, dtype=torch.float64)
    one, other = fresh(), fresh()
    for losses in (tensor([1.0, 0.5, 0.7]), tensor([0.2, 0.5, 0.6]), tensor([0.1, 0.1, 0.6])):
        used = step(one, GRADIENTS, losses, ones)
        again = step(other, GRADIENTS[order], losses[order], ones)
        np.testing.assert_allclose(again, used[order], rtol=1e-12)


# In a fit.


@pytest.fixture(scope="module")
def data():
    return make_multitask(80, 4, n_regression=2, n_binary=1, n_factors=2, missing_labels=0.3, random_state=0)


def make(**params):
    settings = {"trunk": MLP((6, 5)), "n_bags": 1, "max_epochs": 3, "lr": 0.01, "batch_size": 16}
    return MultiTaskClassifierRegressor(random_state=0, **{"balancing": GradNorm(), **settings, **params})


@pytest.mark.parametrize(
    "trunk", [MLP((6, 5)), TabM((6, 5), members=2)], ids=lambda trunk: type(trunk).__name__
)
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_weights_of_a_fit_sum_to_the_number_of_tasks(trunk, precision, data):
    est = make(trunk=trunk, precision=precision).fit(*data)
    weights = est.history_.filter(like="weight_").to_numpy()
    np.testing.assert_allclose(weights.sum(axis=1), 3, rtol=1e-5)
    assert (weights[-1] != 1).all()
    assert np.isfinite(est.score_tasks(*data)).all()


def test_it_looks_at_the_last_layer_alone(data):
    seen = []

    class Noting(GradNorm):
        def forward(self, gradients, losses, weights):
            seen.append(gradients.shape[1])
            return super().forward(gradients, losses, weights)

    make(balancing=Noting(), max_epochs=1).fit(*data)
    assert set(seen) == {6 * 5 + 5}


def test_the_rate_is_its_own_and_not_decayed(data):
    est = make(balancing=GradNorm(lr=0.5), weight_decay=0.3, lr_schedule=None).fit(*data)
    group = est.net_.optimizer_.param_groups[-1]
    assert (group["lr"], group["weight_decay"]) == (0.5, 0.0)
    assert [id(one) for one in group["params"]] == [id(est.net_.criterion_.balancer.weight)]


@pytest.mark.parametrize("params", [{"sharing": "separate"}, {"trunk": MLP(())}], ids=str)
def test_where_nothing_is_shared_it_is_refused(params, data):
    with pytest.raises(ValueError, match=r"`balancing` .*GradNorm.* Found none"):
        make(**params).fit(*data)


@pytest.mark.parametrize(
    ("params", "rule"),
    [
        ({"alpha": -1}, "`alpha` of GradNorm must be a number of at least 0. Found -1"),
        ({"alpha": "1"}, "`alpha` of GradNorm must be a number"),
        ({"lr": 0}, "`lr` of GradNorm must be a number above 0. Found 0"),
        ({"lr": float("nan")}, "`lr` of GradNorm must be a number above 0. Found nan"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(params, rule, data):
    with pytest.raises(ValueError, match=rule):
        make(balancing=GradNorm(**params)).fit(*data)


def test_its_short_name():
    assert BALANCERS["gradnorm"] is GradNorm


def test_a_large_task_does_not_drown_the_others():
    """Two tasks of which one has losses, and gradients, 20 times as large: the norms come together."""
    X, Y = make_multitask(400, 6, n_regression=2, n_factors=2, random_state=0)

    class Norms(GradNorm):
        def forward(self, gradients, losses, weights):
            used = super().forward(gradients * scale[:, None], losses, weights)
            noted.append((used * gradients.norm(dim=1) * scale).numpy())
            return used

    scale, noted = torch.tensor([20.0, 1.0]), []
    tasks = {name: Regression() for name in Y}
    MultiTaskRegressor(
        tasks=tasks,
        balancing=Norms(alpha=0.0),
        trunk=MLP((16,)),
        n_bags=1,
        max_epochs=15,
        batch_size=32,
        early_stopping=False,
        linear_blend=False,
        lr_schedule=None,
        random_state=0,
    ).fit(X, Y)
    first, last = (np.mean(part, axis=0) for part in (noted[:10], noted[-60:]))
    assert first[0] > 8 * first[1]
    assert last[0] < 2.5 * last[1]
