"""Which way of sharing to use: ``python -m benchmarks.sharing``.

Every way of sharing learns the same training rows of every set, with the default trunk and one network. Of
two values of its main parameter, the one that predicts a quarter of the training rows better is fitted to all
of them; ways without such a parameter choose between two rates of dropout. With ``--candidates 1``, the first
value is fitted without a search. Where a task has a few outputs, each of them is a task. A file keeps what
was measured, so that a run that was stopped goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import ShuffleSplit

from benchmarks.harness import limited_to
from benchmarks.quality import report, sets
from benchmarks.quality.__main__ import chosen
from benchmarks.quality.contenders import Joint, joint_estimator
from benchmarks.quality.problem import Case, Collection, Problem
from benchmarks.quality.results import Results
from benchmarks.report import aligned
from sklearn_mtl.datasets import make_click_purchase, make_dependent_tasks, make_multitask
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.sharing import SHARINGS

OUT = Path(__file__).parent / "results" / "sharing.csv"
# Of the networks alone: trees beside them would be the same for all ways of sharing.
BUDGET: dict[str, Any] = {"n_bags": 1, "max_epochs": 30, "tree_blend": False}
ROWS = 3_000
HELD_OUT = 0.25
# Of one task with more outputs, each is no task of its own.
MOST_OUTPUTS = 14
SINGLE = {"multilabel": "binary", "multioutput-regression": "regression"}
IN_GROUPS = "made: in two groups"
# Differences of scores below are none.
SMALLEST_DIFFERENCE = 0.001

Grid = Mapping[str, Sequence[Any]]


def dropout(_: Problem) -> Grid:
    """Return what is searched where a way of sharing has no parameter that matters most."""
    return {"trunk__dropout": [0.0, 0.2]}


def groups(problem: Problem) -> Grid:
    """Return the groups that a set was made of, or else those of one kind; and a branch for each task."""
    tasks = list(problem.kinds)
    by_kind: dict[str, list[str]] = {}
    for task, kind in problem.kinds.items():
        by_kind.setdefault(kind, []).append(task)
    likely = [tasks[::2], tasks[1::2]] if problem.name == IN_GROUPS else list(by_kind.values())
    return {"sharing__groups": [likely, [[task] for task in tasks]]}


def condition(problem: Problem) -> Grid:
    """Return cascades of probabilities that learn with what reads them or not, or of what follows a click."""
    if {"click", "purchase"} <= set(problem.kinds):
        return {"sharing__conditional": [None, {"purchase": "click"}]}
    return {"sharing__detach": [False, True]}


# What is searched of each way of sharing.
GRIDS: dict[str, Callable[[Problem], Grid]] = {
    "hard": dropout,
    "separate": dropout,
    "soft": lambda _: {"sharing__strength": [0.01, 1.0]},
    "cross_stitch": dropout,
    "task_attention": dropout,
    "mmoe": lambda _: {"sharing__experts": [4, 8]},
    "dselect_k": lambda _: {"sharing__k": [1, 2]},
    "ple": lambda _: {"sharing__levels": [1, 2]},
    "task_adapters": lambda _: {"sharing__rank": [1, 4]},
    "hierarchical": groups,
    "cascade": condition,
}


class Shared(Joint):
    """A way of sharing, its parameter found on held-out training rows.

    Parameters
    ----------
    name : str
        Its short name, one of those of `GRIDS`.
    candidates : int, default=2
        How many of the values are tried; one is not searched.
    """

    def __init__(self, name: str, candidates: int = 2) -> None:
        self.name = name
        self.candidates = candidates

    def model(self, problem: Problem, seed: int) -> Any:
        """Return the search, or the estimator where there is nothing to search."""
        estimator = joint_estimator(problem, random_state=seed, sharing=self.name, **BUDGET)
        grid = {name: values[: self.candidates] for name, values in GRIDS[self.name](problem).items()}
        if self.candidates == 1:
            return estimator.set_params(**{name: value for name, (value,) in grid.items()})
        held_out = ShuffleSplit(1, test_size=HELD_OUT, random_state=seed)
        return StackedGridSearchCV(estimator, grid, cv=held_out, error_score="raise")


class MadeSets:
    """Made sets, on each of which another way of sharing is the right one."""

    @staticmethod
    def names() -> list[str]:
        """Return their names."""
        return list(MADE)

    @staticmethod
    def load(name: str) -> sets.Set:
        """Return columns, labels by task, kinds by task, and an empty mapping."""
        X, Y = MADE[name]()
        kinds = {task: "regression" if y.dtype.kind == "f" else "binary" for task, y in Y.items()}
        kinds |= {task: "multiclass" for task in kinds if task == "origin"}
        return pd.DataFrame(X), {task: _floats(y) for task, y in Y.items()}, kinds, {}


def _floats(y: np.ndarray) -> np.ndarray:
    return np.array([np.nan if label is None else label for label in y], dtype=float)


# A thousand training rows each, six tasks but for the last two.
_MADE: dict[str, Any] = {"n_samples": 1_429, "noise": 0.3, "random_state": 0}
_SIX: dict[str, Any] = {**_MADE, "n_regression": 4, "n_binary": 2, "n_factors": 3}
MADE: dict[str, Callable[[], tuple[np.ndarray, dict[str, np.ndarray]]]] = {
    "made: related": lambda: make_multitask(**_SIX, missing_labels=0.5),
    IN_GROUPS: lambda: make_multitask(**_SIX, n_groups=2, difficulty=1.5),
    "made: alike": lambda: make_multitask(**_SIX, correlation=0.5, difficulty=1.5),
    "made: half of their own": lambda: make_multitask(**_SIX, relatedness=0.5, difficulty=1.5),
    "made: in conflict": lambda: make_multitask(
        **{**_SIX, "noise": (0.1, 2.0) * 3}, relatedness=0.0, difficulty=1.5
    ),
    "made: dependent": lambda: make_dependent_tasks(**_MADE, n_dependent=2, missing_labels=0.8),
    "made: click, purchase": lambda: make_click_purchase(**_MADE),
}


def one_task_each(problem: Problem, most: int = MOST_OUTPUTS) -> Problem:
    """Return the problem with a task for each output of those that have several, but not very many."""
    Y: dict[str, np.ndarray] = {}
    kinds: dict[str, str] = {}
    for task, y in problem.Y.items():
        kind = problem.kinds[task]
        if kind in SINGLE and y.shape[1] <= most:
            of_outputs = {f"{task} {number}": y[:, number] for number in range(y.shape[1])}
            kind = SINGLE[kind]
        else:
            of_outputs = {task: y}
        Y |= of_outputs
        kinds |= dict.fromkeys(of_outputs, kind)
    return replace(problem, Y=Y, kinds=kinds)


def page(results: pd.DataFrame) -> str:
    """Return the tables of a file of results as markdown."""
    scores = report.set_scores(results)
    parts = ["## Score of each set, mean and deviation over splits", by_set(scores)]
    for name in ("hard", "separate"):
        if name in scores and len(scores.columns) > 1:
            parts += [f"## Against {name}", against(scores, name)]
    return "\n\n".join([*parts, "## CPU seconds of the search and the fit", report.seconds(results)]) + "\n"


def by_set(scores: pd.DataFrame) -> str:
    """Return the mean and the standard deviation over splits of each way of sharing.

    Parameters
    ----------
    scores : DataFrame
        A row for each set and split and a column for each way, as `report.set_scores` returns.
    """
    groups = scores.groupby("set", sort=False)
    rows = [
        (str(name), *(_with_deviation(*both) for both in zip(mean, deviation, strict=True)))
        for name, mean, deviation in zip(
            groups.groups, groups.mean().to_numpy(), groups.std().to_numpy(), strict=True
        )
    ]
    return aligned([("set", *map(str, scores)), *rows])


def against(scores: pd.DataFrame, reference: str) -> str:
    """Return by how much each way of sharing is ahead of another, over the sets that both have.

    A set is won, or lost, where the mean difference over splits is more than two of its standard errors
    and more than a thousandth.
    """
    rows = []
    for name in scores.columns.drop(reference):
        groups = (scores[name] - scores[reference]).dropna().groupby("set", sort=False)
        means, errors = groups.mean(), groups.sem()
        certain = (means.abs() > 2 * errors) & (means.abs() > SMALLEST_DIFFERENCE)
        won, lost = (certain & (means > 0)).sum(), (certain & (means < 0)).sum()
        worst = f"{means.min():+.3f} ({means.idxmin()})"
        best = f"{means.max():+.3f} ({means.idxmax()})"
        rows.append((str(name), f"{means.mean():+.4f}", f"{won} – {lost} of {len(means)}", worst, best))
    return aligned([("sharing", "ahead by", "sets won – lost", "worst set", "best set"), *rows])


def _with_deviation(mean: float, deviation: float) -> str:
    if np.isnan(mean):
        return ""
    return f"{mean:.3f}" if np.isnan(deviation) else f"{mean:.3f} ± {deviation:.3f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the file lacks, and write the report."""
    given = _parser().parse_args(arguments)
    collections = [Collection(MadeSets)]  # type: ignore[arg-type]
    if given.module is not None:
        collections.append(Collection.of_file(given.module))
    where = {name: collection for collection in collections for name in collection.names()}
    if unknown := sorted(set(given.sets or ()) - set(where)):
        raise ValueError(f"`--sets` must be of {list(where)}. Found {unknown}.")
    wanted = given.sets or list(where)
    problems = [one_task_each(where[name].load(name)) for name in wanted]
    ways = {name: Shared(name, given.candidates) for name in given.sharing}
    results = Results.read(given.out)
    with limited_to(given.threads):
        for split in given.splits:
            for problem in problems:
                results.measure(problem, ways, Case(split, given.rows))
    written = given.out.with_suffix(".md")
    written.write_text(page(chosen(results, wanted, given.sharing)), encoding="utf-8")
    print(f"Written to {given.out} and {written}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sharing", description=__doc__)
    add = parser.add_argument
    there = [name for name in GRIDS if name in SHARINGS]
    add("--module", type=Path, help="Python file with names() and load(name): beside the made sets")
    add("--sets", nargs="+", help="by default the made ones, and all of the module")
    add("--sharing", nargs="+", choices=there, default=there, metavar="NAME", help=f"of {', '.join(there)}")
    add("--splits", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="seeds, by default 0 1 2 3 4")
    add("--rows", type=int, default=ROWS, help=f"most training rows, by default {ROWS:,}")
    add("--candidates", type=int, choices=(1, 2), default=2, help="values of a parameter that are tried")
    add("--threads", type=int, default=1, help="by default 1")
    add("--out", type=Path, default=OUT, help="CSV to go on with; the report lies beside it")
    return parser


if __name__ == "__main__":
    main()
