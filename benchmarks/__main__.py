"""The command line: ``python -m benchmarks [suite …]``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import (
    balancing_speed,
    deploy,
    gpu,
    inputs,
    memory,
    one_fit,
    predict,
    recipe,
    report,
    search,
    sharing_speed,
    tasks,
    weights,
)
from benchmarks.harness import CLOCKS, Options, Result, usable_threads

SUITES: dict[str, Callable[[Options], Iterator[list[Result]]]] = {
    "one_fit": one_fit.measure,
    "recipe": recipe.measure,
    "search": search.measure,
    "weights": weights.measure,
    "predict": predict.measure,
    "tasks": tasks.measure,
    "sharing_speed": sharing_speed.measure,
    "balancing_speed": balancing_speed.measure,
    "inputs": inputs.measure,
    "memory": memory.measure,
    "gpu": gpu.measure,
    "deploy": deploy.measure,
}
RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run suites, print their tables as they come, and write them down."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.clock == "cpu" and given.threads != [1]:
        parser.error("--clock cpu adds up the time of all threads: it needs --threads 1.")
    options = Options(given.rounds, usable_threads(tuple(given.threads)), given.quick, given.clock)
    results: dict[str, list[Result]] = {}
    for suite in given.suites or SUITES:
        print(f"\n## {suite}")
        results[suite] = []
        for found in SUITES[suite](options):
            print("\n" + report.table(found), flush=True)
            results[suite] += found
    table, data = report.write(given.out, results, options)
    print(f"\nWritten to {table} and {data}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=report.__doc__)
    parser.add_argument("suites", nargs="*", choices=[*SUITES, []], metavar="suite", help=", ".join(SUITES))
    parser.add_argument(
        "--rounds", type=_positive, help="timings of each contestant, by default the suite's own"
    )
    parser.add_argument("--threads", type=_positive, nargs="+", default=[1, 2], help="by default 1 and 2")
    parser.add_argument(
        "--clock", choices=[*CLOCKS], default="wall", help="cpu: where others use the machine"
    )
    parser.add_argument("--quick", action="store_true", help="tiny data, one round: only to see that it runs")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the files (benchmarks/results)")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer. Found {text}.")
    return number


if __name__ == "__main__":
    main()
