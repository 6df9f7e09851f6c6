"""Ways of sharing beside the same networks written by hand, and beside hard sharing; few tasks and many."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.data import Recipe
from benchmarks.harness import Contestant, Options, Result, compare
from benchmarks.peers import ours
from benchmarks.sharing_by_hand import NETWORKS, Sizes, train
from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.sharing import SHARINGS

ROUNDS = 5
# Number of tasks, and epochs.
CASES = ((2, 20), (30, 5))
HIDDEN = (128, 128)


def measure(options: Options) -> Iterator[list[Result]]:
    """Yield each way beside its network by hand, and all beside hard sharing, for each number of tasks."""
    n_rows, n_features, hidden = (100, 5, (8, 6)) if options.quick else (3_000, 32, HIDDEN)
    ways = [name for name in NETWORKS if name in SHARINGS]
    for n_tasks, epochs in ((2, 1), (3, 1)) if options.quick else CASES:
        recipe = Recipe(epochs=epochs, batch_size=256, hidden=hidden)
        X, y = data(n_rows, n_features, n_tasks)
        sizes = Sizes(n_features, n_tasks, recipe.hidden)
        case = f"{n_tasks} tasks, {n_rows:,} × {n_features}, {recipe}"
        fits: dict[str, Contestant] = {
            name: partial(estimator(name, recipe, n_tasks).fit, X, y) for name in ways
        }
        for name in ways:
            hand = by_hand(name, sizes, X, y, recipe)
            beside: dict[str, Contestant] = {"written by hand": hand, f"sklearn_mtl, {name}": fits[name]}
            yield compare(f"{name}: {case}", beside, options, threads=1, rounds=ROUNDS)
        yield compare(f"all: {case}", fits, options, threads=1, rounds=ROUNDS)


def data(n_rows: int, n_features: int, n_tasks: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows, and labels of mean 0 and variance 1, all of single precision."""
    X, labels = make_multitask(n_rows, n_features, n_regression=n_tasks, noise=0.5, random_state=0)
    y = np.column_stack(list(labels.values()))
    return X.astype(np.float32), ((y - y.mean(0)) / y.std(0)).astype(np.float32)


def estimator(name: str, recipe: Recipe, n_tasks: int) -> MultiTaskClassifierRegressor:
    """Return this package's estimator as a plain network: nothing held out, averaged or blended.

    Parameters
    ----------
    name : str
        The way of sharing.
    recipe : Recipe
        Network and training.
    n_tasks : int
        The tasks are called y0, y1, ….
    """
    # All tasks are numbers, which the estimator sees by itself.
    return ours(recipe, tasks=None, sharing=SHARINGS[name](**parameters(name, n_tasks)))


def parameters(name: str, n_tasks: int) -> dict[str, Any]:
    """Return the parameters with which a way of sharing is the network written by hand."""
    tasks = [f"y{number}" for number in range(n_tasks)]
    if name == "ple":
        return {"levels": 2}
    if name == "hierarchical":
        return {"groups": [tasks[::2], tasks[1::2]]}
    if name == "cascade":
        return {"order": dict.fromkeys(tasks[1:], "y0")}
    return {}


def by_hand(name: str, sizes: Sizes, X: np.ndarray, y: np.ndarray, recipe: Recipe) -> Contestant:
    """Return what makes and trains the network written by hand."""
    rows, labels = torch.from_numpy(X), torch.from_numpy(y)

    def fit() -> Any:
        torch.manual_seed(recipe.seed)
        return train(
            NETWORKS[name](sizes),
            rows,
            labels,
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            lr=recipe.lr,
            weight_decay=recipe.weight_decay,
        )

    return fit
