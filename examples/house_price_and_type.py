"""
House prices: comparison, search and figure
===========================================

Price and building type of real houses, with one network.

A house sale has a price (a number) and a building type (one of five classes). This example

1. fits one network to both, the same network to each alone, and scikit-learn's gradient boosting to
   each, and scores all of them on sales that none has seen, with and without the very large houses;
2. searches the weight of the second task with scikit-learn's own ``GridSearchCV``;
3. draws how the network learned, and what each weight gives and takes.

Run it with ``make demo``, or ``python examples/house_price_and_type.py``; ``--quick`` takes a small
sample and a few epochs, which shows that it works and nothing else. On the site it ran with ``--short``, two
networks in a bag and fewer weights, to be done in under a minute.
"""

# %%
# How much is computed
# --------------------
# This is a whole program, of functions that its last part calls.

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
    mean_absolute_error,
    median_absolute_error,
    r2_score,
    root_mean_squared_error,
)
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import fetch_ames_housing

COLORS = {"price": "#1f6fb4", "type": "#d1600f"}
# The paper that the data come with advises to leave out houses of more square feet: five, of which three were
# sold before they were finished, for a fraction of what such a house costs.
LARGEST_AREA = 4000


@dataclass(frozen=True)
class Plan:
    """How much is computed: everything, or only enough to show that it works."""

    n_rows: int | None = None  # None: all
    network: dict[str, Any] = field(default_factory=dict)  # {}: the package's defaults
    boosting: dict[str, Any] = field(default_factory=dict)  # {}: scikit-learn's defaults
    # The search trains one network for each weight and fold, so it takes one bag and fewer epochs.
    search: dict[str, Any] = field(default_factory=lambda: {"n_bags": 1, "max_epochs": 30})
    type_weights: Sequence[float] = (0.1, 0.3, 1.0, 3.0, 10.0)
    n_folds: int = 3

    @property
    def n_steps(self) -> int:
        """Four fits to compare, those of the search, and the refit of what it chose."""
        return 4 + len(self.type_weights) * self.n_folds + 1


SHORT = Plan(network={"n_bags": 2}, type_weights=(0.1, 1.0, 10.0), n_folds=2)
QUICK = Plan(
    n_rows=300,
    network={"n_bags": 1, "max_epochs": 3},
    boosting={"max_iter": 5},
    search={"n_bags": 1, "max_epochs": 3},
    type_weights=(0.1, 1.0),
    n_folds=2,
)


class Steps:
    """A progress bar, and above it a line for each step that is done."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress = progress
        self.bar = progress.add_task("starting", total=total)
        self.started = time.perf_counter()

    def begin(self, what: str) -> None:
        """Say what is being computed."""
        self.progress.update(self.bar, description=what)
        self.started = time.perf_counter()

    def end(self, line: str | None = None) -> None:
        """Count a step, and say how many seconds it took."""
        seconds = time.perf_counter() - self.started
        self.progress.advance(self.bar)
        if line is not None:
            self.progress.console.print(f"  {line}, {seconds:.1f} s", highlight=False)


# %%
# The models that are compared
# ----------------------------
# One network for both tasks, the same network for each alone, and gradient boosting for each.


@dataclass(frozen=True)
class Contender:
    """A regressor for the price and a classifier for the type, as scikit-learn knows them."""

    name: str
    price: RegressorMixin
    type: ClassifierMixin

    def type_scores(self, X: pd.DataFrame, Y: pd.DataFrame) -> dict[str, float]:
        """Score the type, and the probabilities of each, on rows that were not learned from."""
        kind, odds = self.type.predict(X), self.type.predict_proba(X)
        return {
            "accuracy": accuracy_score(Y["type"], kind),
            "balanced": balanced_accuracy_score(Y["type"], kind),
            "log_loss": log_loss(Y["type"], odds, labels=self.type.classes_),
        }

    def price_scores(self, X: pd.DataFrame, Y: pd.DataFrame) -> dict[str, float]:
        """Score the price: a few large errors rule RMSE and R², and hardly touch the median error."""
        price = self.price.predict(X)
        return {
            "rmse": root_mean_squared_error(Y["price"], price),
            "mean_error": mean_absolute_error(Y["price"], price),
            "median_error": median_absolute_error(Y["price"], price),
            "r2": r2_score(Y["price"], price),
        }


def fit_joint(X: pd.DataFrame, Y: pd.DataFrame, plan: Plan, seed: int, steps: Steps) -> Contender:
    """Fit one network to both columns of Y."""
    network = MultiTaskClassifierRegressor(random_state=seed, **plan.network)
    steps.begin("one network for both tasks")
    network.fit(X, Y)
    steps.end(f"one network for both tasks: {network.n_iter_} epochs")
    # `task` gives one task of a fitted network as an ordinary scikit-learn regressor or classifier.
    return Contender("both tasks together", network.task("price"), network.task("type"))


def fit_alone(X: pd.DataFrame, Y: pd.DataFrame, plan: Plan, seed: int, steps: Steps) -> Contender:
    """Fit the same network to one column of Y at a time."""
    views = {}
    for task in Y.columns:
        network = MultiTaskClassifierRegressor(random_state=seed, **plan.network)
        steps.begin(f"the same network, {task} alone")
        network.fit(X, Y[[task]])
        steps.end(f"the same network, {task} alone: {network.n_iter_} epochs")
        views[task] = network.task(task)
    return Contender("each task alone", views["price"], views["type"])


def fit_boosting(X: pd.DataFrame, Y: pd.DataFrame, plan: Plan, seed: int, steps: Steps) -> Contender:
    """Fit scikit-learn's gradient boosting to each task, text columns as categories."""
    options = {"categorical_features": "from_dtype", "random_state": seed, **plan.boosting}
    steps.begin("HistGradientBoosting, each task")
    price, kind = (
        make_pipeline(FunctionTransformer(text_as_categories), model).fit(X, Y[task])
        for task, model in {
            "price": HistGradientBoostingRegressor(**options),
            "type": HistGradientBoostingClassifier(**options),
        }.items()
    )
    steps.end("HistGradientBoosting, each task")
    return Contender("HistGradientBoosting", price, kind)


