"""Smooth Tchebycheff scalarization against Lin et al. (2024)."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.balancing import STCH

LOSSES = np.array([0.7, 1.3, 0.2])
IDEAL = {"a": 0.1, "c": 0.15}


def made(mu=0.1, reference=None):
    balancer = STCH(mu, reference).fresh(3)
    balancer.note_tasks([SimpleNamespace(name=name) for name in "abc"])
    return balancer.double()


def rates_of(balancer, losses=LOSSES, weights=(1.0, 1.0, 1.0)):
    return balancer.weigh(torch.tensor(losses).double(), torch.tensor(weights).double())


@pytest.mark.parametrize("mu", [0.01, 0.1, 1.0])
def test_the_papers_gradient_times_the_square_of_the_number_of_tasks(mu):
    distance = (LOSSES - np.array([0.1, 0.0, 0.15])) / 3 / mu
    gradient = np.exp(distance) / np.exp(distance).sum() / 3
    np.testing.assert_allclose(rates_of(made(mu, IDEAL)).numpy(), 9 * gradient, rtol=1e-5)


@pytest.mark.parametrize("mu", [0.01, 0.1, 1.0])
def test_torchjd_has_the_same_gradient_by_the_square_of_the_number_of_tasks(mu):
    scalarization = pytest.importorskip("torchjd.scalarization")
    losses = torch.tensor(LOSSES, requires_grad=True)
    scalarization.STCH(mu, reference=torch.tensor([0.1, 0.0, 0.15]).double())(losses).backward()
    torch.testing.assert_close(rates_of(made(mu, IDEAL)), 9 * losses.grad, rtol=1e-5, atol=1e-8)


def test_a_task_that_takes_no_part_is_not_in_the_sum():
    expected = STCH().fresh(2).double().weigh(torch.tensor(LOSSES[:2]), torch.ones(2).double())
    found = rates_of(made(), weights=(1.0, 2.0, 0.0))
    torch.testing.assert_close(found, torch.stack([expected[0], 2 * expected[1], torch.zeros(()).double()]))
    assert rates_of(made(), weights=(0.0, 0.0, 0.0)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("losses", [[0.0, 0.0, 0.0], [1e30, 1.0, 0.0], [-5.0, 1.0, 1.0]])
def test_finite_on_zero_huge_and_negative_losses(losses):
    rates = rates_of(made(), losses)
    assert rates.isfinite().all()
    assert float(rates.sum()) == pytest.approx(3.0)


def test_bad_parameters():
    X = np.random.default_rng(0).normal(size=(30, 2))
    Y = {"a": X[:, 0], "b": X[:, 1]}
    est = MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=1)
    for balancing, message in (
        (STCH(mu=0), r"`mu` of STCH must be a number above 0\. Found 0\."),
        (STCH(reference={"d": 0.1}), r"Found unknown tasks \['d'\]; the tasks are \['a', 'b'\]\."),
        (STCH(reference={"a": "x"}), r"must be a mapping from names of tasks to finite numbers\. Found"),
        (STCH(reference=[0.1, 0.2]), r"must be a mapping from names of tasks to finite numbers\. Found \[0"),
    ):
        with pytest.raises(ValueError, match=message):
            est.set_params(balancing=balancing).fit(X, Y)


def test_a_fold_without_a_task_has_no_reference_for_it():
    assert STCH(0.2, IDEAL).without(["a"]).get_params() == {"mu": 0.2, "reference": {"c": 0.15}}
    plain = STCH()
    assert plain.without(["a"]) is plain
