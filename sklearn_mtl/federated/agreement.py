"""The summaries of all clients as one, and the estimator that all of them begin with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from sklearn_mtl.estimators.fitting import plan_fit
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.federated.summary import Summary
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import TaskSet
from sklearn_mtl.training import untrained_net

# Rows of the table that stands for the rows of all clients.
N_ROWS = 2048
# So many rows, of which one is told apart from rare ones, a level has at least.
ROWS_OF_A_LEVEL = 5


def agree(summaries: Sequence[Summary]) -> Summary:
    """Return the summaries of all clients as one, of which all make the same estimator.

    Parameters
    ----------
    summaries : sequence of dict
        What `summary` has returned on each client.

    Raises
    ------
    ValueError
        If clients have other columns, or other things in a column, or a task of two kinds, or classes of two
        types.

    Examples
    --------
    >>> from sklearn_mtl.federated import summary
    >>> X, kinds = np.arange(12.0)[:, None], {"price": "regression"}
    >>> both = agree([summary(X, {"price": X[:, 0] + shift}, kinds) for shift in (0, 12)])
    >>> both["tasks"]["price"]["n"], both["tasks"]["price"]["sum"] / 24
    (24, 11.5)
    """
    if not summaries:
        raise ValueError("`summaries` must hold that of one client at least. Found none.")
    names = [[column["name"] for column in one["features"]] for one in summaries]
    other = next((i for i, of_client in enumerate(names) if of_client != names[0]), None)
    if other is not None:
        raise ValueError(
            f"Clients must have the same columns, in one order. Found {shown(names[0])} and "
            f"{shown(names[other])}."
        )
    tasks = sorted({task for one in summaries for task in one["tasks"]})
    return {
        "named": summaries[0]["named"],
        "features": [
            _merged_feature(columns) for columns in zip(*(s["features"] for s in summaries), strict=True)
        ],
        "tasks": {
            task: _merged_task(task, [s["tasks"][task] for s in summaries if task in s["tasks"]])
            for task in tasks
        },
    }


def initial_estimator(estimator: Any, agreement: Summary) -> Any:
    """Return the estimator that all clients begin with: fitted to what they agreed on, its weights untrained.

    Its preprocessing, scales and classes are those of a table with the quantiles, levels and classes of all
    clients together, in which the columns do not depend on each other. Whoever calls it gets the same.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor
        An estimator with an integer as ``random_state``; it is cloned.
    agreement : dict
        The result of `agree`.

    Returns
    -------
    MultiTaskClassifierRegressor
        With which ``partial_fit`` and ``predict`` work.

    Raises
    ------
    ValueError
        If ``random_state`` is no integer: each client would draw other weights. If no client has a label of
        some task.
    """
    unlabelled = [name for name in estimator.tasks if name not in agreement["tasks"]]
    if unlabelled:
        raise ValueError(
            "`tasks` of a federated estimator must name tasks of which some client has labels that it tells "
            f"of: of a regression, as many as `fewest` says. Found none for {shown(unlabelled)}."
        )
    if isinstance(estimator.random_state, bool) or not isinstance(estimator.random_state, int | np.integer):
        raise ValueError(
            "`random_state` of a federated estimator must be an integer, by which all clients draw the same "
            f"weights. Found {shown(estimator.random_state)}."
        )
    found = clone(estimator)
    X, Y = representative_rows(agreement)
    classes = {name: task["classes"] for name, task in agreement["tasks"].items() if "classes" in task}
    data = FitData(X, Y)
    planned = plan_fit(found._parameters_for(data), data, Stages(), classes)
    blueprint = planned.untrained.blueprint
    tasks = TaskSet(tuple(_in_range(task, agreement["tasks"][task.name]) for task in blueprint.tasks))
    fitted = replace(
        planned.untrained,
        blueprint=replace(blueprint, tasks=tasks),
        nets=[untrained_net(plan) for plan in planned.plans],
        held_out=[],
    )
    return found._keep(fitted, planned.reader)


def representative_rows(agreement: Summary) -> tuple[Any, dict[str, np.ndarray]]:
    """Return a table that has the distribution of each column, and of the labels of each task, by itself."""
    levels = [len(column.get("levels", ())) for column in agreement["features"]]
    n_rows = max(N_ROWS, 2 * ROWS_OF_A_LEVEL * max(levels, default=0))
    columns = {
        column["name"]: _values(column, n_rows, np.random.default_rng(place))
        for place, column in enumerate(agreement["features"])
    }
    frame = pd.DataFrame(columns)
    labels = {
        name: _labels(task, n_rows, np.random.default_rng([place, 1]))
        for place, (name, task) in enumerate(agreement["tasks"].items())
    }
    return frame if agreement["named"] else frame.to_numpy(dtype=np.float64), labels


def _in_range(task: Any, agreed: Mapping[str, Any]) -> Any:
    """Return a task whose predictions reach as far as the labels of all clients."""
    if "points" not in agreed:
        return task
    ends = read_column(task.name, np.array([agreed["points"][0], agreed["points"][-1]]))
    return task.widened_by(ends, np.ones(2))


def _merged_feature(columns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    contents = sorted({column["content"] for column in columns} - {"nothing"})
    if len(contents) > 1:
        raise ValueError(
            f"A column must hold the same with all clients. Found {' and '.join(contents)} in "
            f"{shown(columns[0]['name'])}."
        )
    found: dict[str, Any] = {
        "name": columns[0]["name"],
        "content": contents[0] if contents else "nothing",
        "n": sum(column["n"] for column in columns),
        "missing": sum(column["missing"] for column in columns),
    }
    if contents == ["text"]:
        counts: Counter[str] = Counter()
        for column in columns:
            counts.update(column.get("levels", {}))
        return {**found, "levels": dict(sorted(counts.items()))}
    return {**found, **_merged_points(columns)}


def _merged_task(name: str, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    kinds = sorted({part["kind"] for part in parts})
    if len(kinds) > 1:
        raise ValueError(f"Task {shown(name)} must be of one kind with all clients. Found {kinds}.")
    found: dict[str, Any] = {"kind": kinds[0], "n": sum(part["n"] for part in parts)}
    if kinds == ["regression"]:
        sums = {of: sum(part[of] for part in parts) for of in ("sum", "sum_of_squares")}
        return {**found, **sums, **_merged_points(parts)}
    counts: Counter[Any] = Counter()
    # 1.0 is 1 where another client has gaps among its integers.
    for part in sorted(parts, key=lambda part: any(isinstance(label, float) for label in part["classes"])):
        counts.update(dict(zip(part["classes"], part["counts"], strict=True)))
    classes = _in_order(name, counts)
    return {**found, "classes": classes, "counts": [counts[label] for label in classes]}


def _in_order(task: str, classes: Collection[Any]) -> list[Any]:
    """Return the classes of all clients in ascending order."""
    try:
        return sorted(classes)
    except TypeError:
        types = sorted({type(label).__name__ for label in classes})
        raise ValueError(
            f"Classes of a task must be of one type with all clients. Found {' and '.join(types)} in "
            f"{shown(task)}."
        ) from None


def _merged_points(parts: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return the values of all parts in order, and the share of the rows that each stands for."""
    parts = [part for part in parts if part.get("points")]
    if not parts:
        return {"points": [], "shares": []}
    points = np.concatenate([part["points"] for part in parts])
    rows = np.concatenate(
        [part["n"] * np.asarray(part.get("shares", _even(part["points"]))) for part in parts]
    )
    order = np.argsort(points, kind="stable")
    return {"points": points[order].tolist(), "shares": (rows[order] / rows.sum()).tolist()}