def text_as_categories(X: pd.DataFrame) -> pd.DataFrame:
    """Turn columns of text into categories, which gradient boosting asks for."""
    return X.astype(dict.fromkeys(X.select_dtypes(exclude="number").columns, "category"))


# %%
# The search over the weight of one task
# --------------------------------------
# ``GridSearchCV`` around a ``Pipeline``, with a score for each task.


def add_totals(X: pd.DataFrame) -> pd.DataFrame:
    """Add two columns that appraisers look at; a step of a pipeline like any other."""
    return X.assign(total_area=X["area"] + X["Total.Bsmt.SF"], age=X["Yr.Sold"] - X["Year.Built"])


def score_each_task(pipeline: Pipeline, X: pd.DataFrame, Y: pd.DataFrame) -> dict[str, float]:
    """Score each task, and their mean, which chooses; ``GridSearchCV`` makes columns of them."""
    by_task = pipeline["network"].score_tasks(pipeline[:-1].transform(X), Y)
    return {**by_task, "mean": by_task.mean()}


def search(X: pd.DataFrame, Y: pd.DataFrame, plan: Plan, seed: int, steps: Steps) -> GridSearchCV:
    """Search the weight of the type, that of the price being 1."""
    pipeline = Pipeline(
        [
            ("totals", FunctionTransformer(add_totals)),
            ("network", MultiTaskClassifierRegressor(random_state=seed, **plan.search)),
        ]
    )
    n_done = 0

    def score_and_report(pipeline: Pipeline, X: pd.DataFrame, Y: pd.DataFrame) -> dict[str, float]:
        nonlocal n_done
        fold, n_done = n_done % plan.n_folds + 1, n_done + 1
        weight = pipeline["network"].task_weights["type"]
        steps.end(f"weight {weight:g}, fold {fold} of {plan.n_folds}")
        steps.begin("search over the weight of the type")
        return score_each_task(pipeline, X, Y)

    # Some types are rare, so every fold gets its share of each.
    folds = StratifiedKFold(plan.n_folds, shuffle=True, random_state=seed)
    grid = GridSearchCV(
        pipeline,
        {"network__task_weights__type": list(plan.type_weights)},
        scoring=score_and_report,
        refit="mean",
        cv=list(folds.split(X, Y["type"])),
    )
    steps.begin("search over the weight of the type")
    grid.fit(X, Y)
    steps.end("refit with the chosen weight")
    return grid


# %%
# What is shown
# -------------
# Tables, and a figure.


def new_table(title: str) -> Table:
    """Return an empty table."""
    return Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )


