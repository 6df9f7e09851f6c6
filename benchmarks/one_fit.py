"""One fit of a plain network to a number and a class, beside a loop written by hand."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import by_hand
from benchmarks.data import Data, Recipe, ames, synthetic
from benchmarks.harness import Contestant, Options, Result, compare
from benchmarks.peers import fit_scikit_learn, fit_skorch, ours
from sklearn_mtl.features import FeatureEncoder

ROUNDS = 5
SIZES = (
    (3_000, 64, Recipe(epochs=10, batch_size=64)),
    (20_000, 64, Recipe(epochs=5, batch_size=256)),
    (200_000, 32, Recipe(epochs=2, batch_size=1024)),
)
QUICK_SIZES = ((200, 8, Recipe(epochs=2, batch_size=64, hidden=(16,))),)
AMES = Recipe(epochs=10, batch_size=128)


def measure(options: Options) -> Iterator[list[Result]]:
    """Yield the results of each size, and of the Ames houses, with each number of threads."""
    for n_rows, n_features, recipe in QUICK_SIZES if options.quick else SIZES:
        data = synthetic(n_rows, n_features)
        yield from _compared(f"{data}, {recipe}", _contestants(data, recipe), options)
    if not options.quick:
        data, X = ames()
        alone = {
            "preprocessing alone, not part of the fits above": lambda: (
                FeatureEncoder("auto").fit(X).transform(X)
            )
        }
        yield from _compared(f"Ames {data}, {AMES}", _contestants(data, AMES) | alone, options)


def _contestants(data: Data, recipe: Recipe) -> dict[str, Contestant]:
    return {
        "written by hand": lambda: by_hand.fit(data, recipe),
        "sklearn_mtl": lambda: ours(recipe).fit(data.X, data.by_name),
        "skorch, default loader": lambda: fit_skorch(data, recipe),
        "scikit-learn MLP, one per task": lambda: fit_scikit_learn(data, recipe),
    }


def _compared(case: str, contestants: dict[str, Contestant], options: Options) -> Iterator[list[Result]]:
    for threads in options.threads:
        yield compare(case, contestants, options, threads=threads, rounds=ROUNDS)
