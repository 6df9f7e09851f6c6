"""
Two digits: four tasks from one picture
=======================================

A picture of 12 × 12 pixels has two of scikit-learn's real handwritten digits, overlaid: one up on the left,
one down on the right, each shifted by up to a pixel. Four tasks are learned at once: the left digit, the
right digit, whether their sum is odd, and the sum. No handwritten digit is in both the pictures that are
learned from and those that are scored. What reads a picture as a picture, a convolutional network, is
compared with what reads flat pixels.

With ``--quick`` it takes a few pictures and epochs, which shows that it works and nothing else.
"""

# %%
# The pictures
# ------------
# The digits are split before they are overlaid, so that none is in both parts.

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

QUICK = "--quick" in sys.argv
N_TRAIN, N_TEST = (200, 100) if QUICK else (4_000, 2_000)
SIZE = 12
SHIFT = 1  # pixels
TASKS = ("left", "right", "odd", "sum")


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


random = np.random.default_rng(0)
images, digits = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8) / 16
known, new = np.split(random.permutation(len(images)), [int(0.7 * len(images))])
train = overlaid(images[known], digits[known], N_TRAIN, random)
test = overlaid(images[new], digits[new], N_TEST, random)

figure, axes = plt.subplots(2, 6, figsize=(9, 3.4), layout="constrained")
for i, ax in enumerate(axes.flat):
    ax.imshow(train.images[i, ..., 0], cmap="gray_r")
    ax.set_title(f"{train.labels['left'][i]} and {train.labels['right'][i]}")
    ax.set_axis_off()

# %%
# A model for each task, on pixels
# --------------------------------
# Linear models and random forests, one for each of the four tasks. Scores are the accuracy, and R² of the
# sum.

from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

scores: dict[str, Mapping[str, float]] = {}
started = time.perf_counter()


def note(model: str, found: Mapping[str, float]) -> None:
    """Write down the scores of a model, and how long it took since the one before."""
    global started
    scores[model] = {**found, "seconds": time.perf_counter() - started}
    started = time.perf_counter()


def each_task_alone(classifier: Any, regressor: Any) -> Mapping[str, float]:
    """Fit a model to the pixels for each task."""
    models = {task: regressor if task == "sum" else classifier for task in TASKS}
    return {
        task: model.fit(train.pixels, train.labels[task]).score(test.pixels, test.labels[task])
        for task, model in models.items()
    }


logistic = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
note("linear models", each_task_alone(logistic, RidgeCV()))
trees = {"n_estimators": 5 if QUICK else 100, "random_state": 0}
forests = RandomForestClassifier(**trees), RandomForestRegressor(max_features=1 / 3, **trees)
note("random forests", each_task_alone(*forests))

# %%
# One network for all tasks
# -------------------------
# An array of two axes is a table to the estimator, one of four axes is images, for which its default is a
# convolutional network. `ImageAugmentation` shifts them in training by up to a pixel.

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.augmentation import ImageAugmentation

network = MultiTaskClassifierRegressor(
    tasks={"sum": "regression"}, n_bags=1, max_epochs=1 if QUICK else 60, random_state=0
)
network.set_params(trunk="mlp").fit(train.pixels, train.labels)
note("perceptron, pixels", network.score_tasks(test.pixels, test.labels).to_dict())
network.set_params(trunk=None).fit(train.images, train.labels)
note("CNN", network.score_tasks(test.images, test.labels).to_dict())
network.set_params(augmentation=ImageAugmentation(1 / SIZE)).fit(train.images, train.labels)
note("CNN, shifted images", network.score_tasks(test.images, test.labels).to_dict())

table = pd.DataFrame(scores).T
print(
    f"{N_TRAIN:,} pictures of two digits; scored on {N_TEST:,} of other digits: accuracy, and R² of the sum."
)
print(table.round({**dict.fromkeys(TASKS, 3), "seconds": 1}).to_string())

# %%
# The two digits stand side by side. Their sum, and whether it is odd, ask for both at once, and there the
# models differ most:

figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
table[list(TASKS)].T.plot.bar(ax=ax, rot=0, width=0.8)
ax.set_ylabel("accuracy; R² of the sum")
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
