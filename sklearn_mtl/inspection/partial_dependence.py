"""What the estimator predicts on average as one feature, or two, take the values of a grid."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from sklearn.inspection import partial_dependence
from sklearn.utils import check_array

from sklearn_mtl.inspection.task_outputs import TaskOutputs
from sklearn_mtl.messages import shown


def task_partial_dependence(
    estimator: Any,
    X: Any,
    features: Any,
    *,
    grid_resolution: int = 50,
    percentiles: tuple[float, float] = (0.05, 0.95),
    sample_weight: Any = None,
) -> pd.DataFrame:
    """Return what each task predicts on average as a feature takes the values of a grid.

    Friedman (2001), "Greedy Function Approximation", section 8.2, by scikit-learn's ``partial_dependence``,
    for all tasks at once: for each value of the grid the rows go through the network once.

    Parameters
    ----------
    estimator : fitted estimator
        A multi-task estimator, or a Pipeline or search around one.
    X : DataFrame or array-like of shape (n_rows, n_features)
        The rows that are averaged over, each with the feature set to the value.
    features : str, int, or pair of these
        The column, by name in a frame and by position in an array; or two, whose grid is that of all pairs.
    grid_resolution : int, default=50
        Number of values of each column, equally far from each other; of a column with fewer distinct values,
        or one that does not hold numbers, the grid is these values.
    percentiles : tuple of float, default=(0.05, 0.95)
        The first and the last value, as shares of the rows.
    sample_weight : array-like of shape (n_rows,), optional
        Weights of the rows in the average.

    Returns
    -------
    DataFrame of float64, shape (n_values, n_outputs)
        The index holds the values of the grid, named as the column; for two columns it is a MultiIndex. The
        columns are the tasks and outputs of `TaskOutputs`: predictions in the units of the labels, and
        probabilities of classes.

    Raises
    ------
    ValueError
        If there is no such column, or there are more than two, or X is no table of at least one row.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.inspection import task_partial_dependence
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> Y = {"price": X[:, 0], "type": np.where(X[:, 0] > 0, "flat", "house")}
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=30, random_state=0).fit(X, Y)
    >>> found = task_partial_dependence(est, X, 0, grid_resolution=5)
    >>> found.columns.to_list()
    [('price', ''), ('type', 'house')]
    >>> found["price", ""].is_monotonic_increasing, found["type", "house"].is_monotonic_decreasing
    (True, True)
    """
    outputs = TaskOutputs(estimator)
    # Whose error names the estimator, were it not fitted.
    columns_of_outputs = outputs.outputs_
    if isinstance(X, Mapping):
        raise ValueError(f"X must be one table, whose columns change. Found the inputs {shown(list(X))}.")
    if not hasattr(X, "columns"):
        X = check_array(X, dtype=None, ensure_all_finite=False)
    elif not len(X):
        raise ValueError("X must have at least one row. Found none.")
    pair = list(features) if isinstance(features, list | tuple) else [features]
    columns = list(X.columns) if hasattr(X, "columns") else list(range(X.shape[1]))
    if not 1 <= len(pair) <= 2 or not all(isinstance(one, Hashable) and one in columns for one in pair):
        raise ValueError(
            f"`features` must be one or two of the columns {shown(columns)}. Found {shown(features)}."
        )
    X, categories = _with_floats(X, pair)
    found = partial_dependence(
        outputs,
        X,
        pair,
        sample_weight=sample_weight,
        categorical_features=categories or None,
        grid_resolution=grid_resolution,
        percentiles=percentiles,
        method="brute",
        kind="average",
    )
    names = [f"x{one}" if isinstance(one, int) else one for one in pair]
    grid = found["grid_values"]
    index = (
        pd.Index(grid[0], name=names[0]) if len(grid) == 1 else pd.MultiIndex.from_product(grid, names=names)
    )
    average = found["average"].reshape(len(columns_of_outputs), -1)
    return pd.DataFrame(average.T, index=index, columns=columns_of_outputs)


def _with_floats(X: Any, features: list[Any]) -> tuple[Any, list[Any]]:
    """Return X with these columns as floats, as scikit-learn asks, and those of them that hold no numbers."""
    if not isinstance(X, pd.DataFrame):
        return (X.astype(float), []) if X.dtype.kind in "biu" else (X, [])
    whole = [one for one in features if pd.api.types.is_integer_dtype(X[one].dtype)]
    other = [one for one in features if not pd.api.types.is_numeric_dtype(X[one].dtype)]
    other += [one for one in features if pd.api.types.is_bool_dtype(X[one].dtype) and one not in other]
    return X.astype(dict.fromkeys(whole, float)), other
