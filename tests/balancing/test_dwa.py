"""Dynamic weight average against Liu, Johns & Davison (2019)."""

import numpy as np
import pytest
import torch

from sklearn_mtl.balancing import DWA

EPOCHS = np.array([[1.0, 1.0, 1.0], [0.5, 0.9, 1.1], [0.4, 0.3, 1.0]])


def after(epochs, temperature=2.0):
    balancer = DWA(temperature).fresh(3).double()
    for losses in epochs:
        balancer.end_epoch(torch.tensor(losses))
    return balancer


def weights_of(balancer, weights=(1.0, 1.0, 1.0)):
    return balancer.weigh(torch.ones(3).double(), torch.tensor(weights).double()).numpy()


@pytest.mark.parametrize("temperature", [0.5, 2.0])
@pytest.mark.parametrize("n_epochs", [2, 3])
def test_the_papers_weights(temperature, n_epochs):
    ratio = EPOCHS[n_epochs - 1] / EPOCHS[n_epochs - 2]
    expected = 3 * np.exp(ratio / temperature) / np.exp(ratio / temperature).sum()
    np.testing.assert_allclose(weights_of(after(EPOCHS[:n_epochs], temperature)), expected, rtol=1e-6)


@pytest.mark.parametrize("n_epochs", [0, 1])
def test_weights_are_1_before_there_are_two_epochs(n_epochs):
    np.testing.assert_allclose(weights_of(after(EPOCHS[:n_epochs])), 1.0)


def test_torchjd_has_the_same():
    scalarization = pytest.importorskip("torchjd.scalarization")
    other, balancer = scalarization.DWA(temperature=1.5), after([], 1.5)
    for losses in EPOCHS:
        found, _ = balancer.differentiate(torch.tensor(losses), torch.ones(3).double())
        torch.testing.assert_close(found, other(torch.tensor(losses)))
        other.step()
        balancer.end_epoch(torch.tensor(losses))


def test_a_task_that_takes_no_part_is_not_in_the_sum():
    ratio = (EPOCHS[1] / EPOCHS[0])[[0, 2]]
    expected = 2 * np.exp(ratio / 2) / np.exp(ratio / 2).sum()
    found = weights_of(after(EPOCHS[:2]), (1.0, 0.0, 3.0))
    np.testing.assert_allclose(found, [expected[0], 0, 3 * expected[1]], rtol=1e-6)


def test_a_task_without_a_label_in_an_epoch_keeps_its_ratio():
    balancer = after(EPOCHS[:2])
    before = balancer.ratio.clone()
    balancer.end_epoch(torch.tensor([0.4, np.nan, np.inf]).double())
    assert torch.equal(balancer.ratio[1:], before[1:])
    balancer.end_epoch(torch.tensor([0.4, 0.45, 1.1]).double())
    np.testing.assert_allclose(balancer.ratio.numpy(), [1.0, 0.5, 1.0], rtol=1e-6)


def test_losses_of_0_are_no_descent():
    balancer = after([[0.0, 1.0, 1e30], [0.0, 0.0, 1e30]])
    np.testing.assert_allclose(balancer.ratio.numpy(), [1, 0, 1], atol=1e-7)
    assert np.isfinite(weights_of(balancer)).all()


def test_bad_temperature():
    with pytest.raises(ValueError, match=r"`temperature` of DWA must be a number above 0\. Found 0\."):
        DWA(0).fresh(2)
