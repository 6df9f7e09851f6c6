"""The concordance index is that of all pairs, one by one."""

import numpy as np
import pytest

from sklearn_mtl.tasks import concordance_index


def by_pairs(time, event, predicted, weight):
    right = every = 0.0
    for i in np.flatnonzero(event):
        for j in range(len(time)):
            if time[j] > time[i] or (time[j] == time[i] and not event[j]):
                mass = weight[i] * weight[j]
                every += mass
                right += mass * (0.5 if predicted[i] == predicted[j] else predicted[j] > predicted[i])
    return right / every


@pytest.mark.parametrize("n_values", [3, 10, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_concordance_is_that_of_all_pairs(n_values, seed):
    rng = np.random.default_rng(seed)
    time, predicted = rng.integers(0, n_values, (2, 60)).astype(float)
    event, weight = rng.random(60) < 0.6, rng.choice([0.0, 0.5, 2.0], 60)
    found = concordance_index(time, event, predicted, weight)
    assert found == pytest.approx(by_pairs(time, event, predicted, weight))
    assert concordance_index(time, event, predicted) == pytest.approx(
        by_pairs(time, event, predicted, np.ones(60))
    )


def test_concordance_without_a_pair_is_nan():
    assert np.isnan(concordance_index(np.array([1.0, 2.0]), np.array([False, False]), np.zeros(2)))
    assert np.isnan(concordance_index(np.array([]), np.array([], dtype=bool), np.array([])))
