"""
House photos: price and type from a picture, a table and both
=============================================================

Price and type of houses, from their pictures, from a table of the same houses, and from both.

``make_house_images`` draws houses. The garden, the condition and the neighbours are in the picture alone,
the year and the district in the table alone, and both tell something of the size. This example compares, on
houses that none has seen,

1. scikit-learn's gradient boosting on the table, a model for each task;
2. one network for both tasks, on the table;
3. one network for both tasks, on the pictures, with and without mirrored and shifted ones in training;
4. one network for both tasks, on the table and the pictures together.

Run it with ``python examples/house_photos.py``; ``--quick`` takes few houses and epochs, which shows that it
works and nothing else.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, mean_absolute_percentage_error, r2_score

from sklearn_mtl import MultiInput, MultiTaskClassifierRegressor
from sklearn_mtl.augmentation import ImageAugmentation
from sklearn_mtl.datasets import make_house_images
from sklearn_mtl.trunks import CNN, Fusion

Labels = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Plan:
    """How much is computed: everything, or only enough to show that it works."""

    n_train: int = 2_000
    n_test: int = 1_000
    network: dict[str, Any] = field(default_factory=lambda: {"n_bags": 1, "max_epochs": 25})


QUICK = Plan(100, 50, {"n_bags": 1, "max_epochs": 1})


def boosting(known: Any, Y: Labels, new: Any, seed: int) -> Labels:
    """Predict each task by a model of its own."""
    models = {"price": HistGradientBoostingRegressor, "type": HistGradientBoostingClassifier}
    told = {"categorical_features": "from_dtype", "random_state": seed}
    return {task: model(**told).fit(known, Y[task]).predict(new) for task, model in models.items()}


def network(known: Any, Y: Labels, new: Any, **options: Any) -> Labels:
    """Predict both tasks by one network."""
    predicted: Labels = MultiTaskClassifierRegressor(**options).fit(known, Y).predict(new)
    return predicted


def models(plan: Plan, seed: int) -> dict[str, tuple[str, Callable[..., Labels]]]:
    """Return by name the input that a model takes, and what predicts."""
    how = {"random_state": seed, **plan.network}
    changed = {"augmentation": ImageAugmentation(0.05, flip="horizontal")}
    # By default the first convolution halves images of 64 pixels; a quarter is computed four times as fast.
    photo = {**how, "trunk": CNN(stride=4)}
    both = {**how, "trunk": Fusion({"photo": CNN(stride=4)})}
    return {
        "boosting, table": ("table", lambda *data: boosting(*data, seed)),
        "network, table": ("table", lambda *data: network(*data, **how)),
        "network, photo": ("photo", lambda *data: network(*data, **photo)),
        "network, changed photos": ("photo", lambda *data: network(*data, **changed, **photo)),
        "network, both": ("both", lambda *data: network(*data, **both)),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description="Price and type of houses, from pictures, a table or both.")
    parser.add_argument("--quick", action="store_true", help="few houses and one epoch, to see that it works")
    parser.add_argument("--seed", type=int, default=0, help="of the houses and of training (default: 0)")
    arguments = parser.parse_args(argv)
    plan, seed = QUICK if arguments.quick else Plan(), arguments.seed

    X, Y = make_house_images(plan.n_train + plan.n_test, random_state=seed)
    inputs = {**X, "both": MultiInput(X)}
    train, test = slice(None, plan.n_train), slice(plan.n_train, None)
    known = {task: labels[train] for task, labels in Y.items()}
    console = Console()
    console.print(f"{plan.n_train:,} houses; scored on {plan.n_test:,} others.", highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("model", no_wrap=True)
    for heading in ("price, R²", "error", "type, accuracy", "seconds"):
        table.add_column(heading, justify="right")
    for name, (kind, predicted_by) in models(plan, seed).items():
        started = time.perf_counter()
        found = predicted_by(inputs[kind][train], known, inputs[kind][test])
        seconds = time.perf_counter() - started
        table.add_row(
            name,
            f"{r2_score(Y['price'][test], found['price']):.3f}",
            f"{mean_absolute_percentage_error(Y['price'][test], found['price']):.1%}",
            f"{accuracy_score(Y['type'][test], found['type']):.3f}",
            f"{seconds:.1f}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