SCORES = {  # name: heading, format, what picks the best
    "rmse": ("RMSE, $", "{:,.0f}", min),
    "mean_error": ("mean error, $", "{:,.0f}", min),
    "median_error": ("median error, $", "{:,.0f}", min),
    "r2": ("R²", "{:.3f}", max),
    "accuracy": ("accuracy", "{:.3f}", max),
    "balanced": ("balanced accuracy", "{:.3f}", max),
    "log_loss": ("log-loss", "{:.3f}", min),
}


def score_table(title: str, rows: dict[str, dict[str, float]]) -> Table:
    """Lay out the scores of the models, the best of each column in bold."""
    table = new_table(title)
    table.add_column("model", no_wrap=True)
    shown = [name for name in SCORES if name in next(iter(rows.values()))]
    for name in shown:
        table.add_column(SCORES[name][0], justify="right")
    for model, row in rows.items():
        cells = []
        for name in shown:
            _, form, best = SCORES[name]
            text = form.format(row[name])
            is_best = text == form.format(best(other[name] for other in rows.values()))
            cells.append(f"[bold]{text}[/bold]" if is_best else text)
        table.add_row(model, *cells)
    return table


def large_houses_table(contenders: Sequence[Contender], X: pd.DataFrame, Y: pd.DataFrame) -> Table:
    """Lay out what each of some sales cost, and what each model takes the price for."""
    table = new_table(f"Those above {LARGEST_AREA:,} square feet, in thousands of $")
    table.add_column("neighborhood\ncondition\narea")
    for area, *house in zip(X["area"], X["Neighborhood"], X["Sale.Condition"], strict=True):
        table.add_column("\n".join([*house, f"{area:,}"]), justify="right")
    prices = {"paid": Y["price"], **{one.name: one.price.predict(X) for one in contenders}}
    for name, of_houses in prices.items():
        table.add_row(name, *(f"{price / 1000:,.0f}" for price in of_houses))
    return table


def comparison_tables(contenders: Sequence[Contender], X: pd.DataFrame, Y: pd.DataFrame) -> list[Table]:
    """Return the scores of the type, and of the price with and without very large houses."""
    is_large = X["area"] > LARGEST_AREA
    types = {contender.name: contender.type_scores(X, Y) for contender in contenders}
    all_prices = {contender.name: contender.price_scores(X, Y) for contender in contenders}
    tables = [score_table("The type", types), score_table("The price", all_prices)]
    if is_large.any():
        others, their_prices = X[~is_large], Y[~is_large]
        rows = {contender.name: contender.price_scores(others, their_prices) for contender in contenders}
        tables += [
            large_houses_table(contenders, X[is_large], Y[is_large]),
            score_table(f"The price of the other {len(others):,} sales, from the same models", rows),
        ]
    return tables


def search_table(grid: GridSearchCV, n_folds: int) -> Table:
    """Lay out the mean scores of each weight, the chosen one in bold."""
    table = new_table(f"GridSearchCV over the weight of the type, mean of {n_folds} folds")
    for heading in ("task_weights__type", "R² of price", "accuracy of type", "mean", "chosen"):
        table.add_column(heading, justify="right")
    found = grid.cv_results_
    for i, parameters in enumerate(found["params"]):
        chosen = i == grid.best_index_
        means = [f"{found[f'mean_test_{name}'][i]:.4f}" for name in ("price", "type", "mean")]
        table.add_row(
            f"{parameters['network__task_weights__type']:g}",
            *means,
            "*" if chosen else "",
            style="bold" if chosen else None,
        )
    return table


def draw(history: pd.DataFrame, grid: GridSearchCV, n_folds: int) -> Figure:
    """Draw the learning curves and the trade-off between the tasks, side by side."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    draw_learning(left, history)
    draw_tradeoff(right, grid, n_folds)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    return figure


def draw_learning(axes: Axes, history: pd.DataFrame) -> None:
    """Draw each task's loss by epoch, on rows learned from and on rows held out to stop on."""
    nets = [net for _, net in history.groupby("bag")] if "bag" in history else [history]
    for task, color in COLORS.items():
        for net in nets:
            best = net.loc[net["valid_loss"].idxmin()]
            axes.plot(net["epoch"], net[f"train_loss_{task}"], ":", color=color, alpha=0.7)
            axes.plot(net["epoch"], net[f"valid_loss_{task}"], color=color)
            axes.plot(best["epoch"], best[f"valid_loss_{task}"], "o", color=color)
        axes.plot([], [], color=color, label=task)
    axes.plot([], [], ":", color="0.4", label="training rows")
    axes.plot([], [], color="0.4", label="rows held out to stop on")
    axes.plot([], [], "o", color="0.4", label="epoch kept")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss (1 = best constant guess)")
    axes.set_title(f"Learning both tasks ({len(nets)} nets)" if len(nets) > 1 else "Learning both tasks")
    axes.legend(frameon=False)


