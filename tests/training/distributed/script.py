"""Fits that two processes make together: run by torchrun, which is given a folder for what comes of them."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from skorch.callbacks import Checkpoint

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.training.distributed import data_parallel, sharded
from sklearn_mtl.trunks import MLP, ResNet


class ShardedMLP(MLP):
    def build(self, spec, statistics):
        return sharded(super().build(spec, statistics))


SMALL = {"trunk": "mlp", "n_bags": 1, "max_epochs": 3, "linear_blend": False, "tree_blend": False}
SHARED = {
    "dropout and clipping": {"trunk": "tabm", "gradient_clip": 0.5},
    "two nets, early stopping and blending": {
        "n_bags": 2,
        "max_epochs": 40,
        "patience": 1,
        "lr": 0.03,
        "linear_blend": True,
    },
    "nets that one process would stack": {"n_bags": 4, "max_epochs": 1},
    "fewer rows than processes": {"batch_size": 1, "max_epochs": 1},
    "augmentation and a learned balancing": {"augmentation": "mixup", "balancing": "uncertainty"},
    "a penalty of rows": {"sharing": "dselect_k"},
    "a penalty of weights": {"sharing": "soft"},
    "weights of the trunk that are divided": {
        "trunk": ShardedMLP(),
        "ema_decay": None,
        "head_hidden_sizes": (4,),
    },
    "another optimizer, no average": {"optimizer": "sgd", "ema_decay": None, "lr_schedule": "one_cycle"},
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
    X = rng.normal(size=(151, 4)).astype(np.float32)
    noise = rng.normal(size=(151, 2))
    kinds = np.where(X[:, 0] > noise[:, 1], "flat", "house")
    Y = pd.DataFrame({"price": X.sum(1) + noise[:, 0], "type": kinds})
    Y.loc[rng.random(151) < 0.4, "price"] = np.nan
    Y.loc[rng.random(151) < 0.6, "type"] = None
    return X, Y, rng.random(151)


def fitted(**settings):
    X, Y, weight = data()
    est = MultiTaskClassifierRegressor(**{"random_state": 0, **SMALL, **settings})
    return est.fit(X, Y, sample_weight=weight)


def found(est):
    X, _, _ = data()
    return est.history_, est.predict(X)["price"].to_numpy(), est.predict_proba(X)["type"]


def main(folder):
    torch.set_num_threads(1)
    results = {}
    with data_parallel() as processes:
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
    Path(folder, str(processes.rank)).write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
