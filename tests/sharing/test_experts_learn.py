"""Mixtures of experts beat one trunk, and one for each task, where groups of tasks have little in common."""

from functools import cache

import numpy as np
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.sharing import PLE, DSelectK, HardSharing, MMoE, SeparateTrunks
from sklearn_mtl.trunks import MLP

N_TRAIN, SEEDS = 500, 4


def data(seed):
    """Three groups of two tasks; a linear model explains half of each."""
    return make_multitask(
        N_TRAIN + 1500, 20, n_regression=6, n_groups=3, difficulty=1.5, noise=0.1, random_state=seed
    )


@cache
def scores(kind):
    found = []
    for seed in range(SEEDS):
        X, Y = data(seed)
        est = MultiTaskClassifierRegressor(
            trunk=MLP((32, 16)), sharing=kind(), n_bags=1, linear_blend=False, random_state=seed
        )
        est.fit(X[:N_TRAIN], {name: y[:N_TRAIN] for name, y in Y.items()})
        found.append(est.score(X[N_TRAIN:], {name: y[N_TRAIN:] for name, y in Y.items()}))
    return np.array(found)


@pytest.mark.parametrize("other", [HardSharing, SeparateTrunks], ids=lambda of: of.__name__)
@pytest.mark.parametrize("kind", [MMoE, DSelectK, PLE], ids=lambda of: of.__name__)
def test_groups_of_tasks_are_learned_better(kind, other):
    gains = scores(kind) - scores(other)
    assert gains.mean() > gains.std(ddof=1), gains
