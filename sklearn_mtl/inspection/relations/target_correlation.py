"""Association of the labels of two tasks, whatever their kinds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.recipes import resolve
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import KINDS

# Rows with labels of both tasks below which nothing is said of a pair.
FEWEST_ROWS = 3
SPEARMAN = "Spearman's rank correlation, absolute"
RATIO = "correlation ratio"
CRAMER = "Cramér's V, bias-corrected"


class Labels(NamedTuple):
    """The labels of a task: a row of numbers or class codes for each of its columns, nan where missing."""

    columns: np.ndarray
    has_classes: bool


def target_correlation(estimator: Any, X: Any, y: Any) -> pd.DataFrame:  # noqa: ARG001
    """Return how strongly the labels of each two tasks go together, from 0 to 1, without any training.

    The measure is that of the kinds of the pair, and ``attrs["pairs"]`` of the frame names it:

    - two tasks of numbers: the absolute value of Spearman's rank correlation (Spearman 1904);
    - a task of numbers and one of classes: the correlation ratio, the root of the share of the variance that
      lies between the classes (Fisher 1925);
    - two tasks of classes: Cramér's V with the bias correction of Bergsma (2013), equation 8.

    Times of survival are numbers, ordered classes are classes. Tasks of several columns have the strongest of
    their pairs of columns. Rows without a label of one of the two are left out.

    Parameters
    ----------
    estimator : object
        Its ``tasks`` say the kinds, as far as they are not inferred.
    X : object
        Not used.
    y : mapping, DataFrame or array-like
        Labels by task.

    Returns
    -------
    DataFrame
        Symmetric, with 1 on the diagonal; nan where fewer than 3 rows have both labels, or one of the two
        does not vary.
    """
    labels = _labels(innermost(estimator)[0], y)
    names = list(labels)
    found = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
    pairs: dict[str, dict[str, str]] = {name: {} for name in names}
    for place, one in enumerate(names):
        for other in names[:place]:
            measure = _measure(labels[one], labels[other])
            found.loc[one, other] = found.loc[other, one] = _strongest(labels[one], labels[other], measure)
            pairs[one][other] = pairs[other][one] = measure
    found.attrs["pairs"] = pairs
    return found


def _labels(within: Any, y: Any) -> dict[str, Labels]:
    columns = read_targets(y).columns
    given = dict(within.tasks or {})
    kinds = {name: resolve(KINDS, given[name], f" for task {name!r}") for name in columns if name in given}
    kinds |= within._kind_rule.infer({name: columns[name] for name in columns if name not in given})
    found = {}
    for name, column in columns.items():
        task = kinds[name].bind(column, np.ones(len(column)))
        encoded = np.asarray(task.encode(column), dtype=np.float64).T
        if task.position_axes:
            # A label of each position: the labels of a row are those of as many rows.
            encoded = encoded.T.reshape(1, -1)
        found[name] = Labels(encoded, task.has_classes)
    return _of_positions(found)


def _of_positions(labels: dict[str, Labels]) -> dict[str, Labels]:
    """Return the labels with as many of each: one for a row is that of each of its positions."""
    longest = max(of.columns.shape[1] for of in labels.values())
    return {
        name: Labels(np.repeat(of.columns, longest // of.columns.shape[1], axis=1), of.has_classes)
        for name, of in labels.items()
    }


def _measure(one: Labels, other: Labels) -> str:
    if one.has_classes and other.has_classes:
        return CRAMER
    return RATIO if one.has_classes or other.has_classes else SPEARMAN


def _strongest(one: Labels, other: Labels, measure: str) -> float:
    if one.has_classes and not other.has_classes:
        one, other = other, one
    values = []
    for first in one.columns:
        for second in other.columns:
            known = ~(np.isnan(first) | np.isnan(second))
            if known.sum() >= FEWEST_ROWS:
                values.append(FUNCTIONS[measure](first[known], second[known]))
    known_values = [value for value in values if not np.isnan(value)]
    return max(known_values, default=np.nan)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return the absolute value of Spearman's rank correlation; nan where one does not vary.

    Parameters
    ----------
    one, other : ndarray of shape (n_rows,)
        Numbers of the two tasks.
    """
    ranks = [rankdata(values) - (len(values) + 1) / 2 for values in (one, other)]
    norm = np.sqrt((ranks[0] @ ranks[0]) * (ranks[1] @ ranks[1]))
    return float(abs(ranks[0] @ ranks[1]) / norm) if norm > 0 else np.nan


def correlation_ratio(numbers: np.ndarray, codes: np.ndarray) -> float:
    """Return the root of the share of the variance of numbers between classes; nan where one does not vary.

    Parameters
    ----------
    numbers, codes : ndarray of shape (n_rows,)
        Numbers of one task, classes of the other.
    """
    _, places = np.unique(codes, return_inverse=True)
    counts = np.bincount(places)
    centred = numbers - numbers.mean()
    total = float(centred @ centred)
    if len(counts) < 2 or total <= 0:
        return np.nan
    between = float((np.bincount(places, centred) ** 2 / counts).sum())
    return float(np.sqrt(min(between / total, 1.0)))


def cramers_v(one: np.ndarray, other: np.ndarray) -> float:
    """Return Cramér's V, corrected for the number of classes and rows; nan where one does not vary.

    Parameters
    ----------
    one, other : ndarray of shape (n_rows,)
        Classes of the two tasks.
    """
    table = pd.crosstab(one, other).to_numpy().astype(np.float64)
    n, (rows, columns) = table.sum(), table.shape
    if min(rows, columns) < 2:
        return np.nan
    expected = np.outer(table.sum(1), table.sum(0)) / n
    phi = ((table - expected) ** 2 / expected).sum() / n
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (n - 1))
    of_rows, of_columns = (k - (k - 1) ** 2 / (n - 1) for k in (rows, columns))
    least = min(of_rows, of_columns) - 1
    # With about as many classes as rows the correction leaves nothing to divide by.
    return float(min(np.sqrt(phi / least), 1.0)) if least > 0 else np.nan


FUNCTIONS = {SPEARMAN: rank_correlation, RATIO: correlation_ratio, CRAMER: cramers_v}
