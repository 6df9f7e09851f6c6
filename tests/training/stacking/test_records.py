"""What the steps of an epoch come to: for many nets in one pass the same numbers as for each."""

import numpy as np

from sklearn_mtl.training.recording import first_broken, means_and_watched
from sklearn_mtl.training.stacking.records import EpochLosses


def epoch_of(n_nets=3, n_tasks=4, n_steps=50):
    rng = np.random.default_rng(0)
    losses, masses = rng.uniform(0, 2, (2, n_steps, n_nets, n_tasks))
    masses[:, :, 1] = 0
    masses[:25, 2] = 0
    losses[masses == 0] = 0
    losses[7, 1, 2] = np.inf
    losses[9, 1] = np.nan
    weights = rng.uniform(0, 1, (n_nets, n_tasks))
    weights[0, 3] = 0
    return EpochLosses(losses, masses, weights)


def test_nets_in_one_pass_have_the_numbers_that_each_has():
    epoch = epoch_of()
    for net in range(3):
        losses, masses, weights = epoch.losses[:, net], epoch.masses[:, net], epoch.weights[net]
        expected = means_and_watched(losses.sum(0), masses.sum(0), weights)
        for mine, theirs in zip(epoch.means, expected, strict=True):
            np.testing.assert_array_equal(mine[net], theirs)
        steps = means_and_watched(losses, masses, weights)[1]
        np.testing.assert_array_equal(epoch.watched_in_steps()[:, net], steps)


def test_only_tasks_of_positive_weight_with_a_label_are_watched():
    per_task, watched = epoch_of().means
    assert np.isnan(per_task[:, 1]).all()
    assert watched[0] == np.mean(per_task[0, [0, 2]])


def test_the_tasks_of_the_first_step_that_breaks_are_told():
    epoch = epoch_of()
    assert epoch.are_finite.tolist() == [True, False, True]
    assert [first_broken(epoch.losses[:, net]).tolist() for net in range(3)] == [[], [2], []]
