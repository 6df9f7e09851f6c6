"""Searches find the constants that formulas give."""

import numpy as np
import pytest
import torch

from sklearn_mtl.tasks.losses.classification import CrossEntropy
from sklearn_mtl.tasks.losses.constants import best_logits, best_point
from sklearn_mtl.tasks.losses.regression import AbsoluteError, Huber, SquaredError


@pytest.mark.parametrize("loss", [SquaredError(), AbsoluteError(), Huber(0.5)], ids=repr)
def test_the_best_point_is_the_constant_of_the_formula(loss):
    rng = np.random.default_rng(0)
    y, weight = torch.tensor(rng.standard_t(3, (41, 2))), torch.tensor(rng.random((41, 2)))
    torch.testing.assert_close(best_point(loss, y, weight), loss.constant(y, weight)[:, 0], atol=1e-6, rtol=0)


def test_the_best_logits_are_those_of_the_prior():
    prior = torch.tensor([[0.2, 0.5], [0.3, 0.25], [0.5, 0.25]], dtype=torch.float64)
    found = best_logits(CrossEntropy(n_classes=3), torch.zeros(2, 3, dtype=torch.float64), prior)
    torch.testing.assert_close(found.softmax(-1), prior.T, atol=1e-6, rtol=0)
    assert not found.requires_grad
