"""FAMO against Liu et al. (2023), and the code of its authors as TorchJD has it."""

import numpy as np
import pytest
import torch

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.balancing import FAMO

rng = np.random.default_rng(0)
BEFORE = rng.uniform(0.1, 1.5, (30, 3))
AFTER = BEFORE * rng.uniform(0.8, 1.05, (30, 3))


def stepped(balancer, n_steps=30, weights=(1.0, 1.0, 1.0)):
    weights = torch.tensor(weights).double()
    for before, after in zip(BEFORE[:n_steps], AFTER[:n_steps], strict=True):
        balancer.weigh(torch.tensor(before), weights)
        balancer.after_step(lambda after=after: torch.tensor(after))
    return balancer


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum()


def test_the_papers_weights():
    balancer = FAMO().fresh(3).double()
    logits = np.array([0.5, -1.0, 0.2])
    balancer.logits.copy_(torch.tensor(logits))
    shares = softmax(logits) / BEFORE[0]
    total, rates = balancer.differentiate(torch.tensor(BEFORE[0]), torch.ones(3).double())
    np.testing.assert_allclose(rates.numpy(), 3 * shares / shares.sum(), rtol=1e-6)
    assert float(total) == pytest.approx(rates.numpy() @ BEFORE[0])


def test_the_papers_step_of_the_logits_by_adam():
    lr, decay, logits, first, second = 0.1, 0.01, np.zeros(3), np.zeros(3), np.zeros(3)
    for step in range(30):
        fallen = np.log(BEFORE[step]) - np.log(AFTER[step])
        z = softmax(logits)
        slope = (np.diag(z) - np.outer(z, z)) @ fallen + decay * logits
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        unbiased = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
        logits = logits - lr * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    found = stepped(FAMO(lr, decay).fresh(3).double()).logits
    np.testing.assert_allclose(found.numpy(), logits, atol=1e-5)


def test_torchjd_has_the_same():
    scalarization = pytest.importorskip("torchjd.scalarization")
    other, balancer = scalarization.FAMO(3, lr=0.1, weight_decay=0.01).double(), FAMO(0.1, 0.01).fresh(3)
    balancer = balancer.double()
    for before, after in zip(BEFORE, AFTER, strict=True):
        losses = torch.tensor(before, requires_grad=True)
        other(losses).backward()
        _, rates = balancer.differentiate(torch.tensor(before), torch.ones(3).double())
        torch.testing.assert_close(rates, 3 * losses.grad)
        other.update(torch.tensor(after))
        balancer.after_step(lambda after=after: torch.tensor(after))


def test_tasks_that_take_no_part_stay_as_they_are():
    balancer = stepped(FAMO().fresh(3).double(), 10)
    before = {name: value.clone() for name, value in balancer.named_buffers()}
    stepped(balancer, 5, (1.0, 0.0, 2.0))
    for name in ("logits", "first", "second", "steps"):
        moved = getattr(balancer, name) != before[name]
        assert moved.tolist() == [True, False, True], name
    # The others move as if they were alone.
    alone = FAMO().fresh(2).double()
    for name in ("logits", "first", "second", "steps"):
        getattr(alone, name).copy_(before[name][[0, 2]])
    for before_, after in zip(BEFORE[:5], AFTER[:5], strict=True):
        alone.weigh(torch.tensor(before_[[0, 2]]), torch.ones(2).double())
        alone.after_step(lambda after=after: torch.tensor(after[[0, 2]]))
    torch.testing.assert_close(balancer.logits[[0, 2]], alone.logits)


def test_the_users_weight_multiplies():
    weights = torch.tensor([2.0, 1.0, 0.5]).double()
    balancer = stepped(FAMO().fresh(3).double())
    rates = [balancer.weigh(torch.tensor(BEFORE[0]), given) for given in (torch.ones(3).double(), weights)]
    torch.testing.assert_close(rates[1], weights * rates[0])


@pytest.mark.parametrize("losses", [[0.0, 0.0], [0.0, 1.0], [1e30, 1.0], [-0.5, 1.0]])
@pytest.mark.parametrize("weights", [[1.0, 1.0], [0.0, 0.0]])
def test_finite_on_zero_huge_and_negative_losses(losses, weights):
    balancer = FAMO().fresh(2)
    rates = balancer.weigh(torch.tensor(losses), torch.tensor(weights))
    balancer.after_step(lambda: torch.tensor(losses).flip(0))
    assert rates.isfinite().all()
    assert all(value.isfinite().all() for value in balancer.buffers())


def test_a_fit_raises_the_weight_of_what_falls_slowly():
    X = np.random.default_rng(0).normal(size=(200, 4))
    Y = {"easy": X[:, 0], "noise": np.random.default_rng(1).normal(size=200)}
    est = MultiTaskRegressor(
        trunk="mlp", balancing="famo", n_bags=1, max_epochs=5, lr=0.01, early_stopping=False, random_state=0
    ).fit(X, Y)
    easy, noise = est.net_.criterion_.balancer.logits.tolist()
    assert noise > easy


@pytest.mark.parametrize(("params", "rule"), [({"lr": 0}, "above 0"), ({"decay": -1}, "of at least 0")])
def test_bad_parameters(params, rule):
    with pytest.raises(ValueError, match=f"of FAMO must be a number {rule}"):
        FAMO(**params).fresh(2)
