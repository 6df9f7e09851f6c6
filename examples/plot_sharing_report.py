"""
Is sharing worth it?
====================

Whether a task is learned better together with others or by itself is nothing to believe in: it can be
measured. ``sharing_report`` fits one network to all tasks, the same network to each task alone, and
gradient boosting to each task, all to the same folds, and says what differs by more than chance. Five
things are to be told of houses in Ames, Iowa, with all labels known; then come four made tasks with few
labels, which share what determines them.
"""

# %%
# Five tasks, all labels known
# ----------------------------
#
# Each task has its own scale and kind: numbers such as the price and the year it was built, and classes
# such as the type of building. Columns that say any of this in other words are left out.

import sys

import pandas as pd
from sklearn.model_selection import KFold

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import fetch_ames_housing, make_multitask
from sklearn_mtl.inspection import SharingReportDisplay, sharing_report

quick = "--quick" in sys.argv
houses, targets = fetch_ames_housing(return_X_y=True)
houses = houses.sample(240 if quick else 1000, random_state=0)
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
Y = pd.DataFrame(
    {
        "price": targets["price"].loc[X.index],
        "built": houses["Year.Built"],
        "quality": houses["Overall.Qual"],
        "detached": targets["type"].loc[X.index] == "1Fam",
        "regular lot": houses["Lot.Shape"] == "Reg",
    }
)
print(Y.head())

# %%
# The report trains all networks of all folds in one go. Its ``summary`` says in a sentence what to do with
# each task.

network = MultiTaskClassifierRegressor(
    tasks={"built": "regression", "quality": "regression"},
    trunk="mlp",
    max_epochs=2 if quick else 100,
    n_bags=1,
    linear_blend=False,
    tree_blend=False,
    random_state=0,
)
folds = KFold(2 if quick else 5, shuffle=True, random_state=0)
report = sharing_report(network, X, Y, cv=folds, baselines=True)
print(report.summary())

# %%
# The figure has the differences of the scores with their 95 % intervals, which are those of a test that
# knows that folds share training rows (Nadeau & Bengio 2003). Right of the line, the network that learns
# all tasks is better; small marks are single folds.

display = SharingReportDisplay.from_report(report)

# %%
# The same numbers as a frame:

columns = ["metric", "joint", "other", "difference", "std", "p_value"]
print(report.differences[columns].round(3).to_string())

# %%
# With all labels known, sharing changes little here: the differences between the joint network and each
# task alone are within chance. One network then still has its use, as there is one model to fit and to
# keep.
#
# Few labels, and tasks that share what determines them
# -----------------------------------------------------
#
# The case that sharing is for: four tasks that are read from the same two hidden factors, each with seven
# in ten labels missing. A network for one task sees the rows with its own labels, and the joint one those
# with a label of any.

X, Y = make_multitask(
    150 if quick else 600, 10, n_regression=4, n_factors=2, missing_labels=0.7, random_state=0
)
network.set_params(tasks=None)
report_of_few = sharing_report(network, X, Y, cv=folds)
print(report_of_few.summary())
display = SharingReportDisplay.from_report(report_of_few)

# %%
# How many tasks are better together by more than chance, of the houses and of the made ones:

for name, found in (("houses", report), ("few labels", report_of_few)):
    alone = found.differences.xs("alone", level="against")
    better = (alone["difference"] > 0) & (alone["p_value"] < 0.05)
    print(f"{name}: {better.sum()} of {len(better)}; mean difference {alone['difference'].mean():+.3f}")
