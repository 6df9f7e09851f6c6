"""
Which tasks belong together
===========================

Tasks that learn from the same signal help each other in one network, others only get in each other's way.
Four measures tell them apart, from one that needs the labels alone to one that makes trial steps while a
network is trained. Two groups of tasks are made first, so that it is known what is to be found; then come
six real tasks, what appraisers and buyers made of houses in Ames, Iowa. The groups that are suggested are
what ``Hierarchical`` takes, a trunk that branches.
"""

# %%
# Two groups that were made
# -------------------------
#
# ``regression0``, ``regression2`` and ``binary1`` are read from two hidden factors, the others from two
# others; a tenth of the labels is missing. ``task_affinity`` trains a copy of the network and, at every
# third step, takes one step for each task by itself: how much does it lower the loss of the others? The
# pairs that do belong together stand out.

import sys

import pandas as pd

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import fetch_ames_housing, make_multitask
from sklearn_mtl.inspection import TaskAffinityDisplay, suggest_groups, task_affinity
from sklearn_mtl.sharing import Hierarchical

quick = "--quick" in sys.argv
X, Y = make_multitask(
    200 if quick else 1500,
    12,
    n_regression=3,
    n_binary=3,
    n_groups=2,
    n_factors=2,
    missing_labels=0.1,
    random_state=0,
)
network = MultiTaskClassifierRegressor(max_epochs=2 if quick else 15, random_state=0)
display = TaskAffinityDisplay.from_estimator(network, X, Y, n_groups=2)
display.axes_[0].set_title("two groups that were made")
made = [["regression0", "regression2", "binary1"], ["regression1", "binary0", "binary2"]]
print("suggested:", display.groups)
print("the groups that were made are found:", display.groups == made)

# %%
# Real houses
# -----------
#
# Six things are to be told of a house from its areas, rooms and lot: the price, the year it was built, how
# appraisers rated its quality (1 to 10) and its heating, the type of building, and whether the lot has a
# regular shape. Columns that say any of this in other words are left out.

houses, targets = fetch_ames_housing(return_X_y=True)
Y = pd.DataFrame(
    {
        "price": targets["price"],
        "built": houses["Year.Built"],
        "quality": houses["Overall.Qual"],
        "heating": houses["Heating.QC"].replace({"Po": "Fa"}),
        "type": targets["type"],
        "regular": houses["Lot.Shape"] == "Reg",
    }
)
kinds = {"built": "regression", "quality": "regression"}
areas = ["area", "Lot.Area", "Lot.Frontage", "Mas.Vnr.Area", "Total.Bsmt.SF", "Bsmt.Unf.SF", "X1st.Flr.SF"]
rooms = [
    "X2nd.Flr.SF",
    "Full.Bath",
    "Half.Bath",
    "Bedroom.AbvGr",
    "TotRms.AbvGrd",
    "Fireplaces",
    "Garage.Area",
]
X = houses[areas + rooms]
if quick:
    X, Y = X[:300], Y[:300]
print(Y.head())

# %%
# The labels alone
# ----------------
#
# Numbers are compared by Spearman's rank correlation, numbers and classes by the correlation ratio, classes
# by Cramér's V; nothing is trained. Price, quality and age of a house go together.

one_net = {"n_bags": 1, "linear_blend": False, "tree_blend": False}
network = MultiTaskClassifierRegressor(tasks=kinds, max_epochs=2 if quick else 15, random_state=0, **one_net)
labels = task_affinity(network, X, Y, measure="target_correlation")
print(labels.attrs["pairs"]["price"])
display = TaskAffinityDisplay(affinity=labels, groups=suggest_groups(labels, 2)).plot()

# %%
# What a network makes of them
# ----------------------------
#
# The other measures ask a network: the steps of above, the cosine between the gradients of two tasks in
# what they share, and how similar the representations are that networks for single tasks have learned
# (CKA).

for measure in ("affinity", "gradient_cosine", "cka"):
    display = TaskAffinityDisplay.from_estimator(network, X, Y, measure=measure, n_groups=2)
    display.axes_[0].set_title(measure)
    print(f"{measure}: {display.groups}")

# %%
# A trunk that branches
# ---------------------
#
# A suggestion is worth a trial, no more. Here the scores of held-out houses hardly change when each group
# gets a branch of its own. ``sharing_report`` compares each task with and without the others on several
# folds, and says what is chance.

groups = suggest_groups(labels, 2)
rows = pd.Series(range(len(X))) % 4 == 0
train, test = ~rows.to_numpy(), rows.to_numpy()
scores = {}
for name, sharing in {"one trunk": None, "a branch for each group": Hierarchical(groups)}.items():
    network.set_params(sharing=sharing)
    scores[name] = network.fit(X[train], Y[train]).score_tasks(X[test], Y[test])
print(pd.DataFrame(scores).round(3).to_string())
