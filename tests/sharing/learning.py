"""How well networks learn with a way of sharing, on made data of several seeds."""

import numpy as np

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.trunks import MLP


def scores(make, sharing, *, hidden_sizes, n_train, seeds=3, **params):
    """Mean R² over tasks on 600 rows not learned from, for each seed of the data and of the network.

    ``make`` is given a number of rows and a seed. One network is trained to the end, with no model beside it.
    """
    found = []
    for seed in range(seeds):
        X, Y = make(n_train + 600, seed)
        settings = {
            "trunk": MLP(hidden_sizes),
            "sharing": sharing,
            "n_bags": 1,
            "linear_blend": False,
            "tree_blend": False,
            "early_stopping": False,
            "batch_size": 32,
            "max_epochs": 60,
            "random_state": seed,
        }
        est = MultiTaskRegressor(**{**settings, **params})
        est.fit(X[:n_train], {name: y[:n_train] for name, y in Y.items()})
        found.append(est.score(X[n_train:], {name: y[n_train:] for name, y in Y.items()}))
    return np.array(found)


def is_better(ours, others):
    """Whether scores of the same seeds are higher by more than either, and their difference, is spread."""
    gain = ours - others
    return gain.mean() > max(gain.std(ddof=1), ours.std(ddof=1), others.std(ddof=1))
