"""
Two digits: four tasks from one picture
=======================================

Which two digits a picture shows, one over the other, and what their sum is: a CNN against flat pixels.

A picture of 12 × 12 pixels has two of scikit-learn's real handwritten digits, overlaid: one up on the left,
one down on the right, each shifted by up to a pixel. Four tasks are learned at once: the left digit, the
right digit, whether their sum is odd, and the sum. No handwritten digit is in both the pictures that are
learned from and those that are scored. This example compares

1. logistic and ridge regression on the pixels, a model for each task;
2. random forests on the pixels, one for each task;
3. one perceptron for all tasks, on the pixels;
4. one CNN for all tasks, with images that are shifted in training, and without.

Run it with ``python examples/two_digits.py``; ``--quick`` takes a few pictures and epochs, which shows that
it works and nothing else.
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
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.augmentation import ImageAugmentation

SIZE = 12
SHIFT = 1  # pixels
TASKS = ("left", "right", "odd", "sum")


@dataclass(frozen=True)
class Plan:
    """How much is computed: everything, or only enough to show that it works."""

    n_train: int = 4_000
    n_test: int = 2_000
    network: dict[str, Any] = field(default_factory=lambda: {"n_bags": 1, "max_epochs": 60})
    n_trees: int = 100


QUICK = Plan(200, 100, {"n_bags": 1, "max_epochs": 1}, n_trees=5)


@dataclass(frozen=True)
class Pictures:
    """Pictures of two digits, float of shape (n, 12, 12, 1), and the labels of all tasks."""

    images: np.ndarray
    labels: dict[str, np.ndarray]

    @property
    def pixels(self) -> np.ndarray:
        """The pictures as a table."""
        return self.images.reshape(len(self.images), -1)


def overlaid(images: np.ndarray, digits: np.ndarray, n: int, random: np.random.Generator) -> Pictures:
    """Overlay pairs of digits that are drawn from those given."""
    pairs = random.integers(len(images), size=(n, 2))
    found = np.zeros((n, SIZE, SIZE, 1), dtype=np.float32)
    for picture, pair in zip(found, pairs, strict=True):
        corners = [random.integers(0, SHIFT + 1, size=2), SIZE - 8 - random.integers(0, SHIFT + 1, size=2)]
        for (down, across), digit in zip(corners, pair, strict=True):
            part = picture[down : down + 8, across : across + 8, 0]
            np.maximum(part, images[digit], out=part)
    left, right = digits[pairs].T
    labels = {"left": left, "right": right, "odd": (left + right) % 2 == 1, "sum": left + right + 0.0}
    return Pictures(found, labels)


# --- The models that are compared ------------------------------------------------------------------

Scores = Mapping[str, float]


def each_task_alone(train: Pictures, test: Pictures, classifier: Any, regressor: Any) -> Scores:
    """Fit a model to the pixels for each task."""
    models = {task: regressor if task == "sum" else classifier for task in TASKS}
    return {
        task: model.fit(train.pixels, train.labels[task]).score(test.pixels, test.labels[task])
        for task, model in models.items()
    }


def one_network(train: Pictures, test: Pictures, *, flat: bool = False, **options: Any) -> Scores:
    """Fit one network to all tasks: to the images, or to the pixels as a table."""
    network = MultiTaskClassifierRegressor(tasks={"sum": "regression"}, **options)
    known, new = (part.pixels if flat else part.images for part in (train, test))
    return network.fit(known, train.labels).score_tasks(new, test.labels).to_dict()


def models(plan: Plan, seed: int) -> dict[str, Callable[[Pictures, Pictures], Scores]]:
    """Return what is compared, by name."""
    linear = (make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300)), RidgeCV())
    of_trees = {"n_estimators": plan.n_trees, "random_state": seed}
    forests = (RandomForestClassifier(**of_trees), RandomForestRegressor(max_features=1 / 3, **of_trees))
    how = {"random_state": seed, **plan.network}
    return {
        "linear models": lambda train, test: each_task_alone(train, test, *linear),
        "random forests": lambda train, test: each_task_alone(train, test, *forests),
        "perceptron, pixels": lambda train, test: one_network(train, test, flat=True, trunk="mlp", **how),
        "CNN": lambda train, test: one_network(train, test, **how),
        "CNN, shifted images": lambda train, test: one_network(
            train, test, augmentation=ImageAugmentation(1 / SIZE), **how
        ),
    }


# --- All of it ---------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description="Two overlaid digits, their parity and their sum.")
    parser.add_argument("--quick", action="store_true", help="few pictures, to see that it works")
    parser.add_argument("--seed", type=int, default=0, help="of the pictures and of training (default: 0)")
    arguments = parser.parse_args(argv)
    plan, random = QUICK if arguments.quick else Plan(), np.random.default_rng(arguments.seed)

    images, digits = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8) / 16
    order = random.permutation(len(images))
    known, new = np.split(order, [int(0.7 * len(order))])
    train = overlaid(images[known], digits[known], plan.n_train, random)
    test = overlaid(images[new], digits[new], plan.n_test, random)
    console = Console()
    console.print(
        f"{plan.n_train:,} pictures of two digits; scored on {plan.n_test:,} of other digits: accuracy, and "
        "R² of the sum.",
        highlight=False,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("model", no_wrap=True)
    for heading in (*TASKS, "seconds"):
        table.add_column(heading, justify="right")
    for name, score in models(plan, arguments.seed).items():
        started = time.perf_counter()
        scores = score(train, test)
        seconds = time.perf_counter() - started
        table.add_row(name, *(f"{scores[task]:.3f}" for task in TASKS), f"{seconds:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
