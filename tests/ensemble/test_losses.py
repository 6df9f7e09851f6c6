"""The shares of the least loss: convex, on the simplex, and found."""

import numpy as np
import pytest

from sklearn_mtl.ensemble.losses import LogLoss, SquaredError, least_loss


def squared(seed=0, n_members=3, n_rows=400):
    rng = np.random.RandomState(seed)
    labels = rng.normal(size=n_rows)
    votes = labels[:, None] + rng.normal(size=(n_rows, n_members)) * np.arange(1, n_members + 1)
    return SquaredError(votes, labels, np.full(n_rows, 1 / n_rows), 1.0)


def log(seed=0, n_members=3, n_rows=400):
    votes = np.random.RandomState(seed).beta([4, 2, 2][:n_members], 2, size=(n_rows, n_members))
    return LogLoss(votes, np.ones(n_rows), np.full(n_rows, 1 / n_rows), 0.7)


@pytest.mark.parametrize("make", [squared, log])
def test_the_gradient_is_that_of_the_loss(make):
    loss, shares = make(), np.array([0.5, 0.3, 0.2])
    _, gradient = loss(shares)
    for member, step in enumerate(np.eye(3) * 1e-6):
        numeric = (loss(shares + step)[0] - loss(shares - step)[0]) / 2e-6
        assert gradient[member] == pytest.approx(numeric, rel=1e-5)


@pytest.mark.parametrize("make", [squared, log])
@pytest.mark.parametrize("seed", range(3))
def test_no_other_shares_have_a_lower_loss(make, seed):
    loss = make(seed)
    found = least_loss([loss], 3)
    assert found.sum() == pytest.approx(1)
    others = np.random.RandomState(1).dirichlet(np.ones(3), size=300)
    # What a share too small to matter is worth.
    assert loss(found)[0] <= min(loss(other)[0] for other in others) + 2e-3


def test_a_member_that_is_always_right_has_all():
    labels = np.random.RandomState(0).normal(size=50)
    votes = np.column_stack([np.zeros(50), labels])
    assert least_loss([SquaredError(votes, labels, np.full(50, 0.02), 1.0)], 2).tolist() == [0.0, 1.0]
    sure = LogLoss(np.column_stack([np.full(50, 0.5), np.ones(50)]), np.ones(50), np.full(50, 0.02), 0.7)
    assert least_loss([sure], 2).tolist() == [0.0, 1.0]


def test_a_probability_of_0_is_a_finite_loss():
    loss = LogLoss(np.array([[0.0, 0.0], [1.0, 0.5]]), np.ones(2), np.full(2, 0.5), 1.0)
    value, gradient = loss(np.array([0.5, 0.5]))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_several_losses_count_alike_whatever_their_units():
    one, other = squared(0), squared(1)
    large = SquaredError(other.votes * 1000, other.labels * 1000, other.weight, 1e6)
    assert least_loss([one, large], 3) == pytest.approx(least_loss([one, other], 3), abs=1e-3)


@pytest.mark.parametrize("far", [1e4, 1e6, 1e8, 1e10])
def test_a_member_that_is_far_off_in_one_cell_has_nothing_and_hides_no_other(far):
    rng = np.random.default_rng(0)
    labels = rng.normal(size=1000)
    noise = 0.3 * rng.normal(size=(2, 1000))
    votes = np.column_stack([labels + noise[0], labels + noise[1], labels])
    votes[0, 2] = far
    found = least_loss([SquaredError(votes, labels, np.full(1000, 1e-3), 1.0)], 3)
    assert found[2] == 0
    assert found[:2] == pytest.approx([0.5, 0.5], abs=0.05)


@pytest.mark.parametrize("n_members", [21, 40])
def test_many_members_of_like_quality_have_shares(n_members):
    rng = np.random.RandomState(0)
    labels = rng.normal(size=500)
    votes = labels[:, None] + rng.normal(size=(500, n_members))
    loss = SquaredError(votes, labels, np.full(500, 1 / 500), 1.0)
    found = least_loss([loss], n_members)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()
    assert loss(found)[0] <= 1.01 * loss(np.full(n_members, 1 / n_members))[0]


def test_a_small_share_that_keeps_hard_votes_finite_stays():
    n_rows = 1000
    hard = np.ones(n_rows)
    hard[:7] = 0.0
    votes = np.column_stack([hard, np.full(n_rows, 0.5)])
    loss = LogLoss(votes, np.ones(n_rows), np.full(n_rows, 1e-3), 0.7)
    found = least_loss([loss], 2)
    assert 0 < found[1] < 0.05
    assert loss(found)[0] == pytest.approx(
        min(loss(np.array([1 - s, s]))[0] for s in np.linspace(0, 0.1, 2001))
    )


@pytest.mark.parametrize("make", [squared, log])
def test_two_shares_have_a_sum_of_exactly_1(make):
    assert all(least_loss([make(seed, n_members=2)], 2).sum() == 1.0 for seed in range(50))
