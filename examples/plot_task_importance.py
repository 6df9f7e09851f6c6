"""
What each task needs to know
============================

One network learns the price of houses, a regression, and their building type, five classes. What does each
of the two look at? Shuffle the values of a column, and see how much worse each task is predicted: all tasks
are scored from the same predictions. Columns that tell the same are shuffled together, and partial dependence
says in which direction a column moves the price and the probability of each type.
"""

# %%
# Houses
# ------
#
# Sales in Ames, Iowa, with a dozen of the columns of the assessor's office. The importances are those for
# rows that the network was not fitted to.

import sys

from sklearn.model_selection import train_test_split

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import fetch_ames_housing
from sklearn_mtl.inspection import (
    TaskImportanceDisplay,
    TaskPartialDependenceDisplay,
    task_permutation_importance,
)

quick = "--quick" in sys.argv
columns = ["area", "Total.Bsmt.SF", "Garage.Area", "Lot.Area", "Lot.Frontage", "Overall.Qual", "Overall.Cond"]
columns += ["Year.Built", "Neighborhood", "Full.Bath", "Bedroom.AbvGr", "Fireplaces"]
X, Y = fetch_ames_housing(return_X_y=True)
X = X[columns]
if quick:
    X, Y = X[:400], Y[:400]
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.3, random_state=0)
est = MultiTaskClassifierRegressor(n_bags=1, max_epochs=3 if quick else 40, tree_blend=False, random_state=0)
est.fit(X_train, Y_train)
print(est.score_tasks(X_test, Y_test).round(3).to_string())

# %%
# One column at a time
# --------------------
#
# The columns stand in the same order in both panels. What is long on the left and short on the right is what
# the price needs and the type does not.

found = task_permutation_importance(est, X_test, Y_test, n_repeats=2 if quick else 5, random_state=0)
print(found.importances_mean.round(3).to_string())
TaskImportanceDisplay(importances_mean=found.importances_mean, importances_std=found.importances_std).plot()
print("most important:", found.importances_mean.idxmax().to_dict())

# %%
# Columns that belong together
# ----------------------------
#
# Of two columns that tell nearly the same, each alone seems to matter little, as the network reads the other.
# A group is shuffled as a whole: each row gets all columns of the group from the same other row. Accuracy is
# a coarse measure where five of six houses are of one type; the log-loss hears of every probability.

groups = {
    "size": ["area", "Total.Bsmt.SF", "Garage.Area", "Full.Bath", "Bedroom.AbvGr", "Fireplaces"],
    "land": ["Lot.Area", "Lot.Frontage"],
    "quality and age": ["Overall.Qual", "Overall.Cond", "Year.Built"],
    "place": "Neighborhood",
}
display = TaskImportanceDisplay.from_estimator(
    est, X_test, Y_test, features=groups, metrics={"price": "r2", "type": "neg_log_loss"}, random_state=0
)
print(display.importances_mean.round(3).to_string())
most = display.importances_mean.idxmax()
print(f"the price loses most without {most.iloc[0]!r}, the type without {most.iloc[1]!r}")

# %%
# In which direction
# ------------------
#
# The mean prediction over the houses, as if all of them had so much living area, or stood on so much land.
# The dependence of both tasks comes from one grid: for each of its values the houses go through the network
# once.

TaskPartialDependenceDisplay.from_estimator(est, X_test, ["area", "Lot.Area"], grid_resolution=20)
