"""One fit of a bag of two TabM of the paper's kind, beside the same of the authors' layers by hand."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import by_hand
from benchmarks.data import Recipe, ames, synthetic
from benchmarks.harness import Options, Result, compare
from benchmarks.peers import ours
from sklearn_mtl.trunks import TabM

ROUNDS = 5
BAG = 2
EMA_DECAY = 0.99


def measure(options: Options) -> Iterator[list[Result]]:
    """Yield the results on the Ames houses with each number of threads."""
    recipe = Recipe(epochs=2, batch_size=128)
    data = ames()[0] if not options.quick else synthetic(200, 8)
    if options.quick:
        recipe = Recipe(epochs=1, batch_size=64, hidden=(16,))
    name = "made-up" if options.quick else "Ames"
    for threads in options.threads:
        yield compare(
            f"{name} {data}, {BAG} TabM {recipe}",
            {
                "written by hand": lambda: by_hand.fit_tabm(data, recipe, n_bags=BAG, ema_decay=EMA_DECAY),
                "sklearn_mtl": lambda: ours(
                    recipe,
                    # 32 bins of a continuous column, as by hand.
                    trunk=TabM(recipe.hidden, members=8, dropout=0.1, n_bins=64),
                    n_bags=BAG,
                    ema_decay=EMA_DECAY,
                ).fit(data.X, data.by_name),
            },
            options,
            threads=threads,
            rounds=ROUNDS,
        )
