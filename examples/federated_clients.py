"""
Eight clients: one network of rows that nobody shares
=====================================================

Eight clients have rows of one kind, from different parts of their range, and labels of different tasks. They
learn one network together, of which only summaries and weights go to and fro, and it is compared, on new
rows, with what each learns alone and with what one fit to all rows in one place learns.

The rows are made up. With ``--quick`` there are few of them and few rounds, which shows that it works and
nothing else.
"""

# %%
# The clients
# -----------
# Four tasks depend on the same few factors. A client has rows of a part of the range of the first column, and
# labels of two of the four tasks.

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.federated import simulate

QUICK = "--quick" in sys.argv
N_CLIENTS, N_TEST = 8, 2000
N_TRAIN = 640 if QUICK else 3200
N_ROUNDS, LOCAL_EPOCHS = (2, 1) if QUICK else (25, 2)

X, Y = make_multitask(
    n_samples=N_TRAIN + N_TEST, n_features=12, n_factors=4, n_regression=2, n_binary=2, random_state=0
)
names = list(Y)
test = X[N_TRAIN:], {name: labels[N_TRAIN:] for name, labels in Y.items()}
order = np.argsort(X[:N_TRAIN, 0] + np.random.default_rng(0).normal(size=N_TRAIN))
parts = [
    (X[rows], {names[i]: Y[names[i]][rows] for i in (client % 4, (client + 1) % 4)})
    for client, rows in enumerate(np.array_split(order, N_CLIENTS))
]

# %%
# Together, alone, and in one place
# ---------------------------------
# Alone a client can only learn the tasks that it has. The fit in one place has all rows, with the same gaps.

tasks = {name: "regression" if name.startswith("regression") else "classification" for name in names}
est = MultiTaskClassifierRegressor(tasks=tasks, trunk="mlp", n_bags=1, random_state=0)


def pooled() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the rows of all clients, with NaN for labels that a client lacks."""
    gaps = {
        name: np.concatenate([labels.get(name, np.full(len(rows), np.nan)) for rows, labels in parts])
        for name in names
    }
    return np.concatenate([rows for rows, _ in parts]), gaps


def alone(rows: np.ndarray, labels: dict[str, np.ndarray]) -> pd.Series:
    """Return the scores of one client's own fit, on new rows, for the tasks that it has."""
    own = MultiTaskClassifierRegressor(
        tasks={name: tasks[name] for name in labels}, trunk="mlp", n_bags=1, random_state=0
    )
    own.set_params(max_epochs=N_ROUNDS * LOCAL_EPOCHS, early_stopping=False)
    return own.fit(rows, labels).score_tasks(test[0], {name: test[1][name] for name in labels})


start = time.perf_counter()
federation = simulate(est, parts, n_rounds=N_ROUNDS, local_epochs=LOCAL_EPOCHS)
seconds = time.perf_counter() - start
each_alone = pd.DataFrame([alone(*part) for part in parts]).mean()
one_place = MultiTaskClassifierRegressor(
    tasks=tasks,
    trunk="mlp",
    n_bags=1,
    max_epochs=N_ROUNDS * LOCAL_EPOCHS,
    early_stopping=False,
    random_state=0,
).fit(*pooled())

# %%
# What it comes to
# ----------------
# R² of the regressions and accuracy of the classifications, on new rows of the whole range.

scores = pd.DataFrame(
    {
        "each alone, mean": each_alone,
        "together": federation.estimator.score_tasks(*test),
        "all rows in one place": one_place.score_tasks(*test),
    }
)
print(scores.reindex(names).round(3).to_string())
print(f"{N_CLIENTS} clients, {N_ROUNDS} rounds of {LOCAL_EPOCHS} epochs: {seconds:.1f} s")
