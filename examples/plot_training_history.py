"""
Reading the history of a training
=================================

Two tasks are learned from the houses of Ames, Iowa: the price and the type of building. What one network
and a bag of networks learned in each epoch is drawn by task: the losses on training rows and on held-out
rows, the score, and the weight. The table below says by how much the best epoch of each task alone would
have been better than the one that was best for both.
"""

# %%
# One network
# -----------
#
# Losses are comparable: 1 is what the best constant prediction of a task would have. Where the dashed line
# goes on falling and the solid one does not, the network begins to learn its training rows by heart. That
# is where the mean over the tasks is lowest, which the dotted line marks: the weights that the network
# keeps are the mean of those of this epoch and of the epochs after it.

import sys

import pandas as pd

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import fetch_ames_housing
from sklearn_mtl.inspection import TrainingHistoryDisplay

quick = "--quick" in sys.argv
houses, Y = fetch_ames_housing(return_X_y=True)
X = houses.sample(300 if quick else 1500, random_state=0)
Y = Y.loc[X.index]
settings = {
    "trunk": "mlp",
    "max_epochs": 3 if quick else 100,
    "patience": 15,
    "linear_blend": False,
    "tree_blend": False,
    "random_state": 0,
}
one = MultiTaskClassifierRegressor(n_bags=1, **settings).fit(X, Y)
display = TrainingHistoryDisplay.from_estimator(one)

# %%
# The tasks need not be best at the same time. For each, the lowest loss of its own, and the loss in the epoch
# with the lowest mean:

history = one.history_.set_index("epoch")
best = history["valid_loss"].idxmin()
losses = history[[f"valid_loss_{name}" for name in one.tasks_]]
table = pd.DataFrame(
    {
        "best epoch": losses.idxmin().to_numpy(),
        "loss there": losses.min().to_numpy(),
        f"loss in epoch {best}": losses.loc[best].to_numpy(),
    },
    index=list(one.tasks_),
)
print(table.round(3))

# %%
# A bag, and a balancer at work
# -----------------------------
#
# Of several networks the mean is drawn, in a band of one standard deviation. Each has held out other rows
# and may stop at another time, so that the last epochs are those of few networks. Dynamic weight averaging
# gives more weight to a task whose loss falls more slowly than the others'; the last panel has what came
# of it.

bag = MultiTaskClassifierRegressor(n_bags=3, balancing="dwa", **settings).fit(X, Y)
display = TrainingHistoryDisplay.from_estimator(bag)

# %%
weights = bag.history_.groupby("epoch")[["weight_price", "weight_type"]].mean()
print(weights.agg(["min", "max"]).round(3))

# %%
# ``callbacks=[LiveHistory("history.png")]`` draws the same figure again and again while a training runs, and
# in a notebook ``LiveHistory()`` does.
