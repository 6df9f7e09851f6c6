"""Measuring a contender on a case, and the file that keeps what was measured."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.quality import report
from benchmarks.quality.contenders import Contender
from benchmarks.quality.problem import Case, Problem

KEY = ["set", "split", "rows", "hidden", "hidden_task", "contender"]
COLUMNS = [*KEY, "task", "kind", "n_train", "fit_seconds", "predict_seconds", "metric", "value", "note"]


def measure(problem: Problem, name: str, contender: Contender, case: Case) -> pd.DataFrame:
    """Return a row for each metric of each task.

    Parameters
    ----------
    problem : Problem
        The whole set.
    name : str
        What the contender is called.
    contender : Contender
        Who learns and predicts.
    case : Case
        The split, the rows drawn and the labels hidden.
    """
    train, test = case.rows_of(problem)
    shown = case.shown(problem, train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns and convergence, in every fit anew
        answers = contender.answers(shown, case.asked(problem), train, test, case.split)
    rows: list[dict[str, Any]] = []
    for task, answer in answers.items():
        y = problem.labels(task, problem.labelled(task, test))
        common = {
            **key(problem.name, name, case),
            "task": task,
            "kind": problem.kinds[task],
            "n_train": len(shown.labelled(task, train)),
            "fit_seconds": answer.fit_seconds,
            "predict_seconds": answer.predict_seconds,
            "note": answer.note,
        }
        for metric, value in problem.kind(task).metrics(y, answer.prediction).items():
            rows.append({**common, "metric": metric, "value": value})
    return pd.DataFrame(rows, columns=COLUMNS)


def key(problem: str, contender: str, case: Case) -> dict[str, Any]:
    """Return what tells a measurement from others, by column."""
    shown = asdict(case)
    return {
        "set": problem,
        "split": shown["split"],
        "rows": shown["rows"],
        "hidden": shown["hidden"],
        "hidden_task": shown["task"],
        "contender": contender,
    }


@dataclass
class Results:
    """Measurements in a CSV file, to which each is appended as it ends.

    Parameters
    ----------
    path : Path
        The file, which need not be there.
    table : DataFrame
        What it holds.
    """

    path: Path
    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS))

    @classmethod
    def read(cls, path: Path) -> Results:
        """Return what a file holds, nothing where there is none."""
        if not path.exists():
            return cls(path)
        table = pd.read_csv(path, dtype={"hidden_task": str, "note": str}, keep_default_na=False)
        if list(table.columns) != COLUMNS:
            raise ValueError(f"`--out` must be a file of results, with columns {COLUMNS}. Found {path}.")
        return cls(path, table)

    def has(self, problem: str, contender: str, case: Case) -> bool:
        """Return whether a contender was measured on a case."""
        wanted = key(problem, contender, case)
        return bool((self.table[KEY] == pd.Series(wanted)[KEY]).all(axis=1).any())

    def measure(self, problem: Problem, contenders: Mapping[str, Contender], case: Case) -> None:
        """Measure those of some contenders that were not, and print a line of each as it ends."""
        for name, contender in contenders.items():
            if not self.has(problem.name, name, case):
                measured = measure(problem, name, contender, case)
                self.add(measured)
                print(report.line(measured), flush=True)

    def add(self, rows: pd.DataFrame) -> None:
        """Append a measurement to the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows.to_csv(self.path, mode="a", index=False, header=not self.path.exists())
        self.table = rows if self.table.empty else pd.concat([self.table, rows], ignore_index=True)


def cases(splits: Sequence[int], rows: int, hidden: Sequence[float], tasks: Sequence[str]) -> list[Case]:
    """Return the cases of a set, those with nothing hidden first.

    Parameters
    ----------
    splits : sequence of int
        Seeds of splits.
    rows : int
        Training rows, 0 for all.
    hidden : sequence of float
        Shares of labels to hide, beside none.
    tasks : sequence of str
        The tasks whose labels are hidden, one at a time.
    """
    return [
        Case(split, rows, share, task)
        for split in splits
        for share, task in [(0.0, ""), *((share, task) for task in tasks for share in hidden)]
    ]
