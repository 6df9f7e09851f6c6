"""From one binary task to a thousand on the same rows, beside a network with as many outputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from benchmarks import by_hand
from benchmarks.data import Recipe
from benchmarks.harness import Options, Result, compare
from sklearn_mtl import MultiTaskClassifier
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.trunks import MLP

ROUNDS = 5
N_TASKS = (1, 10, 100, 1_000)


def measure(options: Options) -> Iterator[list[Result]]:
    """Yield the results of fitting and of predicting, for each number of tasks and of threads."""
    recipe = Recipe(epochs=5, batch_size=256)
    n_rows, n_features = 5_000, 50
    if options.quick:
        recipe, n_rows, n_features = Recipe(epochs=1, batch_size=64, hidden=(16,)), 200, 8
    for n_tasks in (1, 20) if options.quick else N_TASKS:
        values, labels = make_multitask(n_rows, n_features, n_regression=0, n_binary=n_tasks, random_state=0)
        X = values.astype(np.float32)
        name = f"{n_tasks:,} task{'s'[: n_tasks != 1]}, {n_rows:,} × {n_features}, {recipe}"
        for threads in options.threads:
            yield from _of_tasks(name, X, labels, recipe, options, threads)


def _of_tasks(
    name: str, X: np.ndarray, y: dict[str, np.ndarray], recipe: Recipe, options: Options, threads: int
) -> Iterator[list[Result]]:
    inputs = torch.from_numpy(X)
    targets = torch.from_numpy(np.column_stack(list(y.values())).astype(np.float32))
    estimator = _estimator(recipe)
    fitting = {
        "written by hand": lambda: by_hand.fit_binary(inputs, targets, recipe),
        "sklearn_mtl": lambda: estimator.fit(X, y),
    }
    yield compare(f"fit: {name}", fitting, options, threads=threads, rounds=ROUNDS)
    module = by_hand.fit_binary(inputs, targets, recipe)
    predicting = {
        "written by hand": lambda: _predict(module, X),
        "sklearn_mtl": lambda: estimator.predict(X),
    }
    yield compare(f"predict: {name}", predicting, options, threads=threads, rounds=ROUNDS)


def _estimator(recipe: Recipe) -> MultiTaskClassifier:
    return MultiTaskClassifier(
        trunk=MLP(recipe.hidden),
        preprocessing=None,
        n_bags=1,
        early_stopping=False,
        ema_decay=None,
        lr_schedule=None,
        calibrate=False,
        lr=recipe.lr,
        weight_decay=recipe.weight_decay,
        batch_size=recipe.batch_size,
        max_epochs=recipe.epochs,
        device="cpu",
        random_state=recipe.seed,
    )


@torch.no_grad()
def _predict(module: nn.Module, X: np.ndarray) -> np.ndarray:
    labels: np.ndarray = (module(torch.from_numpy(X)) > 0).long().numpy()
    return labels
