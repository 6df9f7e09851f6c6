"""What ensembles are worth beside the network alone: ``python -m benchmarks.ensembles``.

A network, trees for each task, and what `sklearn_mtl.ensemble` makes of both learn the same training rows of
every set. Sets, splits and scores are those of ``benchmarks.quality``. A file keeps what was measured, so
that a run that was stopped goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.harness import limited_to
from benchmarks.quality import report, sets
from benchmarks.quality.__main__ import chosen
from benchmarks.quality.contenders import Joint, joint_estimator
from benchmarks.quality.problem import Case, Collection, Problem
from benchmarks.quality.results import Results
from benchmarks.report import aligned
from sklearn_mtl.ensemble import MultiTaskBoosting, MultiTaskStacking, MultiTaskVoting
from sklearn_mtl.ensemble.members import trees
from sklearn_mtl.trunks import MLP

OUT = Path(__file__).parent / "results" / "ensembles.csv"
DEFAULT = ("wine", "meats", "friedman", "credit", "ames", "diamonds")
ROWS = 1_000
# A network alone, without the linear models and trees that stand beside it by default, so that it is the
# ensembles that put trees beside it.
BUDGET: dict[str, Any] = {"trunk": MLP(), "n_bags": 2, "linear_blend": False, "tree_blend": False}
# What the others are compared with.
REFERENCE = "network"

Make = Callable[[Any, dict[str, Any]], Any]


def members(network: Any) -> list[tuple[str, Any]]:
    """Return what is voted on and stacked."""
    return [("network", network), ("trees", "trees")]


# From a network that is told the kinds of the tasks, and what all ensembles are told, to a contender.
CONTENDERS: dict[str, Make] = {
    REFERENCE: lambda network, _: network,
    "trees": lambda _, told: trees().set_params(tasks=told["tasks"]),
    "voting": lambda network, told: MultiTaskVoting(members(network), **told),
    "stacking": lambda network, told: MultiTaskStacking(members(network), **told),
    "stacking, across tasks": lambda network, told: MultiTaskStacking(
        members(network), across_tasks=True, **told
    ),
    "stacking, network": lambda network, told: MultiTaskStacking(members(network), network, **told),
    "boosting": lambda _, told: MultiTaskBoosting(**told),
}


class Ensemble(Joint):
    """One of the contenders.

    Parameters
    ----------
    make : callable
        As in `CONTENDERS`.
    """

    def __init__(self, make: Make) -> None:
        self.make = make

    def model(self, problem: Problem, seed: int) -> Any:
        """Return the estimator, told the kinds of the tasks."""
        network = joint_estimator(problem, random_state=seed, **BUDGET)
        return self.make(network, {"tasks": network.tasks, "random_state": seed})


def page(results: pd.DataFrame) -> str:
    """Return the tables of a file of results as markdown."""
    scores = report.set_scores(results)
    parts = [f"## Score of {REFERENCE}, and how far others are ahead, × 1,000", by_set(scores)]
    parts += ["## CPU seconds of the fit", report.seconds(results)]
    return "\n\n".join([*parts, "## Score of each task", report.by_task(results)]) + "\n"


def by_set(scores: pd.DataFrame) -> str:
    """Return the mean score of the network, and the differences of the others: their mean, and by split.

    Parameters
    ----------
    scores : DataFrame
        A row for each set and split and a column for each contender, as `report.set_scores` returns.
    """
    others = scores.columns.drop(REFERENCE)
    rows = []
    for name, part in scores.groupby("set", sort=False):
        ahead = 1e3 * part[others].sub(part[REFERENCE], axis=0)
        cells = [
            f"{ahead[other].mean():+.0f} ({', '.join(f'{value:+.0f}' for value in ahead[other])})"
            for other in others
        ]
        rows.append((str(name), f"{part[REFERENCE].mean():.3f}", *cells))
    mean = 1e3 * scores[others].sub(scores[REFERENCE], axis=0).groupby("set", sort=False).mean().mean()
    rows.append(("mean over sets", "", *(f"{mean[other]:+.1f}" for other in others)))
    return aligned([("set", REFERENCE, *map(str, others)), *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the file lacks, and write the report."""
    given = _parser().parse_args(arguments)
    collection = Collection(sets) if given.module is None else Collection.of_file(given.module)
    names = collection.names(given.sets or (DEFAULT if given.module is None else None))
    contenders = {name: Ensemble(CONTENDERS[name]) for name in dict.fromkeys([REFERENCE, *given.contenders])}
    problems = {name: collection.load(name) for name in names}
    results = Results.read(given.out)
    with limited_to(1):
        for split in given.splits:
            for problem in problems.values():
                results.measure(problem, contenders, Case(split, given.rows))
    written = given.out.with_suffix(".md")
    written.write_text(page(chosen(results, names, list(contenders))), encoding="utf-8")
    print(f"Written to {given.out} and {written}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ensembles", description=__doc__)
    add = parser.add_argument
    add("--module", type=Path, help="Python file with names() and load(name); else those of quality")
    add("--sets", nargs="+", help=f"by default {', '.join(DEFAULT)}, or all of the module")
    add(
        "--contenders",
        nargs="+",
        choices=CONTENDERS,
        default=list(CONTENDERS),
        metavar="NAME",
        help=f"beside {REFERENCE}, of {', '.join(CONTENDERS)}",
    )
    add("--splits", nargs="+", type=int, default=[0, 1], help="seeds, by default 0 1")
    add("--rows", type=int, default=ROWS, help=f"most training rows, by default {ROWS:,}; 0 for all")
    add("--out", type=Path, default=OUT, help="CSV to go on with; the report lies beside it")
    return parser


if __name__ == "__main__":
    main()
