"""Results as a table to read and as JSON to compare."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.harness import Options, Result, usable_cores

PACKAGES = ("torch", "skorch", "scikit-learn", "numpy", "tabm", "rtdl_num_embeddings", "sklearn-mtl")
HEADINGS = ("case", "threads", "contestant", "median", "× reference", "lowest to highest", "note")


def write(folder: Path, results: Mapping[str, Sequence[Result]], options: Options) -> tuple[Path, Path]:
    """Write the tables and the JSON of one run, named by its time, and return their paths.

    Parameters
    ----------
    folder : Path
        Folder that is made where it is not there.
    results : mapping of str to sequence of Result
        Results by suite.
    options : Options
        What was asked for.
    """
    environment = machine()
    folder.mkdir(parents=True, exist_ok=True)
    name = "-".join(results) if len(results) < 3 else f"{len(results)}-suites"
    stem = f"{environment['date'].replace(':', '')}-{name}"
    table, data = folder / f"{stem}.md", folder / f"{stem}.json"
    table.write_text(page(results, environment), encoding="utf-8")
    data.write_text(json.dumps(record(results, environment, options), indent=1), encoding="utf-8")
    return table, data


def page(results: Mapping[str, Sequence[Result]], environment: Mapping[str, Any]) -> str:
    """Return a markdown page with a table for each suite.

    Parameters
    ----------
    results : mapping of str to sequence of Result
        Results by suite.
    environment : mapping
        What `machine` returns.
    """
    versions = ", ".join(f"{name} {number}" for name, number in environment["versions"].items())
    lines = [
        "{date}, {cpu}, {cores} core(s), Python {python}".format(**environment),
        "",
        versions,
    ]
    for suite, of_suite in results.items():
        lines += ["", f"## {suite}", "", table(of_suite)]
    return "\n".join(lines) + "\n"


def table(results: Iterable[Result]) -> str:
    """Return results as a markdown table, its columns aligned."""
    return aligned([HEADINGS, *map(_cells, results)])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a markdown table, the first being its headings."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def record(
    results: Mapping[str, Sequence[Result]], environment: Mapping[str, Any], options: Options
) -> dict[str, Any]:
    """Return everything measured, as JSON can hold it.

    Parameters
    ----------
    results : mapping of str to sequence of Result
        Results by suite.
    environment : mapping
        What `machine` returns.
    options : Options
        What was asked for.
    """
    rows = [
        {"suite": suite, **asdict(result), "value": result.value, "ratio": result.ratio}
        for suite, of_suite in results.items()
        for result in of_suite
    ]
    return {"machine": dict(environment), "options": asdict(options), "results": rows}


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, cores, versions, and the date."""
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "cpu": _processor(),
        "cores": usable_cores(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text(encoding="utf-8").splitlines() if described.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cells(result: Result) -> tuple[str, ...]:
    return (
        result.case,
        str(result.threads),
        result.contestant,
        _with_unit(result.value, result.unit),
        f"{result.ratio:.2f}",
        f"{min(result.ratios):.2f} to {max(result.ratios):.2f}",
        result.note,
    )


def _with_unit(value: float, unit: str) -> str:
    if unit == "s" and value < 1:
        return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} µs"
    return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"
