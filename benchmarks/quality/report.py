"""What was measured, as tables to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from benchmarks.quality.kinds import KINDS
from benchmarks.report import aligned

SCORES = {name: kind.score for name, kind in KINDS.items()}
RUN = ["set", "split", "rows", "hidden", "hidden_task"]


def page(results: pd.DataFrame) -> str:
    """Return all tables of a file of results as markdown, those of each number of rows apart.

    Parameters
    ----------
    results : DataFrame
        With the columns of `results.COLUMNS`.
    """
    parts = []
    for rows, of_rows in results.groupby("rows"):
        parts.append(f"## {'All training rows' if rows == 0 else f'{rows} training rows'}")
        parts += _sections(of_rows[of_rows["hidden"] == 0.0])
    if (results["hidden"] > 0).any():
        parts += ["## Hidden labels", "The score of the task whose labels were hidden.", curves(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def line(measured: pd.DataFrame) -> str:
    """Return a line on one measurement: the mean score over tasks, and the seconds."""
    first = measured.iloc[0]
    told = f"{first['set']}, split {first['split']}"
    if first["rows"]:
        told += f", {first['rows']} rows"
    if first["hidden"]:
        told += f", {first['hidden']:.0%} of {first['hidden_task']} hidden"
    score, taken = set_scores(measured).iloc[0, 0], _seconds(measured).iloc[0, 0]
    failed = measured.loc[measured["note"] != "", "task"].nunique()
    end = f", {failed} task(s) not fitted" if failed else ""
    return f"{told}: {first['contender']} {score:.4f}, {taken:.1f} s{end}"


def _sections(results: pd.DataFrame) -> Iterator[str]:
    """Yield a heading and a table for each question."""
    if results.empty:
        return
    yield from ("### All sets", summary(results))
    yield from ("### Score of each set, mean over its tasks and splits", by_set(results))
    yield from ("### Score of each task, with the deviation over splits", by_task(results))
    yield from ("### CPU seconds of fitting all tasks", seconds(results))
    if replaced := failures(results):
        yield from ("### Not fitted, means or frequencies in its place", replaced)


def summary(results: pd.DataFrame) -> str:
    """Return ranks, wins, losses and probabilities of each contender.

    Ranks are of the sets and splits that all contenders were measured on. Differences are of the first
    contender to the one in the row, over all sets and splits that both were measured on.
    """
    scores = set_scores(results)
    complete = scores.dropna()
    ranks, first = complete.rank(axis=1, ascending=False).mean(), scores.columns[0]
    log_loss = relative_log_loss(results)
    calibration = _means(results, "calibration_error")
    fit = _seconds(results).loc[complete.index].sum()
    rows = []
    for name in scores:
        difference = (scores[first] - scores[name]).dropna()
        rows.append(
            (
                str(name),
                _number(complete[name].mean()),
                _number(ranks[name], 2),
                "" if name == first else f"{(difference > 0).sum()} – {(difference < 0).sum()}",
                "" if name == first else _with_error(difference),
                _number(log_loss.get(name, np.nan), 3),
                _number(calibration.get(name, np.nan), 3),
                _number(fit[name], 0),
            )
        )
    headings = (
        "contender",
        "mean score",
        "mean rank",
        f"{first} wins – loses",
        f"{first} ahead by",
        "log-loss / best other",
        "calibration error",
        "CPU s",
    )
    counted = f"Ranks and seconds over {len(complete)} set(s) and splits that all have."
    return aligned([headings, *rows]) + "\n\n" + counted


def set_scores(results: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over tasks, a row for each set and split and a column for each contender."""
    scored = results[results["metric"] == results["kind"].map(SCORES)]
    return _wide(scored.groupby([*RUN, "contender"], sort=False)["value"].mean(), results)


def relative_log_loss(results: pd.DataFrame) -> pd.Series:
    """Return the geometric mean over tasks of each contender's log-loss, the best of the others being 1."""
    found = results[results["metric"] == "log_loss"]
    wide = _wide(found.set_index([*RUN, "task", "contender"])["value"], results).dropna()
    ratios = {name: wide[name] / wide.drop(columns=name).min(axis=1) for name in wide}
    return pd.Series({name: np.exp(np.log(ratio).mean()) for name, ratio in ratios.items()})


