"""Regression losses against other implementations."""

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    mean_absolute_error,
    mean_gamma_deviance,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
)
from torch.nn import functional as F

from sklearn_mtl.tasks.losses.gaussian_nll import GaussianNLL
from sklearn_mtl.tasks.losses.regression import (
    AbsoluteError,
    GammaDeviance,
    Huber,
    Pinball,
    PoissonDeviance,
    SquaredError,
)


@pytest.fixture
def rows():
    """Raw outputs, positive integer labels and weights of 200 rows."""
    rng = np.random.default_rng(0)
    return (
        torch.tensor(rng.normal(size=(200, 1, 1))),
        torch.tensor(1.0 + rng.poisson(2, size=(200, 1))),
        torch.tensor(rng.choice([0.5, 1.0, 2.0], size=(200, 1))),
    )


@pytest.mark.parametrize(
    ("loss", "reference"),
    [
        (SquaredError(), lambda y, raw, s: mean_squared_error(y, raw, sample_weight=s)),
        (AbsoluteError(), lambda y, raw, s: mean_absolute_error(y, raw, sample_weight=s)),
        (PoissonDeviance(), lambda y, raw, s: mean_poisson_deviance(y, np.exp(raw), sample_weight=s) / 2),
        (GammaDeviance(), lambda y, raw, s: mean_gamma_deviance(y, np.exp(raw), sample_weight=s) / 2),
        (Pinball((0.2,)), lambda y, raw, s: mean_pinball_loss(y, raw, sample_weight=s, alpha=0.2)),
    ],
    ids=["squared", "absolute", "poisson", "gamma", "pinball"],
)
def test_weighted_loss_is_scikit_learns(loss, reference, rows):
    raw, y, weight = rows
    found = float((loss(raw, y) * weight).sum() / weight.sum())
    expected = reference(y.numpy().ravel(), raw.numpy().ravel(), weight.numpy().ravel())
    assert found == pytest.approx(expected, rel=1e-12)


def test_poisson_deviance_takes_zero_counts():
    y, raw = np.array([0.0, 0.0, 3.0]), np.array([-1.0, 2.0, 0.5])
    found = PoissonDeviance()(torch.tensor(raw)[:, None, None], torch.tensor(y)[:, None]).mean()
    assert float(found) == pytest.approx(mean_poisson_deviance(y, np.exp(raw)) / 2)


@pytest.mark.parametrize("delta", [0.3, 1.0, 2.5])
def test_huber_is_torchs(delta, rows):
    raw, y, _ = rows
    expected = F.huber_loss(raw[..., 0], y, delta=delta, reduction="none")
    torch.testing.assert_close(Huber(delta)(raw, y), expected)


def test_pinball_is_the_mean_over_quantiles(rows):
    _, y, _ = rows
    levels = (0.1, 0.5, 0.7)
    raw = torch.tensor(np.random.default_rng(1).normal(size=(200, 1, 3)))
    expected = np.mean(
        [mean_pinball_loss(y.ravel(), raw[:, 0, i], alpha=level) for i, level in enumerate(levels)]
    )
    assert float(Pinball(levels)(raw, y).mean()) == pytest.approx(expected)


def test_pinball_response_puts_crossing_quantiles_in_order():
    loss = Pinball((0.1, 0.4, 0.9))
    response = loss.response(torch.tensor([[3.0, 1.0, 2.0]]))
    assert response.tolist() == [[1.0, 2.0, 3.0]]
    assert loss.decision(response).item() == 2.0


def test_gaussian_nll_is_torchs(rows):
    _, y, _ = rows
    raw = torch.tensor(np.random.default_rng(2).normal(scale=2, size=(200, 1, 2)))
    expected = F.gaussian_nll_loss(raw[..., 0], y, raw[..., 1].exp(), reduction="none", eps=1e-12)
    torch.testing.assert_close(GaussianNLL()(raw, y), expected)


def test_gaussian_response_averages_to_the_moments_of_the_mixture():
    loss = GaussianNLL()
    raw = torch.tensor([[[-1.0, 0.0]], [[3.0, 1.0]]], dtype=torch.float64)
    mean, log_variance = loss.link(loss.response(raw).mean(0))[0].tolist()
    draws = np.random.default_rng(3).normal([-1, 3], [1, np.exp(0.5)], size=(200_000, 2)).ravel()
    assert mean == pytest.approx(1.0)
    assert np.exp(log_variance) == pytest.approx(draws.var(), rel=0.01)


def test_gaussian_variance_is_bounded():
    y = torch.zeros(1, 1)
    at = [float(GaussianNLL()(torch.tensor([[[0.0, low]]]), y)) for low in (-12.0, -13.0, -1e6)]
    assert at == [-6.0, -6.0, -6.0]
