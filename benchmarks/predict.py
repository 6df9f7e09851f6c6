"""Prediction of one row and of many, beside the bare forward pass of the network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks import by_hand
from benchmarks.data import Data, Recipe, synthetic
from benchmarks.harness import Contestant, Options, Result, compare
from benchmarks.peers import fit_scikit_learn, fit_skorch, ours

ROUNDS = 7
N_FEATURES = 64
N_ROWS = (1, 5_000, 200_000)


def measure(options: Options) -> Iterator[list[Result]]:
    """Yield the results of each number of rows, with each number of threads."""
    hidden = (16,) if options.quick else (256, 256)
    recipe = Recipe(epochs=1, batch_size=64, hidden=hidden)
    predictors = Predictors(synthetic(200 if options.quick else 3_000, N_FEATURES), recipe)
    rows = np.random.default_rng(1).standard_normal((max(N_ROWS), N_FEATURES), dtype=np.float32)
    for n_rows in (1, 500) if options.quick else N_ROWS:
        case = f"{n_rows:,} row{'s'[: n_rows != 1]} × {N_FEATURES}, {'-'.join(map(str, hidden))}"
        for threads in options.threads:
            contestants = predictors.contestants(rows[:n_rows])
            yield compare(case, contestants, options, threads=threads, rounds=ROUNDS)


class Predictors:
    """The fitted contestants, of one network shape.

    Parameters
    ----------
    data : Data
        What they are fitted to.
    recipe : Recipe
        Network and training.
    """

    def __init__(self, data: Data, recipe: Recipe) -> None:
        self.module = by_hand.fit(data, recipe)
        self.plain = ours(recipe).fit(data.X, data.by_name)
        self.preprocessed = ours(recipe, preprocessing="auto").fit(data.X, data.by_name)
        self.net = fit_skorch(data, recipe)
        self.perceptrons = fit_scikit_learn(data, recipe)

    def contestants(self, X: np.ndarray) -> dict[str, Contestant]:
        """Return how each predicts both tasks of these rows."""
        return {
            "bare forward pass": lambda: self._forward(X),
            "sklearn_mtl": lambda: self.plain.predict(X),
            "sklearn_mtl, preprocessing": lambda: self.preprocessed.predict(X),
            "skorch, default loader": lambda: self.net.forward(X),
            "scikit-learn MLP, one per task": lambda: [each.predict(X) for each in self.perceptrons],
        }

    def _forward(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            number, logits = self.module(torch.from_numpy(X))
        return number.numpy(), logits.argmax(1).numpy()
