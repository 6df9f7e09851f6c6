"""How well the default predicts: ``python -m benchmarks.quality``.

Every contender learns the same training rows of every set, 70 of 100, and predicts the others. A file keeps
what was measured, so that a run that was stopped goes on where it stopped. Contenders without a package that
they need are left out, unless they were asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.harness import limited_to
from benchmarks.quality import report, sets
from benchmarks.quality.contenders import CONTENDERS
from benchmarks.quality.problem import Collection, Problem
from benchmarks.quality.results import Results, cases

OUT = Path(__file__).parents[1] / "results" / "quality.csv"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the file lacks, and write the report."""
    given = _parser().parse_args(arguments)
    collection = Collection(sets) if given.module is None else Collection.of_file(given.module)
    names, contenders = collection.names(given.sets), installed(given.contenders)
    results = Results.read(given.out)
    with limited_to(given.threads):
        for name in names:
            _measure_set(collection.load(name), contenders, results, given)
    page = given.out.with_suffix(".md")
    page.write_text(report.page(chosen(results, names, contenders)), encoding="utf-8")
    print(f"Written to {given.out} and {page}")


def installed(wanted: Sequence[str] | None) -> list[str]:
    """Return the contenders asked for, or all that can take part.

    Parameters
    ----------
    wanted : sequence of str or None
        Keys of `CONTENDERS`; None for all whose packages are there, the others being named.

    Raises
    ------
    ImportError
        If one that was asked for needs a package that is not installed.
    """
    taking_part = []
    for name in wanted or CONTENDERS:
        package = CONTENDERS[name].missing()
        if package is None:
            taking_part.append(name)
        elif wanted:
            raise ImportError(f"The contender {name!r} needs {package}: pip install {package}")
        else:
            print(f"{name} left out: it needs {package}.")
    return taking_part


def chosen(results: Results, names: Sequence[str], contenders: Sequence[str]) -> pd.DataFrame:
    """Return what was measured of some sets and contenders, in their order."""
    table = results.table[results.table["set"].isin(names) & results.table["contender"].isin(contenders)]
    order = {name: place for place, name in enumerate([*names, *contenders])}
    return table.sort_values(["contender", "set"], key=lambda column: column.map(order), kind="stable")


def _measure_set(
    problem: Problem, contenders: Sequence[str], results: Results, given: argparse.Namespace
) -> None:
    tasks = given.task or list(problem.kinds)[:1]
    if unknown := sorted(set(tasks) - set(problem.kinds)):
        raise ValueError(
            f"`--task` must be of {list(problem.kinds)}, those of {problem.name}. Found {unknown}."
        )
    for case in cases(given.splits, given.rows, given.hide, tasks):
        results.measure(problem, {name: CONTENDERS[name] for name in contenders}, case)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    add = parser.add_argument
    add("--module", type=Path, help="Python file with names() and load(name); else the sets of sets.py")
    add("--sets", nargs="+", help="by default all of the module")
    add("--contenders", nargs="+", choices=CONTENDERS, metavar="NAME", help=f"of {', '.join(CONTENDERS)}")
    add("--splits", nargs="+", type=int, default=[0, 1, 2], help="seeds, by default 0 1 2")
    add("--rows", type=int, default=0, help="training rows that are drawn, by default all")
    add("--hide", nargs="+", type=_share, default=[], help="shares of the labels of a task to hide as well")
    add("--task", nargs="+", help="tasks whose labels are hidden, by default the first of a set")
    add("--threads", type=int, default=1, help="by default 1; CPU seconds are those of all threads")
    add("--out", type=Path, default=OUT, help="CSV to go on with; the report lies beside it")
    return parser


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1. Found {text}.")
    return share


if __name__ == "__main__":
    main()
