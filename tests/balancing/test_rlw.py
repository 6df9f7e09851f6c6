"""Random loss weighting: what its weights are drawn from."""

import numpy as np
import pytest
import torch

from sklearn_mtl.balancing import RLW


def draws(distribution, n_steps=4000, weights=(1.0, 1.0, 1.0)):
    torch.manual_seed(0)
    balancer = RLW(distribution).fresh(len(weights))
    weights = torch.tensor(weights)
    return np.stack([balancer.weigh(torch.ones(len(weights)), weights).numpy() for _ in range(n_steps)])


def quantiles(sample):
    return np.quantile(sample, [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98], axis=0)


@pytest.mark.parametrize("distribution", ["normal", "dirichlet"])
def test_weights_are_of_the_distribution_that_is_asked_for(distribution):
    found = draws(distribution)
    rng = np.random.default_rng(0)
    if distribution == "normal":
        numbers = np.exp(rng.normal(size=(100_000, 3)))
        shares = numbers / numbers.sum(1, keepdims=True)
    else:
        shares = rng.dirichlet(np.ones(3), size=100_000)
    np.testing.assert_allclose(found.sum(1), 3.0, rtol=1e-5)
    np.testing.assert_allclose(quantiles(found), quantiles(3 * shares), atol=0.08)


@pytest.mark.parametrize("distribution", ["normal", "dirichlet"])
def test_draws_of_steps_and_tasks_have_nothing_to_do_with_each_other(distribution):
    found = draws(distribution)
    logs = np.log(found) - np.log(found).mean(1, keepdims=True)
    # Of three numbers less their mean, any two have the correlation -1/2; of two steps, none.
    same = np.corrcoef(logs.T)[np.triu_indices(3, 1)]
    np.testing.assert_allclose(same, -0.5, atol=0.06)
    np.testing.assert_allclose(np.corrcoef(logs[1:].T, logs[:-1].T)[:3, 3:], 0.0, atol=0.06)


def test_the_mean_is_the_users_weight_and_recorded():
    weights = (2.0, 0.5, 1.0)
    np.testing.assert_allclose(draws("normal", weights=weights).mean(0), weights, rtol=0.06)
    balancer, given = RLW().fresh(3), torch.tensor(weights)
    state = balancer.state.clone()
    assert balancer.effective_weights(torch.ones(3), given).tolist() == list(weights)
    assert torch.equal(balancer.state, state)


def test_a_task_that_takes_no_part_has_no_share():
    found = draws("normal", n_steps=50, weights=(1.0, 0.0, 1.0))
    assert (found[:, 1] == 0).all()
    np.testing.assert_allclose(found.sum(1), 2.0, rtol=1e-5)


def test_a_seed_decides():
    first, second = draws("normal", 5), draws("normal", 5)
    np.testing.assert_array_equal(first, second)
    torch.manual_seed(1)
    other = RLW().fresh(3).weigh(torch.ones(3), torch.ones(3)).numpy()
    assert (other != first[0]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("distribution", ["normal", "dirichlet"])
def test_the_largest_and_the_smallest_draw_are_finite(distribution, dtype, monkeypatch):
    balancer = RLW(distribution).fresh(2).to(dtype)
    # Nothing is added and multiplied: the state stays at its two ends.
    monkeypatch.setattr("sklearn_mtl.balancing.rlw.MULTIPLIER", 1)
    monkeypatch.setattr("sklearn_mtl.balancing.rlw.INCREMENT", 0)
    balancer.state.copy_(torch.tensor([-(2**63), 2**63 - 1]))
    found = balancer.weigh(torch.ones(2, dtype=dtype), torch.ones(2, dtype=dtype))
    assert found.isfinite().all()
    assert float(found.sum()) == pytest.approx(2.0)


@pytest.mark.parametrize("value", ["uniform", None, ["normal"]])
def test_bad_distribution(value):
    with pytest.raises(ValueError, match=r"`distribution` of RLW must be one of \['dirichlet', 'normal'\]"):
        RLW(value).fresh(2)
