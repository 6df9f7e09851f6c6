"""Balancing beside static weights, and methods on gradients beside TorchJD's own loop; few tasks and many."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchjd import aggregation
from torchjd.autojac import jac_to_grad, mtl_backward

from benchmarks.by_hand import perceptron
from benchmarks.data import Recipe
from benchmarks.harness import Contestant, Options, Result, compare
from benchmarks.peers import ours
from benchmarks.sharing_speed import HIDDEN, data
from sklearn_mtl.balancing import BALANCERS, GradientBalancer

ROUNDS = 5
# Number of tasks, and epochs.
CASES = ((2, 10), (10, 5))
#: Aggregators of TorchJD by the names of this package's methods.
AGGREGATORS: dict[str, Any] = {
    "pcgrad": aggregation.PCGrad,
    "mgda": aggregation.MGDA,
    "cagrad": partial(aggregation.CAGrad, c=0.4),
    "nash_mtl": aggregation.NashMTL,
    "imtl_g": aggregation.IMTLG,
    "aligned_mtl": aggregation.AlignedMTL,
    "upgrad": aggregation.UPGrad,
    "dualproj": aggregation.DualProj,
    "graddrop": aggregation.GradDrop,
    "gradvac": aggregation.GradVac,
    "fairgrad": partial(aggregation.FairGrad, alpha=1.0),
    "config": aggregation.ConFIG,
    "pcd": aggregation.PCD,
}


def measure(options: Options) -> Iterator[list[Result]]:
    """Yield all methods beside static weights, and each on gradients beside TorchJD, by number of tasks."""
    n_rows, n_features, hidden = (100, 5, (8, 6)) if options.quick else (3_000, 32, HIDDEN)
    for n_tasks, epochs in ((2, 1), (3, 1)) if options.quick else CASES:
        recipe = Recipe(epochs=epochs, batch_size=256, hidden=hidden)
        X, y = data(n_rows, n_features, n_tasks)
        case = f"{n_tasks} tasks, {n_rows:,} × {n_features}, {recipe}"
        of_losses = {
            name: fit(recipe, X, y, balancing=name)
            for name, of in BALANCERS.items()
            if not issubclass(of, GradientBalancer)
        }
        yield compare(f"losses: {case}", of_losses, options, threads=1, rounds=ROUNDS)
        for name, aggregator in AGGREGATORS.items():
            method: Any = BALANCERS[name]
            beside = {
                "TorchJD, its own loop": by_hand(
                    # It alone remembers a weight of each task.
                    partial(aggregator, n_tasks=n_tasks) if name == "nash_mtl" else aggregator,
                    recipe,
                    X,
                    y,
                ),
                f"sklearn_mtl, {name}": fit(recipe, X, y, balancing=name),
                f"sklearn_mtl, {name} at the representation": fit(
                    recipe, X, y, balancing=method(at="representation")
                ),
            }
            yield compare(f"{name}: {case}", beside, options, threads=1, rounds=ROUNDS)


def fit(recipe: Recipe, X: np.ndarray, y: np.ndarray, **changed: Any) -> Contestant:
    """Return what makes and trains this package's estimator as a plain network."""
    return partial(ours(recipe, tasks=None, **changed).fit, X, y)


class Heads(nn.Module):
    """A perceptron, and a linear head for each task."""

    def __init__(self, n_features: int, hidden: tuple[int, ...], n_tasks: int) -> None:
        super().__init__()
        self.body = perceptron(n_features, hidden)
        self.heads = nn.ModuleList(nn.Linear(hidden[-1], 1) for _ in range(n_tasks))

    def losses(self, shared: Tensor, y: Tensor) -> list[Tensor]:
        """Return the squared error of each task."""
        return [
            (head(shared)[:, 0] - labels).square().mean()
            for head, labels in zip(self.heads, y.unbind(1), strict=True)
        ]


def by_hand(aggregator: Any, recipe: Recipe, X: np.ndarray, y: np.ndarray) -> Contestant:
    """Return what makes the same network and trains it by the loop of TorchJD's documentation.

    Parameters
    ----------
    aggregator : callable
        Returns an aggregator of TorchJD.
    recipe : Recipe
        Network and training.
    X, y : ndarray
        Rows, and labels of variance 1.
    """
    rows, labels = torch.from_numpy(X), torch.from_numpy(y)

    def train() -> nn.Module:
        torch.manual_seed(recipe.seed)
        module, aggregate = Heads(X.shape[1], recipe.hidden, y.shape[1]), aggregator()
        optimizer = torch.optim.AdamW(
            module.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
        )
        for _ in range(recipe.epochs):
            for batch in torch.randperm(len(rows)).split(recipe.batch_size):
                optimizer.zero_grad()
                shared = module.body(rows[batch])
                mtl_backward(module.losses(shared, labels[batch]), features=shared)
                jac_to_grad(module.body.parameters(), aggregate)
                optimizer.step()
        return module.eval()

    return train