def draw_tradeoff(axes: Axes, grid: GridSearchCV, n_folds: int) -> None:
    """Draw R² of the price against accuracy of the type, a point for each weight of the type."""
    found = grid.cv_results_
    x, y = 100 * found["mean_test_type"], found["mean_test_price"]
    axes.plot(x, y, color="0.75", linewidth=1, zorder=1)
    axes.scatter(x, y, color="0.35", zorder=2)
    axes.scatter(
        x[grid.best_index_],
        y[grid.best_index_],
        s=170,
        facecolors="none",
        edgecolors=COLORS["type"],
        linewidths=2,
        zorder=3,
        label="chosen (best mean of both)",
    )
    for i, parameters in enumerate(found["params"]):
        axes.annotate(
            f"{parameters['network__task_weights__type']:g}",
            (x[i], y[i]),
            xytext=(8, 6),
            textcoords="offset points",
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )
    axes.margins(0.15)
    axes.set_xlabel(f"accuracy of type, % (mean of {n_folds} folds)")
    axes.set_ylabel(f"R² of price (mean of {n_folds} folds)")
    axes.set_title("Trade-off: weight of the type, that of the price being 1")
    axes.legend(frameon=False, loc="best")


# %%
# All of it
# ---------
# What it prints and draws.


def device_name() -> str:
    """Name what ``device="auto"`` stands for here."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "the CPU"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description="Price and building type of real houses, with one network.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--short", action="store_true", help="smaller bags and a smaller search")
    size.add_argument("--quick", action="store_true", help="300 sales and 3 epochs, to see that it works")
    parser.add_argument(
        "--out", type=Path, default=Path("out").resolve(), help="folder of the figure (default: out)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the split and of training (default: 0)")
    arguments = parser.parse_args(argv)
    plan, seed = QUICK if arguments.quick else SHORT if arguments.short else Plan(), arguments.seed
    started = time.perf_counter()
    console = Console()

    X, Y = fetch_ames_housing(return_X_y=True)
    if plan.n_rows is not None:
        X, _, Y, _ = train_test_split(X, Y, train_size=plan.n_rows, stratify=Y["type"], random_state=seed)
    say = partial(console.print, highlight=False, soft_wrap=True)
    say(
        f"Ames, Iowa: {len(X):,} house sales, {X.shape[1]} columns (numbers in "
        f"{X.select_dtypes('number').shape[1]}, text in the others), {X.isna().sum().sum():,} missing values."
    )
    say(f"Tasks: price, in dollars, and type of building, one of {Y['type'].nunique()}.")
    say(f"Networks train on {device_name()}.")
    X_train, X_test, Y_train, Y_test = train_test_split(
        X, Y, test_size=1 / 3, stratify=Y["type"], random_state=seed
    )

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        steps = Steps(progress, plan.n_steps)
        contenders = [
            fit(X_train, Y_train, plan, seed, steps) for fit in (fit_joint, fit_alone, fit_boosting)
        ]
        say(f"\n{len(X_test):,} held-out sales, after training on {len(X_train):,}\n")
        for table in comparison_tables(contenders, X_test, Y_test):
            console.print(table)
        grid = search(X_train, Y_train, plan, seed, steps)

    console.print(search_table(grid, plan.n_folds))
    held_out = pd.Series(score_each_task(grid.best_estimator_, X_test, Y_test))
    say(
        "The chosen weight, refitted to all training rows, on the held-out sales: "
        f"R² {held_out['price']:.3f}, accuracy {held_out['type']:.3f}."
    )

    path = arguments.out / "house_price_and_type.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(contenders[0].price.estimator_.history_, grid, plan.n_folds).savefig(path, dpi=150)
    say(f"Figure: {path}")
    say(f"Done in {time.perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without "²" gets "?"
    main()
