"""A search over the weight of one task: a fit for each weight and fold, or all of them stacked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV, KFold

from benchmarks.data import Data, Recipe, ames, synthetic
from benchmarks.harness import Contestant, Options, Result, compare
from benchmarks.peers import ours, skorch_net
from sklearn_mtl import MultiTaskTarget, model_selection

ROUNDS = 3
N_WEIGHTS, N_FOLDS = 16, 5
AMES = Recipe(epochs=10, batch_size=128)
SMALL = Recipe(epochs=10, batch_size=64, hidden=(64, 64))
STACKED = ("StackedGridSearchCV", "StackedHalvingGridSearchCV")
ONE_BY_ONE = "GridSearchCV, sklearn_mtl"


def measure(options: Options) -> Iterator[list[Result]]:
    """Yield the results of each data set, with each number of threads; two may be two processes."""
    for name in STACKED:
        if not hasattr(model_selection, name):
            print(f"{name} left out: sklearn_mtl.model_selection does not have it.")
    weights, folds = (
        np.geomspace(0.05, 20, 3 if options.quick else N_WEIGHTS),
        2 if options.quick else N_FOLDS,
    )
    for case, data, recipe in _cases(quick=options.quick):
        for threads in options.threads:
            yield compare(
                f"{case} {data}, {recipe}, {len(weights)} × {folds}",
                _contestants(data, recipe, weights, folds, threads),
                options,
                threads=threads,
                rounds=ROUNDS,
                warm_up=False,
                describe=_found,
            )


def _cases(*, quick: bool) -> Iterator[tuple[str, Data, Recipe]]:
    if quick:
        yield "made-up", synthetic(120, 8), Recipe(epochs=1, batch_size=64, hidden=(8,))
        return
    yield "made-up", synthetic(3_000, 32), SMALL
    yield "Ames", ames()[0], AMES


def _contestants(
    data: Data, recipe: Recipe, weights: np.ndarray, n_folds: int, threads: int
) -> dict[str, Contestant]:
    folds = KFold(n_folds, shuffle=True, random_state=recipe.seed)
    target = MultiTaskTarget(data.by_name)
    grid = {"task_weights__code": weights.tolist()}

    def by(search: Any, **how: Any) -> Any:
        return search(ours(recipe), grid, cv=folds, **how).fit(data.X, target)

    def by_skorch() -> Any:
        torch.manual_seed(recipe.seed)
        net, over = skorch_net(data, recipe), {"criterion__code_weight": weights.tolist()}
        return GridSearchCV(net, over, cv=folds).fit(data.X, data.side_by_side)

    found: dict[str, Contestant] = {"GridSearchCV, skorch": by_skorch, ONE_BY_ONE: partial(by, GridSearchCV)}
    if threads > 1:
        found[f"{ONE_BY_ONE}, n_jobs={threads}"] = partial(by, GridSearchCV, n_jobs=threads)
    stacked = {name: getattr(model_selection, name, None) for name in STACKED}
    return found | {name: partial(by, search) for name, search in stacked.items() if search is not None}


def _found(name: str, returned: Mapping[str, Any]) -> str:
    """Say the weight that was found best, and whether one fit after the other finds the same."""
    (best,), (alone,) = (returned[of].best_params_.values() for of in (name, ONE_BY_ONE))
    score = f"best weight {best:.3g}, score {returned[name].best_score_:.4f}"
    agrees = "as" if best == alone else f"not {alone:.3g} as"
    return score if name == ONE_BY_ONE else f"{score}, {agrees} {ONE_BY_ONE}"
