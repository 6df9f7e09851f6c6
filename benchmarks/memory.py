"""The most memory that a fit of many rows takes, each measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import Options, Result
from benchmarks.memory_probe import CONTESTANTS, SOURCES

ROUNDS = 3
ROOT = Path(__file__).parents[1]


def measure(options: Options) -> Iterator[list[Result]]:
    """Yield the results for rows in memory and for rows in a mapped file, with one thread."""
    n_rows, n_features = (5_000, 10) if options.quick else (1_000_000, 50)
    for source in SOURCES:
        case = f"{n_rows:,} × {n_features} float32 from {SOURCES[source]}, one epoch"
        yield [
            _result(case, contestant, source, n_rows, n_features, options.rounds_or(ROUNDS))
            for contestant in CONTESTANTS
        ]


def _result(case: str, contestant: str, source: str, n_rows: int, n_features: int, rounds: int) -> Result:
    with TemporaryDirectory() as folder:
        probes = [_probe(contestant, source, n_rows, n_features, folder) for _ in range(rounds)]
    data = n_rows * n_features * 4 / 1e6
    above = tuple(probe["peak"] - probe["before"] for probe in probes)
    files = max(probe["file_pages"] for probe in probes)
    return Result(
        case,
        1,
        contestant,
        above,
        tuple(value / data for value in above),
        unit="MB",
        note=f"{probes[0]['before']:.0f} MB before; X has {data:.0f}, of the file resident {files:.0f}",
    )


def _probe(contestant: str, source: str, n_rows: int, n_features: int, folder: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.memory_probe", contestant, source]
    done = subprocess.run(
        [*command, str(n_rows), str(n_features), folder], cwd=ROOT, check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found
