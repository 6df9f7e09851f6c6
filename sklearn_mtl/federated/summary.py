"""What a client tells of its rows: counts, sums, quantiles, levels and classes, and no row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, read_targets

# Quantiles of a column of numbers, evenly spaced.
N_POINTS = 257
# Levels of fewer rows are not told.
FEWEST = 5

Summary = dict[str, Any]


def summary(X: Any, y: Any, kinds: Mapping[str, str], *, fewest: int = FEWEST) -> Summary:
    """Return what a client tells of its rows: values that JSON can hold.

    Parameters
    ----------
    X : DataFrame of pandas, or array of numbers of shape (n_rows, n_features)
        Columns of numbers, booleans, dates, text or categories.
    y : mapping or DataFrame
        Labels by task; missing ones are left out.
    kinds : mapping of str to str
        For each task ``"regression"`` or ``"classification"``.
    fewest : int, default=5
        A level of a column of text that fewer rows have is not told, nor the quantiles of a column of
        numbers, nor anything of a regression, that fewer rows have. Classes are told whole: they are learned.

    Returns
    -------
    dict
        ``"features"``, a list with a summary for each column, ``"tasks"``, one for each task that has
        labels to be told of, and ``"named"``, whether columns have names.

    Raises
    ------
    TypeError
        If X is neither a frame nor an array of two dimensions.
    ValueError
        If a column of X holds something else, if a task has no kind, or if there is no label.

    Notes
    -----
    Quantiles are values that occur, the least and the greatest among them: what is private about single
    values must be rounded, or taken out, before.

    Examples
    --------
    >>> X = pd.DataFrame({"area": [50.0, None, 80.0], "colour": ["red", "red", "blue"]})
    >>> found = summary(X, {"price": [1.0, 2.0, 3.0]}, {"price": "regression"}, fewest=2)
    >>> found["features"][0]["n"], found["features"][1]["levels"]
    (2, {'red': 2})
    >>> found["tasks"]["price"]["sum"]
    6.0
    """
    frame = X if isinstance(X, pd.DataFrame) else _as_frame(X)
    if frame is X and not all(isinstance(name, str) for name in X.columns):
        raise ValueError(
            "Columns of `X` of a federated client must be named by texts. Found "
            f"{shown([name for name in X.columns if not isinstance(name, str)])}."
        )
    columns = read_targets(dict(y) if isinstance(y, Mapping) else y, n_rows=len(frame)).columns
    unknown = [name for name in columns if name not in kinds]
    if unknown:
        raise ValueError(
            "`tasks` of a federated estimator must name the kind of every task of every client. Found none "
            f"of {shown(unknown)}."
        )
    labels = {name: int(column.has_label.sum()) for name, column in columns.items()}
    if not any(labels.values()):
        raise ValueError(
            "`y` of a federated client must have a label: there is nothing to learn from it. Found none of "
            f"{shown(list(labels))} in {len(frame)} rows."
        )
    needed = {"regression": max(fewest, 1)}
    told = [name for name, n in labels.items() if n >= needed.get(kinds[name], 1)]
    return {
        "named": isinstance(X, pd.DataFrame),
        "features": [_of_feature(name, values, fewest) for name, values in frame.items()],
        "tasks": {name: _of_task(columns[name], kinds[name]) for name in told},
    }


def quantiles(values: np.ndarray) -> list[float]:
    """Return evenly spaced quantiles of numbers, each a value that occurs; none of no numbers."""
    shares = np.linspace(0, 1, N_POINTS)
    return np.quantile(values, shares, method="inverted_cdf").tolist() if len(values) else []


def _as_frame(X: Any) -> pd.DataFrame:
    array = np.asarray(X)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise TypeError(
            "`X` of a federated client must be a DataFrame, or an array of numbers of two dimensions. Found "
            f"{type(X).__name__} of shape {array.shape} and dtype {array.dtype}."
        )
    return pd.DataFrame(array)


def _of_feature(name: Any, values: pd.Series, fewest: int) -> dict[str, Any]:
    known = values.dropna()
    found: dict[str, Any] = {"name": str(name), "n": len(known), "missing": int(values.isna().sum())}
    types = pd.api.types
    if not len(known):
        return {**found, "content": "nothing"}
    if types.is_bool_dtype(known.infer_objects()) or types.is_numeric_dtype(values):
        numbers = known.to_numpy(dtype=np.float64)
        return {**found, "content": "numbers", "points": quantiles(numbers) if len(known) >= fewest else []}
    if types.is_datetime64_any_dtype(values) and getattr(values.dtype, "tz", None) is None:
        seconds = known.astype("datetime64[us]").astype(np.int64).to_numpy(dtype=np.float64)
        return {**found, "content": "dates", "points": quantiles(seconds) if len(known) >= fewest else []}
    if not all(isinstance(value, str) for value in known.unique()):
        raise ValueError(
            "Columns of `X` of a federated client must hold numbers, booleans, text or dates without a time "
            f"zone. Found {shown(known.iloc[0])} in column {shown(name)}."
        )
    counts = known.astype(object).value_counts()
    told = {str(level): int(count) for level, count in counts.sort_index().items() if count >= fewest}
    return {**found, "content": "text", "levels": told}


def _of_task(column: Column, kind: str) -> dict[str, Any]:
    known = column.values[column.has_label]
    if known.ndim != 1:
        raise ValueError(
            "Tasks of a federated estimator must have one label for each row. Found "
            f"{shown(column.name)} of shape {column.values.shape}."
        )
    if kind == "regression":
        numbers = known.astype(np.float64)
        return {
            "kind": kind,
            "n": len(numbers),
            "sum": float(numbers.sum()),
            "sum_of_squares": float((numbers**2).sum()),
            "points": quantiles(numbers),
        }
    labels, counts = np.unique(known, return_counts=True)
    return {"kind": kind, "n": len(known), "classes": labels.tolist(), "counts": counts.tolist()}
