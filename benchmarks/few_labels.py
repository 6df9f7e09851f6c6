"""What rows without a label of a task are worth to it: ``python -m benchmarks.few_labels``.

A share of the training labels of one task is hidden, and its score on test rows compared between three fits
of one network: without the rows whose label is hidden; with them, as they have labels of the other tasks; and
with self-training, which labels those it is sure of. Sets and splits are those of ``benchmarks.quality``. A
file keeps what was measured, so that a run that was stopped goes on where it stopped.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.harness import limited_to
from benchmarks.quality import sets
from benchmarks.quality.contenders import joint_estimator
from benchmarks.quality.problem import Case, Collection, Problem
from sklearn_mtl import MultiTaskTarget
from sklearn_mtl.semi_supervised import SelfTraining

OUT = Path(__file__).parent / "results" / "few_labels.csv"
# A task of classes with many, one with few, and a regression.
DEFAULT = {"leaves": "species", "digits": "digit", "ames": "price"}
SHARES = (0.5, 0.8, 0.95)
# Networks alone, so that a measurement takes minutes; tabm has all defaults of the estimator.
SMALL = {"n_bags": 3, "batch_size": 128, "linear_blend": False, "tree_blend": False}
KEY = ["set", "task", "hidden", "split", "rows", "trunk", "how"]
COLUMNS = [*KEY, "n_labels", "metric", "score", "others", "iterations", "seconds"]


def dropped(estimator: Any, X: pd.DataFrame, Y: MultiTaskTarget, task: str) -> Any:
    """Return a fit to the rows that have a label of the task."""
    rows = np.flatnonzero(~np.asarray(pd.isna(Y[task])).reshape(len(Y), -1).any(axis=1))
    return estimator.fit(X.iloc[rows], Y[rows])


def masked(estimator: Any, X: pd.DataFrame, Y: MultiTaskTarget, task: str) -> Any:  # noqa: ARG001
    """Return a fit to all rows, in which the task has gaps."""
    return estimator.fit(X, Y)


def self_training(estimator: Any, X: pd.DataFrame, Y: MultiTaskTarget, task: str) -> Any:  # noqa: ARG001
    """Return a fit to all rows, and to what it is sure of."""
    return SelfTraining(estimator, random_state=estimator.random_state).fit(X, Y)


HOW: dict[str, Callable[..., Any]] = {"dropped": dropped, "masked": masked, "self-training": self_training}
WORDS = {
    "dropped": "rows without the label dropped",
    "masked": "masked joint training",
    "self-training": "joint training with self-training",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the file lacks, write the table and draw the curves."""
    given = _parser().parse_args(arguments)
    table = pd.read_csv(given.out) if given.out.exists() else pd.DataFrame(columns=COLUMNS)
    tasks = _tasks(given)
    with limited_to(1):
        problems = {set_: _collection(given).load(set_) for set_ in tasks}
        for split in given.splits:
            for wanted in _wanted(tasks, split, given):
                if not (table[KEY] == pd.Series(wanted)[KEY]).all(axis=1).any():
                    row = pd.DataFrame([measure(problems[wanted["set"]], wanted)], columns=COLUMNS)
                    given.out.parent.mkdir(parents=True, exist_ok=True)
                    row.to_csv(given.out, mode="a", index=False, header=not given.out.exists())
                    table = row if table.empty else pd.concat([table, row], ignore_index=True)
                    print(row.to_string(index=False, header=False), flush=True)
    shown = table[table["set"].isin(tasks) & (table["trunk"] == given.trunk) & (table["rows"] == given.rows)]
    given.out.with_suffix(".md").write_text(as_markdown(shown), encoding="utf-8")
    draw(shown, given.out.with_suffix(".png"))
    print(f"Written to {given.out}, with a table and a picture beside it")


