"""Every recipe has a front: a point of it predicts as its network with the weighted mean of the corners."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch.func import functional_call

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.model_selection import ManifoldSearchCV
from tests.model_selection.search.recipes import CASES

X, Y = make_multitask(
    n_samples=60, n_features=4, n_regression=1, n_binary=1, n_multiclass=1, n_factors=2,
    missing_labels=0.2, noise=0.5, random_state=0,
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_point_is_the_network_at_the_mean_of_the_corners(case):
    est = MultiTaskClassifierRegressor(
        trunk="mlp", max_epochs=2, lr=0.02, batch_size=16, n_bags=1, linear_blend=False, random_state=0
    )
    est.set_params(precision="float64", trunk__hidden_sizes=(6, 5), calibrate=False)
    est.set_params(**{case.parameter: clone(case.recipe)})
    cv = [(np.arange(45), np.arange(45, 60))]
    search = ManifoldSearchCV(est, [[1, 1, 1], [2, 1, 1]], cv=cv, error_score="raise").fit(case.rows(X), Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    net = search.at([2, 1, 1]).net_
    (outcome,) = search._manifold.fit.outcomes
    manifold = outcome.net.network
    mean = manifold.corners.new_tensor([0.5, 0.25, 0.25]) @ manifold.corners
    trained = {n: p for n, p in manifold.point.named_parameters() if p.requires_grad}
    parts = mean.split([parameter.numel() for parameter in trained.values()])
    weights = {n: part.view_as(p) for (n, p), part in zip(trained.items(), parts, strict=True)}
    inputs = search._manifold.fit.plans[0].train.inputs
    with torch.no_grad():
        expected = functional_call(manifold.point.eval(), weights, (inputs,))
        torch.testing.assert_close(net.network(inputs), expected)
