"""The loss of ordinal tasks is that of the proportional odds model."""

import numpy as np
import torch
from scipy.special import expit, logit

from sklearn_mtl.tasks.losses.ordinal import CumulativeLink


def test_the_loss_is_minus_the_log_likelihood_of_the_proportional_odds_model():
    loss = CumulativeLink(n_classes=4)
    raw = torch.tensor(np.random.default_rng(0).normal(size=(50, 1, 4)))
    y = torch.arange(50)[:, None] % 4
    thresholds = np.sort(raw[:, 0, 1:].numpy() + logit(np.array([0.25, 0.5, 0.75])), axis=1)
    below = expit(thresholds - raw[:, 0, :1].numpy())
    probability = np.diff(below, axis=1, prepend=0, append=1)
    np.testing.assert_allclose(loss.response(raw)[:, 0], probability)
    expected = -np.log(probability[np.arange(50), y[:, 0]])
    np.testing.assert_allclose(loss(raw, y.double())[:, 0], expected)
    np.testing.assert_allclose(loss.log_loss(loss.response(raw), y)[:, 0], expected)


def test_outputs_of_zero_are_equal_probabilities():
    response = CumulativeLink(n_classes=5).response(torch.zeros(1, 1, 5))
    np.testing.assert_allclose(response, np.full((1, 1, 5), 0.2))


def test_the_median_class_has_the_least_expected_distance():
    response = torch.tensor(np.random.default_rng(1).dirichlet(np.ones(5), size=200))[:, None]
    distance = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    expected = (response[:, 0].numpy() @ distance).argmin(axis=1)
    assert (CumulativeLink(n_classes=5).decision(response)[:, 0].numpy() == expected).all()