def _even(points: Sequence[float]) -> np.ndarray:
    """Return the share of the rows that each of evenly spaced quantiles stands for: the ends for half."""
    shares = np.ones(len(points))
    shares[[0, -1]] = 0.5
    return shares / shares.sum()


def _at_quantiles(merged: Mapping[str, Any], n: int) -> np.ndarray:
    """Return so many values at evenly spaced quantiles, in ascending order."""
    ends = np.cumsum(merged["shares"])
    places = np.searchsorted(ends, (np.arange(n) + 0.5) / n * ends[-1])
    found: np.ndarray = np.asarray(merged["points"])[places.clip(max=len(ends) - 1)]
    return found


def _values(column: Mapping[str, Any], n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return the values of a column in an order that was drawn."""
    total = column["n"] + column["missing"]
    n_known = n_rows if not column["missing"] else int(np.clip(n_rows * column["n"] / total, 1, n_rows - 1))
    if column["content"] == "text":
        known = _in_proportion(list(column["levels"]), list(column["levels"].values()), n_known)
        values = np.full(n_rows, None, dtype=object)
        values[: len(known)] = known
    elif column["content"] == "nothing" or not column["points"]:
        values = np.full(n_rows, np.nan)
    else:
        values = np.full(n_rows, np.nan)
        values[:n_known] = _at_quantiles(column, n_known)
        if column["content"] == "dates":
            values = pd.Series(values).astype("Int64").astype("datetime64[us]").to_numpy()
    return rng.permutation(values)


def _labels(task: Mapping[str, Any], n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return labels with the classes, or with the mean and the standard deviation, of all clients."""
    if "classes" in task:
        values = np.array(_in_proportion(task["classes"], task["counts"], n_rows), dtype=object)
        plain = np.array(task["classes"])
        return rng.permutation(values if plain.dtype.kind in "US" else values.astype(plain.dtype))
    values = _at_quantiles(task, n_rows)
    mean = task["sum"] / task["n"]
    deviation = max(task["sum_of_squares"] / task["n"] - mean**2, 0) ** 0.5
    moved = mean + (values - values.mean()) * (deviation / values.std() if values.std() else 1)
    # Some losses take no labels below 0, which these must not be then.
    return rng.permutation(moved if moved.min() > 0 or values.min() <= 0 else values)


def _in_proportion(values: Sequence[Any], counts: Sequence[int], n: int) -> list[Any]:
    """Return each value about as often as it counts, and no fewer than five times if it counts for that."""
    if not values:
        return []
    given = np.asarray(counts, dtype=np.float64)
    wanted = np.maximum(np.floor(given / given.sum() * n), np.minimum(given, ROWS_OF_A_LEVEL)).astype(int)
    wanted[wanted.argmax()] += n - wanted.sum()
    return [value for value, times in zip(values, wanted.tolist(), strict=True) for _ in range(times)]
