"""IMTL-L against Liu et al. (2021)."""

import numpy as np
import pytest
import torch

from sklearn_mtl.balancing import IMTLL

LOSSES = np.array([0.7, 1.3, 0.2])
LOG_SCALE = np.array([0.4, -1.0, 2.0])


def made(log_scale=LOG_SCALE):
    balancer = IMTLL().fresh(3).double()
    balancer.log_scale.data.copy_(torch.tensor(-log_scale))
    return balancer


def test_the_papers_objective():
    total, rates = made().differentiate(torch.tensor(LOSSES), torch.ones(3).double())
    assert float(total) == pytest.approx((np.exp(LOG_SCALE) * LOSSES - LOG_SCALE).sum())
    np.testing.assert_allclose(rates.numpy(), np.exp(LOG_SCALE))


def test_torchjd_has_the_same():
    scalarization = pytest.importorskip("torchjd.scalarization")
    other = scalarization.IMTLL(3).double()
    other.log_scale.data.copy_(torch.tensor(LOG_SCALE))
    balancer = made()
    expected = other(torch.tensor(LOSSES))
    expected.backward()
    total, _ = balancer.differentiate(torch.tensor(LOSSES), torch.ones(3).double())
    torch.testing.assert_close(total, expected.detach())
    torch.testing.assert_close(balancer.log_scale.grad, -other.log_scale.grad)


def test_scales_go_to_where_all_scaled_losses_are_1():
    balancer = made(-np.log(LOSSES))
    balancer.differentiate(torch.tensor(LOSSES), torch.tensor([1.0, 5.0, 0.1]).double())
    torch.testing.assert_close(balancer.log_scale.grad, torch.zeros(3).double(), atol=1e-12, rtol=0)


def test_the_users_weight_multiplies_what_a_task_adds():
    weights = torch.tensor([2.0, 0.0, 0.5]).double()
    ones, weighted = made(), made()
    _, rates = ones.differentiate(torch.tensor(LOSSES), torch.ones(3).double())
    _, found = weighted.differentiate(torch.tensor(LOSSES), weights)
    torch.testing.assert_close(found, weights * rates)
    torch.testing.assert_close(weighted.log_scale.grad, weights * ones.log_scale.grad)


def test_a_learning_rate_of_its_own_without_decay():
    (own,) = IMTLL(lr=0.1).fresh(2).param_groups()
    assert (own["lr"], own["weight_decay"]) == (0.1, 0.0)
    with pytest.raises(ValueError, match=r"`lr` of IMTLL must be a number above 0\. Found 'x'\."):
        IMTLL(lr="x").fresh(2)
