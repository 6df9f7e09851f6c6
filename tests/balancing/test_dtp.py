"""Dynamic task prioritization against Guo et al. (2018)."""

import numpy as np
import pytest
import torch

from sklearn_mtl.balancing import DTP

EPOCHS = np.array([[0.9, 0.5, 0.3], [0.7, 0.5, 0.1], [0.6, 0.1, 0.05]])


def after(epochs, **params):
    balancer = DTP(**params).fresh(3).double()
    for losses in epochs:
        balancer.end_epoch(torch.tensor(losses).double())
    return balancer


def weights_of(balancer, weights=(1.0, 1.0, 1.0)):
    return balancer.weigh(torch.ones(3).double(), torch.tensor(weights).double()).numpy()


@pytest.mark.parametrize(("gamma", "alpha"), [(1.0, 0.5), (2.0, 0.1), (0.0, 1.0)])
def test_the_papers_weights(gamma, alpha):
    average = 1 - EPOCHS[0]
    for losses in EPOCHS[1:]:
        average = alpha * (1 - losses) + (1 - alpha) * average
    expected = -((1 - average) ** gamma) * np.log(average)
    np.testing.assert_allclose(weights_of(after(EPOCHS, gamma=gamma, alpha=alpha)), expected)
    weighted = weights_of(after(EPOCHS, gamma=gamma, alpha=alpha), (2.0, 0.0, 0.5))
    np.testing.assert_allclose(weighted, [2.0, 0.0, 0.5] * expected)


def test_nothing_is_known_in_the_first_epoch():
    assert weights_of(after([]), (2.0, 0.0, 0.5)).tolist() == [2.0, 0.0, 0.5]


def test_a_task_without_a_label_in_an_epoch_stays_as_it_is():
    balancer = after([[0.5, np.nan, 0.5], [0.4, np.nan, np.nan]])
    assert balancer.priority[1] == 1.0
    assert balancer.priority[2] == after([[0.5, 0.5, 0.5]]).priority[2]
    balancer.end_epoch(torch.tensor([0.4, 0.5, 0.5]).double())
    assert balancer.performance[1] == 0.5


def test_finite_on_zero_huge_and_negative_losses():
    found = weights_of(after([[0.0, 1e30, -0.5], [0.0, np.inf, -3.0]]))
    np.testing.assert_allclose(found, [0.0, 0.99 * -np.log(0.01), 0.0], atol=1e-12)


@pytest.mark.parametrize(
    ("params", "rule"), [({"gamma": -1}, "of at least 0"), ({"alpha": 0}, "above 0 and of at most 1")]
)
def test_bad_parameters(params, rule):
    with pytest.raises(ValueError, match=f"of DTP must be a number {rule}"):
        DTP(**params).fresh(2)
