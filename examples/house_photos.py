"""
House photos: price and type from a picture, a table and both
=============================================================

``make_house_images`` draws houses. The garden, the condition and the neighbours are in the picture alone,
the year and the district in the table alone, and both tell something of the size. Price and type of houses
are predicted from their pictures, from a table of the same houses, and from both, by one network each.

With ``--quick`` it takes few houses and epochs, which shows that it works and nothing else.
"""

# %%
# The houses
# ----------
# X is a mapping: images under ``photo``, a DataFrame under ``table``. `MultiInput` is such a mapping that can
# also be cut into rows.

from __future__ import annotations

import sys
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearn_mtl import MultiInput
from sklearn_mtl.datasets import make_house_images

QUICK = "--quick" in sys.argv
N_TRAIN, N_TEST = (100, 50) if QUICK else (2_000, 1_000)

X, Y = make_house_images(N_TRAIN + N_TEST, random_state=0)
inputs = {**X, "both": MultiInput(X)}
train, test = slice(None, N_TRAIN), slice(N_TRAIN, None)
known = {task: labels[train] for task, labels in Y.items()}

figure, axes = plt.subplots(1, 5, figsize=(10, 2.6), layout="constrained")
for i, ax in enumerate(axes):
    ax.imshow(X["photo"][i])
    ax.set_title(f"{Y['type'][i]}, {Y['price'][i]:,.0f}", fontsize="medium")
    ax.set_axis_off()

print(X["table"].head().to_string())

# %%
# A model for each task, on the table
# -----------------------------------
# scikit-learn's gradient boosting takes the table only.

from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, mean_absolute_percentage_error, r2_score

rows = {}
started = time.perf_counter()


def note(model: str, predicted: dict[str, np.ndarray]) -> None:
    """Write down the scores of a model, and how long it took since the one before."""
    global started
    rows[model] = {
        "price, R²": r2_score(Y["price"][test], predicted["price"]),
        "error": mean_absolute_percentage_error(Y["price"][test], predicted["price"]),
        "type, accuracy": accuracy_score(Y["type"][test], predicted["type"]),
        "seconds": time.perf_counter() - started,
    }
    started = time.perf_counter()


boosting = {"price": HistGradientBoostingRegressor, "type": HistGradientBoostingClassifier}
note(
    "boosting, table",
    {
        task: model(categorical_features="from_dtype", random_state=0)
        .fit(X["table"][train], known[task])
        .predict(X["table"][test])
        for task, model in boosting.items()
    },
)

# %%
# One network for both tasks
# --------------------------
# What a network is given decides what it reads it with. By default the first convolution halves images of 64
# pixels; ``stride=4``, a quarter, is computed four times as fast. `Fusion` names the trunk of one of several
# inputs. The photos can be mirrored and shifted in training.

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.augmentation import ImageAugmentation
from sklearn_mtl.trunks import CNN, Fusion

changed = ImageAugmentation(0.05, flip="horizontal")
networks = {
    "network, table": ("table", {}),
    "network, photo": ("photo", {"trunk": CNN(stride=4)}),
    "network, changed photos": ("photo", {"trunk": CNN(stride=4), "augmentation": changed}),
    "network, both": ("both", {"trunk": Fusion({"photo": CNN(stride=4)})}),
}
for name, (given, options) in networks.items():
    network = MultiTaskClassifierRegressor(n_bags=1, max_epochs=1 if QUICK else 25, random_state=0, **options)
    network.fit(inputs[given][train], known)
    note(name, network.predict(inputs[given][test]))

# %%
# Who sees what
# -------------
# The table does not show the type, the photo does not show most of the price, and the network that is given
# both has both.

table = pd.DataFrame(rows).T
print(f"{N_TRAIN:,} houses; scored on {N_TEST:,} others.")
print(table.round({"price, R²": 3, "error": 3, "type, accuracy": 3, "seconds": 1}).to_string())

figure, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
table[["price, R²", "type, accuracy"]].plot.barh(ax=ax)
ax.invert_yaxis()
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
