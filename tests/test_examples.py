"""The example runs, and shows what it promises."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "house_price_and_type.py"


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    run = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE), "--quick"],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return folder, run.stdout


def test_example_prints_all_scores_of_each_model(quick_run):
    _, printed = quick_run
    for heading in ("RMSE, $", "R²", "accuracy", "balanced", "log-loss"):
        assert heading in printed
    for model in ("both tasks together", "each task alone", "HistGradientBoosting"):
        (row,) = [
            line for line in printed.splitlines() if line.strip().startswith(model) and " s" not in line
        ]
        assert len(row.split()) == len(model.split()) + 5


def test_example_prints_a_row_for_each_weight_and_marks_one(quick_run):
    _, printed = quick_run
    rows = [line.split() for line in printed.split("task_weights__type")[1].splitlines()]
    weights = [row for row in rows if row and row[0] in ("0.1", "1") and len(row) >= 4]
    assert [row[0] for row in weights] == ["0.1", "1"]
    assert sum(row[-1] == "*" for row in weights) == 1


def test_example_draws_the_figure_whose_path_it_prints(quick_run):
    folder, printed = quick_run
    (line,) = [line for line in printed.splitlines() if line.startswith("Figure: ")]
    figure = Path(line.removeprefix("Figure: "))
    assert figure.samefile(folder / "out" / "house_price_and_type.png")
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_importing_the_example_runs_nothing(capsys):
    assert "main" in runpy.run_path(str(EXAMPLE), run_name="example")
    assert capsys.readouterr().out == ""
