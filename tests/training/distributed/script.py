"""Fits that two processes make together. As a script it is one of them, and pickles what comes of them."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from skorch.callbacks import Checkpoint

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.training.distributed import data_parallel, sharded
from sklearn_mtl.trunks import MLP, ResNet, TabM

# No multiple of the size of a batch, nor of 2.
N_ROWS = 75


class ShardedMLP(MLP):
    def build(self, spec, statistics):
        return sharded(super().build(spec, statistics))


SMALL = {"trunk": MLP((16,)), "n_bags": 1, "max_epochs": 2, "linear_blend": False, "tree_blend": False}
SHARED = {
    "dropout and clipping": {"trunk": TabM((16,), dropout=0.1), "gradient_clip": 0.5},
    "two nets, early stopping and blending": {
        "n_bags": 2,
        "max_epochs": 30,
        "patience": 1,
        "lr": 0.1,
        "linear_blend": True,
    },
    "nets that one process would stack": {"n_bags": 4, "max_epochs": 1},
    "fewer rows than processes": {"batch_size": 1, "max_epochs": 1, "n_rows": 20},
    "augmentation, a learned balancing and a penalty of rows": {
        "augmentation": "mixup",
        "balancing": "uncertainty",
        "sharing": "dselect_k",
    },
    "a penalty of weights, another optimizer, no average": {
        "sharing": "soft",
        "optimizer": "sgd",
        "ema_decay": None,
        "lr_schedule": "one_cycle",
    },
    "weights of the trunk that are divided": {
        "trunk": ShardedMLP((16,)),
        "ema_decay": None,
        "head_hidden_sizes": (4,),
    },
}
REFUSED = {
    "pcgrad": {"balancing": "pcgrad"},
    "famo": {"balancing": "famo"},
    "conflict": {"gradient_conflict": 2},
    "batch norm": {"trunk": ResNet(normalization="batch")},
    "writers": {"callbacks": [Checkpoint()]},
    "checkpoint": {"checkpoint": "folder"},
    "sharded": {"trunk": ShardedMLP(), "gradient_clip": 1.0},
    "seeds": {"random_state": None},
}


def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 4)).astype(np.float32)
    noise = rng.normal(size=(N_ROWS, 2))
    kinds = np.where(X[:, 0] > noise[:, 1], "flat", "house")
    Y = pd.DataFrame({"price": X.sum(1) + noise[:, 0], "type": kinds})
    Y.loc[rng.random(N_ROWS) < 0.4, "price"] = np.nan
    Y.loc[rng.random(N_ROWS) < 0.6, "type"] = None
    return X, Y, rng.random(N_ROWS)


def fitted(n_rows=N_ROWS, **settings):
    X, Y, weight = data()
    est = MultiTaskClassifierRegressor(**{"random_state": 0, **SMALL, **settings})
    return est.fit(X[:n_rows], Y[:n_rows], sample_weight=weight[:n_rows])


def found(est):
    X, _, _ = data()
    return est.history_, est.predict(X)["price"].to_numpy(), est.predict_proba(X)["type"]


def results_of_all():
    """Return what comes of all cases in this process, which makes them with others."""
    torch.set_num_threads(1)
    results = {}
    # Two processes on one card cannot talk by NCCL, which is torch's choice where there is one.
    with data_parallel("gloo") as processes:
        for name, settings in SHARED.items():
            results[name] = found(fitted(**settings))
        for name, settings in REFUSED.items():
            try:
                fitted(**settings)
            except ValueError as error:
                results[name] = str(error)
        trained = fitted()
    # A net that was trained so is an ordinary one, for its process alone.
    X, Y, _ = data()
    if processes.rank == 0:
        results["trained on"] = len(trained.partial_fit(X, Y).history_)
    return results


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(pickle.dumps(results_of_all()))
