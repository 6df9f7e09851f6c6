"""What a notebook shows of a search that is done: what it has chosen, and its best candidates by task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.estimators.html_table import table_html
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number

# Rows, tasks and parameters that the table has; of more, the rest are counted.
MOST_ROWS, MOST_TASKS, MOST_PARAMETERS = 5, 8, 6
MOST_LETTERS = 40


def search_html(search: Any) -> str:
    """Return a table of the best candidates, with the chosen one and what it took above it.

    Parameters
    ----------
    search : StackedSearch
        The search, which has results.
    """
    results = search.cv_results_
    rows = _best_first(results, getattr(search, "best_index_", None), search.refit)
    columns = {**_parameters(results["params"], rows), **_epochs(results, rows), **_scores(search, rows)}
    if not columns:
        return ""
    cells = [list(row) for row in zip(*columns.values(), strict=True)]
    chosen = getattr(search, "best_index_", None)
    title = f"Chosen: {_in_words(results['params'][chosen])}" if chosen is not None else "No candidate chosen"
    best = rows.index(chosen) if chosen in rows else None
    notes = [_effort_in_words(search)]
    if len(rows) < len(results["params"]):
        notes.append(f"The first {len(rows)} are shown; cv_results_ has all.")
    return table_html(title, notes, list(columns), cells, best=best)


def _best_first(results: Mapping[str, Any], chosen: int | None, refit: Any) -> list[int]:
    """Return the rows of the first candidates: the chosen one, then by rank where there is one."""
    name = f"rank_test_{refit}" if isinstance(refit, str) else "rank_test_score"
    n_candidates = len(results["params"])
    ranks = np.asarray(results.get(name, np.zeros(n_candidates)))
    # Of a search by halving those that trained the longest come first: others do not compare with them.
    ended = -np.asarray(results.get("iter", np.zeros(n_candidates)))
    is_other = np.arange(n_candidates) != (-1 if chosen is None else chosen)
    return [int(row) for row in np.lexsort((ranks, ended, is_other))[:MOST_ROWS]]


def _parameters(params: list[dict[str, Any]], rows: list[int]) -> dict[str, list[str]]:
    names = list(dict.fromkeys(name for candidate in params for name in candidate))
    found = {
        name: [_value(params[row][name]) if name in params[row] else "" for row in rows]
        for name in names[:MOST_PARAMETERS]
    }
    if len(names) > MOST_PARAMETERS:
        found[f"… {len(names) - MOST_PARAMETERS} more"] = [""] * len(rows)
    return found


def _epochs(results: Mapping[str, Any], rows: list[int]) -> dict[str, list[str]]:
    """Return how long the candidates of a search by halving were trained."""
    return {"epochs": [str(results["n_resources"][row]) for row in rows]} if "n_resources" in results else {}


def _scores(search: Any, rows: list[int]) -> dict[str, list[str]]:
    """Return the mean and the standard deviation of the scores by column: the deciding one, and the tasks."""
    results = search.cv_results_
    deciding = search.refit if isinstance(search.refit, str) else "score"
    found = {}
    if f"mean_test_{deciding}" in results:
        found[deciding] = _spread(results, deciding, rows)
    of_tasks: Any = getattr(search, "task_results_", pd.DataFrame())
    tasks = [name.removeprefix("mean_test_") for name in of_tasks if name.startswith("mean_test_")]
    metrics = of_tasks.attrs.get("metrics", {})
    for task in tasks[:MOST_TASKS]:
        name = f"{task} ({metrics[task]})" if task in metrics else task
        found[name] = _spread({key: of_tasks[key].to_numpy() for key in of_tasks}, task, rows)
    if len(tasks) > MOST_TASKS:
        found[f"… {len(tasks) - MOST_TASKS} more tasks"] = [""] * len(rows)
    return found


def _spread(results: Mapping[str, Any], name: str, rows: list[int]) -> list[str]:
    means, stds = results[f"mean_test_{name}"], results[f"std_test_{name}"]
    return ["–" if np.isnan(means[row]) else f"{means[row]:.3f} ± {stds[row]:.3f}" for row in rows]


def _effort_in_words(search: Any) -> str:
    results = search.cv_results_
    n_candidates, n_folds = len(results["params"]), search.n_splits_
    words = [f"{n_candidates} candidates × {n_folds} fold{'s' if n_folds > 1 else ''}"]
    seconds = float(np.nansum(results["mean_fit_time"]) * n_folds)
    words.append(f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s")
    if hasattr(search, "stacked_"):
        alone = int((~search.stacked_["stacked"]).sum())
        words.append("all trained together" if not alone else f"{alone} trained alone, stacked_ says why")
    if search.interrupted_:
        words.append("interrupted by Ctrl-C")
    return ", ".join(words)


def _in_words(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in params.items()) or "no parameters"


def _value(value: Any) -> str:
    return f"{value:.4g}" if is_number(value) else shown(value, MOST_LETTERS)