def by_set(results: pd.DataFrame) -> str:
    """Return the score of each contender on each set, and how far the first is ahead of the best other."""
    scores = set_scores(results)
    means = scores.groupby("set", sort=False).mean()
    first = means.columns[0]
    ahead = scores[first] - scores.drop(columns=first).max(axis=1)
    rows = [
        (
            str(name),
            *map(_number, scored),
            ", ".join(f"{1e3 * value:+.1f}" for value in ahead.xs(name, level="set")),
        )
        for name, scored in zip(means.index, means.to_numpy(), strict=True)
    ]
    return aligned([("set", *map(str, means), f"{first} – best other, each split, × 1,000"), *rows])


def by_task(results: pd.DataFrame) -> str:
    """Return the mean and the standard deviation over splits of each task's score."""
    scored = results[results["metric"] == results["kind"].map(SCORES)]
    wide = _wide(scored.set_index([*RUN, "task", "metric", "contender"])["value"], results)
    groups = wide.groupby(["set", "task", "metric"], sort=False)
    means, deviations = groups.mean(), groups.std()
    rows = [
        (*map(str, which), *(_with_deviation(*both) for both in zip(mean, deviation, strict=True)))
        for which, mean, deviation in zip(means.index, means.to_numpy(), deviations.to_numpy(), strict=True)
    ]
    return aligned([("set", "task", "metric", *map(str, means)), *rows])


def seconds(results: pd.DataFrame) -> str:
    """Return the mean over splits of the CPU seconds that fitting took."""
    means = _seconds(results).groupby("set", sort=False).mean()
    rows = [
        (str(name), *(_number(taken, 1) for taken in row))
        for name, row in zip(means.index, means.to_numpy(), strict=True)
    ]
    return aligned([("set", *map(str, means)), *rows])


def curves(results: pd.DataFrame) -> str:
    """Return the score of each task some of whose labels were hidden, by the share that was."""
    scored = results[results["metric"] == results["kind"].map(SCORES)]
    rows = []
    for (problem, n_rows, task), _ in results[results["hidden"] > 0].groupby(
        ["set", "rows", "hidden_task"], sort=False
    ):
        of_task = scored[
            (scored["set"] == problem)
            & (scored["rows"] == n_rows)
            & (scored["task"] == task)
            & scored["hidden_task"].isin(["", task])
        ]
        wide = _wide(of_task.groupby(["hidden", "contender"])["value"].mean(), results).sort_index()
        rows += [
            (str(problem), str(task), f"{share:.0%}", *map(_number, row))
            for share, row in zip(wide.index, wide.to_numpy(), strict=True)
        ]
    names = _contenders(results)
    return aligned([("set", "task", "hidden", *names), *rows])


def failures(results: pd.DataFrame) -> str:
    """Return who could not be fitted to what, and why; an empty string where all could."""
    failed = results[results["note"] != ""].drop_duplicates([*RUN, "contender", "task"])
    if failed.empty:
        return ""
    counts = failed.groupby(["contender", "set", "note"], sort=False).size()
    rows = [(*map(str, which), str(count)) for which, count in counts.items()]
    return aligned([("contender", "set", "why", "fits"), *rows])


def _means(results: pd.DataFrame, metric: str) -> pd.Series:
    """Return the mean of a metric for each contender, over the tasks that all have it of."""
    found = results[results["metric"] == metric]
    return _wide(found.set_index([*RUN, "task", "contender"])["value"], results).dropna().mean()


def _seconds(results: pd.DataFrame) -> pd.DataFrame:
    once = results.drop_duplicates([*RUN, "contender", "task"])
    return _wide(once.groupby([*RUN, "contender"], sort=False)["fit_seconds"].sum(), results)


def _wide(values: pd.Series, results: pd.DataFrame) -> pd.DataFrame:
    """Return a column for each contender, in the order of the results."""
    return values.unstack("contender", sort=False).reindex(columns=_contenders(results))


def _contenders(results: pd.DataFrame) -> Sequence[str]:
    return list(dict.fromkeys(results["contender"]))


def _number(value: float, digits: int = 4) -> str:
    return "" if np.isnan(value) else f"{value:,.{digits}f}"


def _with_deviation(mean: float, deviation: float) -> str:
    return _number(mean) if np.isnan(deviation) else f"{mean:.4f} ± {deviation:.4f}"


def _with_error(differences: pd.Series) -> str:
    if len(differences) < 2:
        return _number(differences.mean())
    return f"{differences.mean():+.4f} ± {differences.std() / np.sqrt(len(differences)):.4f}"
