"""One fit to images, sequences and texts, beside the same networks in a loop written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks import by_hand
from benchmarks.data import Data, Recipe
from benchmarks.harness import Contestant, Options, Result, compare
from benchmarks.inputs_by_hand import HeadsOn, ImageNetwork, SequenceNetwork, TextNetwork, codes_of
from benchmarks.peers import ours
from sklearn_mtl.trunks import CNN, RNN, TextEncoder, Trunk

ROUNDS = 5
N_ROWS, QUICK_ROWS = 4_000, 80
RECIPE = Recipe(epochs=2, batch_size=64)
N_WORDS, WORDS_OF_A_TEXT = 5_000, 20


def measure(options: Options) -> Iterator[list[Result]]:
    """Yield the results of each kind of input, with each number of threads."""
    n_rows = QUICK_ROWS if options.quick else N_ROWS
    for case, contestants in (
        (f"CNN, {n_rows:,} images of 28 × 28", _images(n_rows)),
        (f"RNN, {n_rows:,} sequences of 50 steps", _sequences(n_rows)),
        (f"TextEncoder, {n_rows:,} texts of {WORDS_OF_A_TEXT} words", _texts(n_rows)),
    ):
        for threads in options.threads:
            yield compare(case, contestants, options, threads=threads, rounds=ROUNDS)


def _images(n_rows: int) -> dict[str, Contestant]:
    data = _labelled(np.random.default_rng(0).normal(size=(n_rows, 1, 28, 28)))
    return _contestants(data, CNN(dropout=0.0), lambda _: ImageNetwork(), 128)


def _sequences(n_rows: int) -> dict[str, Contestant]:
    data = _labelled(np.random.default_rng(0).normal(size=(n_rows, 50, 3)))
    return _contestants(data, RNN(), lambda _: SequenceNetwork(3), 256)


def _texts(n_rows: int) -> dict[str, Contestant]:
    words = np.random.default_rng(0).zipf(1.5, size=(n_rows, WORDS_OF_A_TEXT)) % N_WORDS
    texts = [" ".join(f"w{word}" for word in own) for own in words]
    data = _labelled(words)

    def fit_by_hand() -> Any:
        # Texts become codes within the time of both.
        coded = replace(data, X=codes_of(texts))
        torch.manual_seed(RECIPE.seed)
        module = HeadsOn(TextNetwork(int(coded.X.max()) + 1), 128, data.n_classes)
        return by_hand.train(module, by_hand.scale_free_loss(data.entropy), coded, RECIPE)

    est = ours(RECIPE, trunk=TextEncoder(dropout=0.0), preprocessing="auto")
    return {"written by hand": fit_by_hand, "sklearn_mtl": lambda: est.fit(texts, data.by_name)}


def _contestants(data: Data, trunk: Trunk, body_of: Any, width: int) -> dict[str, Contestant]:
    def fit_by_hand() -> Any:
        torch.manual_seed(RECIPE.seed)
        module = HeadsOn(body_of(data), width, data.n_classes)
        return by_hand.train(module, by_hand.scale_free_loss(data.entropy), data, RECIPE)

    est = ours(RECIPE, trunk=trunk)
    return {"written by hand": fit_by_hand, "sklearn_mtl": lambda: est.fit(data.X, data.by_name)}


def _labelled(X: np.ndarray) -> Data:
    """Return rows with a number and one of five classes: how well they are learned is not what is timed."""
    rng = np.random.default_rng(1)
    number = rng.normal(size=len(X)).astype(np.float32)
    return Data(X.astype(np.float32), number, rng.integers(0, 5, len(X)), 0)
