"""Which way of balancing tasks to use: ``python -m benchmarks.balancing``.

Every method learns the same training rows of every set, with a plain perceptron and one network: as it comes,
and with the one of three learning rates that predicts a quarter of the training rows best. Beside them stand
equal weights (``static``), and the best of 16 weightings on such a quarter, each with a network of its own or
all by one fit (``manifold``). Networks of a search are trained as one stack where the method allows it. A
file keeps what was measured, so that a run that was stopped goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import ShuffleSplit

from benchmarks.harness import limited_to
from benchmarks.quality import report
from benchmarks.quality.__main__ import chosen
from benchmarks.quality.contenders import Contender, Joint, joint_estimator
from benchmarks.quality.problem import Case, Collection, Problem
from benchmarks.quality.results import Results
from benchmarks.report import aligned
from benchmarks.sharing import MadeSets, one_task_each
from sklearn_mtl.balancing import BALANCERS
from sklearn_mtl.model_selection import ManifoldSearchCV, StackedGridSearchCV, multitask_scorer
from sklearn_mtl.trunks import MLP

OUT = Path(__file__).parent / "results" / "balancing.csv"
# Of the networks alone: models beside them would be the same for all methods.
BUDGET: dict[str, Any] = {
    "trunk": MLP((128, 128)),
    "n_bags": 1,
    "max_epochs": 30,
    "tree_blend": False,
    "linear_blend": False,
}
ROWS = 1_500
HELD_OUT = 0.25
REFERENCE = "static"
TUNED = ", tuned"
SEARCHED = "weights searched"
MANIFOLD = "manifold"
RATES = [7e-4, 2e-3, 6e-3]
N_WEIGHTINGS = 16
MOST_OF_MANIFOLD = 4
# The largest factor by which a weight is above or below an equal one, before all are scaled to a mean of 1.
WIDEST = 8.0


class Balanced(Joint):
    """A method of balancing, at the default learning rate.

    Parameters
    ----------
    name : str
        Its short name.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def model(self, problem: Problem, seed: int) -> Any:
        """Return the estimator."""
        return joint_estimator(problem, random_state=seed, balancing=self.name, **BUDGET)


class Tuned(Balanced):
    """A method of balancing, with a learning rate that was found on held-out training rows."""

    def model(self, problem: Problem, seed: int) -> Any:
        """Return the search."""
        return searched(super().model(problem, seed), problem, {"lr": RATES}, seed)


class WeightsSearched(Joint):
    """Fixed weights that were found on held-out training rows.

    Parameters
    ----------
    n_weightings : int
        How many are tried; the first is that of equal weights.
    """

    def __init__(self, n_weightings: int) -> None:
        self.n_weightings = n_weightings

    def model(self, problem: Problem, seed: int) -> Any:
        """Return the search."""
        grid = {"task_weights": weightings(list(problem.kinds), self.n_weightings)}
        return searched(Balanced(REFERENCE).model(problem, seed), problem, grid, seed)


class Manifold(WeightsSearched):
    """Fixed weights, as many, of one fit whose network is trained for all of them."""

    def model(self, problem: Problem, seed: int) -> Any:
        """Return the search."""
        estimator = Balanced(REFERENCE).model(problem, seed)
        return ManifoldSearchCV(estimator, self.n_weightings, **_judged(problem, seed))


def searched(estimator: Any, problem: Problem, grid: dict[str, list[Any]], seed: int) -> StackedGridSearchCV:
    """Return a search by the metrics of the report, on a quarter of the training rows."""
    return StackedGridSearchCV(estimator, grid, **_judged(problem, seed))


def _judged(problem: Problem, seed: int) -> dict[str, Any]:
    by_report = multitask_scorer({task: problem.kind(task).score for task in problem.kinds})
    held_out = ShuffleSplit(1, test_size=HELD_OUT, random_state=seed)
    return {"cv": held_out, "scoring": by_report, "error_score": "raise"}


def weightings(tasks: Sequence[str], n: int) -> list[dict[str, float]]:
    """Return weightings of tasks: equal ones, and others that are spread evenly by their logarithms.

    Parameters
    ----------
    tasks : sequence of str
        Names of the tasks.
    n : int
        How many weightings.

    Returns
    -------
    list of dict
        Weights by task, of mean 1.
    """
    drawn = WIDEST ** np.random.default_rng(0).uniform(-1, 1, (n, len(tasks)))
    drawn[0] = 1.0
    return [dict(zip(tasks, (row / row.mean()).tolist(), strict=True)) for row in drawn]


def contenders() -> dict[str, Contender]:
    """Return equal weights, all methods, as they come and tuned, and weights that are searched."""
    names = sorted(BALANCERS, key=lambda name: name != REFERENCE)
    found: dict[str, Contender] = {}
    for name in names:
        found |= {name: Balanced(name), name + TUNED: Tuned(name)}
    return {**found, SEARCHED: WeightsSearched(N_WEIGHTINGS), MANIFOLD: Manifold(N_WEIGHTINGS)}


