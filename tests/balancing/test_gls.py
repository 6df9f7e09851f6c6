"""The geometric mean of the losses, as Chennupati et al. (2019) have it."""

import numpy as np
import pytest
import torch

from sklearn_mtl.balancing import GLS

LOSSES = np.array([0.7, 1.3, 0.2])


def rates_of(losses, weights=None):
    losses = torch.as_tensor(losses).double()
    weights = torch.ones_like(losses) if weights is None else torch.as_tensor(weights).double()
    return GLS().fresh(len(losses)).double().differentiate(losses, weights)


def test_the_papers_objective_times_the_number_of_tasks():
    total, rates = rates_of(LOSSES)
    mean = LOSSES.prod() ** (1 / 3)
    assert float(total) == pytest.approx(3 * mean)
    np.testing.assert_allclose(rates.numpy(), 3 * mean / (3 * LOSSES))


def test_torchjd_has_the_same_gradient_by_the_number_of_tasks():
    scalarization = pytest.importorskip("torchjd.scalarization")
    losses = torch.tensor(LOSSES, requires_grad=True)
    scalarization.GeometricMean()(losses).backward()
    torch.testing.assert_close(rates_of(LOSSES)[1], 3 * losses.grad)


def test_a_task_that_takes_no_part_is_not_in_the_mean():
    _, of_two = rates_of(LOSSES[:2])
    for absent in (0.0, 7.0):
        _, found = rates_of([*LOSSES[:2], absent], [1, 1, 0])
        torch.testing.assert_close(found, torch.cat([of_two, torch.zeros(1).double()]))
    assert rates_of(LOSSES, [0, 0, 0])[1].tolist() == [0, 0, 0]


def test_the_users_weight_multiplies():
    weights = torch.tensor([2.0, 1.0, 0.5]).double()
    torch.testing.assert_close(rates_of(LOSSES, weights)[1], weights * rates_of(LOSSES)[1])


@pytest.mark.parametrize("losses", [[0.0, 0.0], [0.0, 1.0], [1e30, 1.0], [-0.5, 1.0]])
def test_finite_and_pulling_on_zero_huge_and_negative_losses(losses):
    _, rates = rates_of(losses)
    assert rates.isfinite().all()
    assert (rates > 0).all()
