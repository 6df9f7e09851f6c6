"""Uncertainty weighting against Kendall, Gal & Cipolla (2018)."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.balancing import UncertaintyWeighting
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.tasks import Classification, Regression

LOSSES = np.array([0.7, 1.3, 0.2])
LOG_VARIANCE = np.array([0.4, -1.0, 2.0])


def made(factors=(0.5, 0.5, 0.5), log_variance=LOG_VARIANCE):
    balancer = UncertaintyWeighting().fresh(len(factors)).double()
    balancer.factor.copy_(torch.tensor(factors))
    balancer.log_scale.data.copy_(torch.tensor(log_variance))
    return balancer


def test_the_papers_objective():
    # A regression has 1 / (2 σ²), a classification 1 / σ², both log σ.
    sigma = np.exp(LOG_VARIANCE / 2)
    expected = (np.array([0.5, 1.0, 0.5]) * LOSSES / sigma**2 + np.log(sigma)).sum()
    total, rates = made((0.5, 1.0, 0.5)).differentiate(torch.tensor(LOSSES), torch.ones(3).double())
    assert float(total) == pytest.approx(expected)
    np.testing.assert_allclose(rates.numpy(), np.array([0.5, 1.0, 0.5]) / sigma**2)


def test_torchjd_has_the_same_for_regressions():
    scalarization = pytest.importorskip("torchjd.scalarization")
    other = scalarization.UW(3).double()
    other.log_var.data.copy_(torch.tensor(LOG_VARIANCE))
    balancer, losses = made(), torch.tensor(LOSSES, requires_grad=True)
    expected = other(losses)
    expected.backward()
    total, rates = balancer.differentiate(torch.tensor(LOSSES), torch.ones(3).double())
    torch.testing.assert_close(total, expected.detach())
    torch.testing.assert_close(rates, losses.grad)
    torch.testing.assert_close(balancer.log_scale.grad, other.log_var.grad)


def test_where_the_variances_go_to():
    # The derivative in log σ² is 0 where σ² is 2 c L: L of a regression, 2 L of a classification.
    balancer = made((0.5, 1.0, 0.5), np.log([0.7, 2.6, 0.2]))
    balancer.differentiate(torch.tensor(LOSSES), torch.tensor([1.0, 5.0, 0.1]).double())
    torch.testing.assert_close(balancer.log_scale.grad, torch.zeros(3).double(), atol=1e-12, rtol=0)


def test_the_users_weight_multiplies_what_a_task_adds():
    weights = torch.tensor([2.0, 0.0, 0.5]).double()
    ones, weighted = made(), made()
    _, rates = ones.differentiate(torch.tensor(LOSSES), torch.ones(3).double())
    _, found = weighted.differentiate(torch.tensor(LOSSES), weights)
    torch.testing.assert_close(found, weights * rates)
    torch.testing.assert_close(weighted.log_scale.grad, weights * ones.log_scale.grad)


@pytest.mark.parametrize("losses", [[0.0, 0.0, 0.0], [1e30, 1.0, 0.0]])
def test_finite_on_zero_and_on_huge_losses(losses):
    balancer = made()
    total, rates = balancer.differentiate(torch.tensor(losses).double(), torch.ones(3).double())
    assert total.isfinite()
    assert rates.isfinite().all()
    assert balancer.log_scale.grad.isfinite().all()


def test_the_loss_of_a_task_tells_its_factor():
    X, Y = make_multitask(
        n_samples=60, n_features=3, n_regression=1, n_binary=1, n_multiclass=1, random_state=0
    )
    tasks = {"regression0": Regression("absolute_error"), "binary0": Classification("focal")}
    est = MultiTaskClassifierRegressor(
        tasks=tasks, trunk="mlp", balancing="uncertainty", n_bags=1, max_epochs=1, random_state=0
    ).fit(X, Y)
    factor = dict(zip(est.tasks_, est.net_.criterion_.balancer.factor.tolist(), strict=True))
    assert factor == {"regression0": 0.5, "binary0": 1.0, "multiclass0": 1.0}


def test_told_of_tasks():
    balancer = UncertaintyWeighting().fresh(2)
    balancer.note_tasks([SimpleNamespace(loss=SimpleNamespace(has_temperature=has)) for has in (True, False)])
    assert balancer.factor.tolist() == [1.0, 0.5]


def test_a_learning_rate_of_its_own_without_decay():
    (own,) = UncertaintyWeighting(lr=0.1).fresh(2).param_groups()
    (network,) = UncertaintyWeighting().fresh(2).param_groups()
    assert (own["lr"], own["weight_decay"], "lr" in network) == (0.1, 0.0, False)
    with pytest.raises(
        ValueError, match=r"`lr` of UncertaintyWeighting must be a number above 0\. Found 0\."
    ):
        UncertaintyWeighting(lr=0).fresh(2)