def page(results: pd.DataFrame) -> str:
    """Return the tables of a file of results as markdown."""
    parts = [
        "## Ahead of equal weights, × 1,000, mean and standard error over splits",
        ahead(results),
        "## CPU seconds of all fits",
        report.seconds(results),
    ]
    return "\n\n".join(parts) + "\n"


def ahead(results: pd.DataFrame) -> str:
    """Return by how much each contender is ahead of equal weights, set by set.

    A tuned one is compared with equal weights at a tuned learning rate, the others with those at the default
    one. The first row has the scores of equal weights. Beside the sets stand the mean over them, the task
    that is furthest behind in the mean over splits, and CPU seconds as a multiple of those of one fit.
    """
    scores, seconds = report.set_scores(results), _fit_seconds(results)
    sets = list(dict.fromkeys(results["set"]))
    rows = [(REFERENCE, *_cells(scores[REFERENCE], sets, 1, "{:.3f}"), "", "1.0")]
    for name in scores.columns.drop(REFERENCE):
        reference = _reference(str(name))
        if reference not in scores:
            continue
        difference = (scores[name] - scores[reference]).dropna()
        ratio = np.exp(np.log(seconds[name] / seconds[REFERENCE]).dropna().mean())
        worst = _worst_task(results, str(name), reference)
        rows.append((str(name), *_cells(difference, sets, 1_000, "{:+.0f}"), worst, f"{ratio:.1f}"))
    return aligned([("balancing", *sets, "mean", "worst task", "× time"), *rows])


def _reference(name: str) -> str:
    return REFERENCE + TUNED if name.endswith(TUNED) and name != REFERENCE + TUNED else REFERENCE


def _cells(values: pd.Series, sets: Sequence[str], scale: float, how: str) -> list[str]:
    """Return the mean and its standard error over splits for each set, and of the means over sets."""
    wide = (scale * values.dropna()).groupby(["set", "split"]).mean().unstack("set").reindex(columns=sets)
    cells = [_with_error(wide[name].dropna(), how) for name in sets]
    return [*cells, _with_error(wide.dropna().mean(axis=1), how)]


def _with_error(values: pd.Series, how: str) -> str:
    if values.empty:
        return ""
    mean = how.format(values.mean() + 0.0)
    return mean if len(values) == 1 else f"{mean} ± {how.replace('+', '').format(values.sem())}"


def _worst_task(results: pd.DataFrame, name: str, reference: str) -> str:
    """Return the task that is furthest behind the reference, and by how much."""
    scored = results[results["metric"] == results["kind"].map(report.SCORES)]
    wide = scored.set_index(["set", "task", "split", "contender"])["value"].unstack("contender")
    means = (wide[name] - wide[reference]).dropna().groupby(["set", "task"]).mean()
    return "" if means.empty else f"{1_000 * means.min():+.0f} ({', '.join(means.idxmin())})"


def _fit_seconds(results: pd.DataFrame) -> pd.DataFrame:
    once = results.drop_duplicates(["set", "split", "contender", "task"])
    return once.groupby(["set", "split", "contender"])["fit_seconds"].sum().unstack("contender")


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
    there = {name: made for name, made in contenders().items() if name in (given.contenders or [name])}
    results = Results.read(given.out)
    with limited_to(given.threads):
        for split in given.splits:
            for problem in problems:
                results.measure(problem, _fitting(there, problem), Case(split, given.rows))
    written = given.out.with_suffix(".md")
    written.write_text(page(chosen(results, wanted, list(there))), encoding="utf-8")
    print(f"Written to {given.out} and {written}")


def _fitting(there: Mapping[str, Contender], problem: Problem) -> dict[str, Contender]:
    """Return those of some contenders that take a problem: a manifold is for two to four tasks."""
    few = len(problem.kinds) <= MOST_OF_MANIFOLD
    return {name: contender for name, contender in there.items() if few or name != MANIFOLD}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.balancing", description=__doc__)
    add = parser.add_argument
    names = list(contenders())
    add("--module", type=Path, help="Python file with names() and load(name): beside the made sets")
    add("--sets", nargs="+", help="by default the made ones, and all of the module")
    add("--contenders", nargs="+", choices=names, metavar="NAME", help=f"of {'; '.join(names)}")
    add("--splits", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="seeds, by default 0 1 2 3 4")
    add("--rows", type=int, default=ROWS, help=f"most training rows, by default {ROWS:,}")
    add("--threads", type=int, default=1, help="by default 1")
    add("--out", type=Path, default=OUT, help="CSV to go on with; the report lies beside it")
    return parser


if __name__ == "__main__":
    main()
