"""Ways to task weights: what each chooses, how good that is on rows never seen, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import nan, sqrt
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV, KFold

from benchmarks.data import Data, Recipe, ames, synthetic
from benchmarks.harness import CLOCKS, Contestant, Options, Result, limited_to, race
from benchmarks.peers import ours, skorch_net
from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.model_selection import (
    ManifoldSearchCV,
    StackedGridSearchCV,
    StackedHalvingGridSearchCV,
)

ROUNDS = 5
UNSEEN = 0.2
FULL = StackedGridSearchCV.__name__


def measure(options: Options) -> Iterator[list[Result]]:
    """Yield the results on the Ames houses, with one thread; each round has a split and seeds of its own."""
    data, recipe, size = ames()[0], Recipe(epochs=10, batch_size=128), Size(n_weights=16, n_folds=5, n_fits=3)
    if options.quick:
        data, recipe = synthetic(150, 8), Recipe(epochs=2, batch_size=64, hidden=(8,))
        size = Size(n_weights=3, n_folds=2, n_fits=1)
    case = f"{'made-up' if options.quick else 'Ames'} {data}, {recipe}, {size.n_weights} × {size.n_folds}"
    rounds = [
        Round.of(data, replace(recipe, seed=seed), size).run(options)
        for seed in range(options.rounds_or(ROUNDS))
    ]
    yield [_result(case, name, rounds) for name in rounds[0]]


class Size(NamedTuple):
    """How many weights of the class there are to choose from, folds to choose by, and fits to judge by.

    One fit would not do: the initial weights of a network count for more than most task weights.
    """

    n_weights: int
    n_folds: int
    n_fits: int


class Choice(NamedTuple):
    """What a way has led to: the weight of the class where the number has 1, and what scores the model."""

    weight: float
    score: Callable[[], float]


class Found(NamedTuple):
    """What there is to say of a way after one round.

    ``score`` is that of the model that it leaves behind, and ``fitted_anew`` the mean score of fits with the
    weight that it has chosen, both on unseen rows.
    """

    seconds: float
    weight: float
    score: float
    fitted_anew: float


@dataclass(frozen=True, eq=False)
class Round:
    """Rows to choose by, and rows to judge by, which no contestant sees.

    Parameters
    ----------
    seen, unseen : Data
        The rows.
    recipe : Recipe
        Network and training.
    size : Size
        How much there is to do.
    """

    seen: Data
    unseen: Data
    recipe: Recipe
    size: Size
    _fitted_anew: dict[float, float] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Data, recipe: Recipe, size: Size) -> Round:
        """Return the round whose split is drawn by the seed of a recipe."""
        order = np.random.default_rng(recipe.seed).permutation(len(data.X))
        n_unseen = int(UNSEEN * len(order))
        seen, unseen = (
            replace(data, X=data.X[rows], number=data.number[rows], code=data.code[rows])
            for rows in (order[n_unseen:], order[:n_unseen])
        )
        return cls(seen, unseen, recipe, size)

    def run(self, options: Options) -> dict[str, Found]:
        """Let each way be gone once, and judge where it has led to."""
        contestants: dict[str, Contestant] = {
            "GridSearchCV, skorch": self._by_skorch,
            FULL: partial(self._by_grid, StackedGridSearchCV),
            StackedHalvingGridSearchCV.__name__: partial(self._by_grid, StackedHalvingGridSearchCV),
            ManifoldSearchCV.__name__: self._by_manifold,
            "equal weights": self._equal,
        }
        with limited_to(1):
            seconds, choices = race(contestants, 1, CLOCKS[options.clock], warm_up=False)
            return {
                name: Found(seconds[name][0], weight, score(), self._score_anew(weight))
                for name, (weight, score) in choices.items()
            }

    def _by_skorch(self) -> Choice:
        torch.manual_seed(self.recipe.seed)
        name = "criterion__code_weight"
        search = GridSearchCV(skorch_net(self.seen, self.recipe), {name: self._weights}, cv=self._folds)
        search.fit(self.seen.X, self.seen.side_by_side)
        return Choice(
            search.best_params_[name], partial(search.score, self.unseen.X, self.unseen.side_by_side)
        )

    def _by_grid(self, kind: Callable[..., Any]) -> Choice:
        name = "task_weights__code"
        search = kind(ours(self.recipe), {name: self._weights}, cv=self._folds)
        search.fit(self.seen.X, self.seen.by_name)
        return Choice(search.best_params_[name], partial(self._score, search.best_estimator_))

    def _by_manifold(self) -> Choice:
        preferences = [{"number": 1.0, "code": weight} for weight in self._weights]
        search = ManifoldSearchCV(ours(self.recipe), preferences, cv=self._folds)
        search.fit(self.seen.X, self.seen.by_name)
        return Choice(self._weights[search.best_index_], partial(self._score, search.best_estimator_))

    def _equal(self) -> Choice:
        return Choice(1.0, partial(self._score, self._fit(1.0, self.recipe.seed)))

    @property
    def _weights(self) -> list[float]:
        return np.geomspace(0.05, 20, self.size.n_weights).tolist()

    @property
    def _folds(self) -> KFold:
        return KFold(self.size.n_folds, shuffle=True, random_state=self.recipe.seed)

    def _fit(self, weight: float, seed: int) -> MultiTaskClassifierRegressor:
        est = ours(replace(self.recipe, seed=seed), task_weights={"code": weight})
        return est.fit(self.seen.X, self.seen.by_name)

    def _score(self, model: Any) -> float:
        return float(model.score(self.unseen.X, MultiTaskTarget(self.unseen.by_name)))

    def _score_anew(self, weight: float) -> float:
        """Return the mean score of fits with a weight, by seeds that no way has used."""
        if weight not in self._fitted_anew:
            seeds = [1_000 + self.size.n_fits * self.recipe.seed + i for i in range(self.size.n_fits)]
            self._fitted_anew[weight] = mean(self._score(self._fit(weight, seed)) for seed in seeds)
        return self._fitted_anew[weight]


def _result(case: str, name: str, rounds: Sequence[Mapping[str, Found]]) -> Result:
    own, full = ([one[of] for one in rounds] for of in (name, FULL))
    reference = [next(iter(one.values())).seconds for one in rounds]
    seconds = tuple(found.seconds for found in own)
    weights = [found.weight for found in own]
    beside = [found.fitted_anew - other.fitted_anew for found, other in zip(own, full, strict=True)]
    note = (
        f"weight {min(weights):.3g} to {max(weights):.3g}, score {_mean_and_error([o.score for o in own])}, "
        f"fitted anew {_mean_and_error(beside, sign='+')} beside {FULL}"
    )
    ratios = tuple(taken / other for taken, other in zip(seconds, reference, strict=True))
    return Result(case, 1, name, seconds, ratios, note=note)


def _mean_and_error(values: Sequence[float], *, sign: str = "") -> str:
    """Return the mean of the rounds, and its standard error."""
    error = stdev(values) / sqrt(len(values)) if len(values) > 1 else nan
    return f"{mean(values):{sign}.4f} ± {error:.4f}"