def measure(problem: Problem, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return what was measured of one way to use the rows.

    Parameters
    ----------
    problem : Problem
        The whole set.
    wanted : dict
        A value for each column of `KEY`.
    """
    task, case = wanted["task"], Case(wanted["split"], wanted["rows"], wanted["hidden"], wanted["task"])
    train, test = case.rows_of(problem)
    seen = case.shown(problem, train)
    settings = {} if wanted["trunk"] == "tabm" else SMALL
    estimator = joint_estimator(seen, trunk=wanted["trunk"], random_state=case.split, **settings)
    y_train = MultiTaskTarget({name: y[train] for name, y in seen.Y.items()})
    start = process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns and guesses, in every fit anew
        fitted = HOW[wanted["how"]](estimator, problem.X.iloc[train], y_train, task)
        seconds = process_time() - start
        y_test = MultiTaskTarget({name: y[test] for name, y in problem.Y.items()})
        scores = fitted.score_tasks(problem.X.iloc[test], y_test)
    return {
        **wanted,
        "n_labels": len(seen.labelled(task, train)),
        "metric": scores.attrs["metrics"][task],
        "score": scores[task],
        "others": scores.drop(task).mean(),
        "iterations": getattr(fitted, "n_iter_", {}).get(task, 0) if wanted["how"] == "self-training" else 0,
        "seconds": seconds,
    }


def as_markdown(table: pd.DataFrame) -> str:
    """Return the mean over splits of each way, with the differences to masked joint training."""
    lines = [
        "| set, task | labels left | dropped | masked | self-training | gain on masked | rounds kept |",
        "|---|---|---|---|---|---|---|",
    ]
    for (set_, task, hidden), part in table.groupby(["set", "task", "hidden"], sort=False):
        scores = part.pivot(index="split", columns="how", values="score").reindex(columns=list(HOW))
        gain = scores["self-training"] - scores["masked"]
        left = f"{1 - hidden:.0%}, {part['n_labels'].iloc[0]}"
        means = " | ".join(f"{value:.3f}" for value in scores.mean())
        rounds = part.loc[part["how"] == "self-training", "iterations"].tolist()
        spread = f"{gain.mean():+.3f} ({gain.min():+.3f} to {gain.max():+.3f})"
        lines.append(f"| {set_}, {task} | {left} | {means} | {spread} | {', '.join(map(str, rounds))} |")
    return "\n".join(lines) + "\n"


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw the score of each task by the labels that are left, a curve for each way."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    problems = list(table.groupby(["set", "task"], sort=False))
    figure, axes = plt.subplots(1, len(problems), figsize=(3.6 * len(problems), 3.2), squeeze=False)
    for ax, ((set_, task), part) in zip(axes[0], problems, strict=True):
        for how, marker in zip(HOW, "os^", strict=True):
            scores = part[part["how"] == how].groupby("n_labels")["score"]
            mean = scores.mean()
            ax.plot(mean.index, mean, marker=marker, label=WORDS[how])
            ax.fill_between(mean.index, scores.min(), scores.max(), alpha=0.15)
        ax.set(
            title=f"{set_}: {task}", xlabel="labels of the task", ylabel=part["metric"].iloc[0], xscale="log"
        )
        ticks = sorted(part["n_labels"].unique())
        ax.set_xticks(ticks, [str(tick) for tick in ticks])
        ax.minorticks_off()
    lines, words = axes[0][0].get_legend_handles_labels()
    figure.legend(lines, words, loc="lower center", ncols=len(words), frameon=False)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(path, dpi=100, facecolor="white")
    plt.close(figure)


def _wanted(tasks: dict[str, str], split: int, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for (set_, task), hidden, how in product(tasks.items(), given.hide, HOW):
        yield dict(zip(KEY, (set_, task, hidden, split, given.rows, given.trunk, how), strict=True))


def _collection(given: argparse.Namespace) -> Collection:
    return Collection(sets) if given.module is None else Collection.of_file(given.module)


def _tasks(given: argparse.Namespace) -> dict[str, str]:
    """Return the task whose labels are hidden, by set."""
    if given.module is None and given.sets is None:
        return DEFAULT
    collection = _collection(given)
    return {
        name: DEFAULT.get(name, next(iter(collection.load(name).kinds)))
        for name in collection.names(given.sets)
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.few_labels", description=__doc__)
    add = parser.add_argument
    add(
        "--module",
        type=Path,
        help="Python file with names() and load(name); else those of benchmarks.quality",
    )
    add("--sets", nargs="+", help=f"by default {', '.join(DEFAULT)}, or all of the module")
    add("--hide", nargs="+", type=float, default=list(SHARES), help="shares of labels, by default .5 .8 .95")
    add("--splits", nargs="+", type=int, default=[0, 1, 2], help="seeds, by default 0 1 2")
    add("--rows", type=int, default=800, help="training rows that are drawn, by default 800; 0 for all")
    add(
        "--trunk",
        default="mlp",
        help="by default mlp, nets alone; tabm has all defaults of the estimator",
    )
    add("--out", type=Path, default=OUT, help="CSV to go on with; the table and the picture lie beside it")
    return parser


if __name__ == "__main__":
    main()
