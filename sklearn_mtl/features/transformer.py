"""A user's transformer as preprocessing: how it is checked, fitted and given rows, and what it returns."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils.validation import has_fit_parameter

from sklearn_mtl.features.kinds import columns_not_numeric, named
from sklearn_mtl.features.reading import takes_texts
from sklearn_mtl.features.sparse import SparseRows
from sklearn_mtl.features.table import to_numbers
from sklearn_mtl.messages import shown


def takes_labels(preprocessing: Any) -> bool:
    """Whether a preprocessing is a transformer whose ``fit`` takes y.

    Whether it makes anything of y can't be told: SelectKBest, for one, says that it needs none.

    Examples
    --------
    >>> from sklearn.feature_selection import SelectKBest
    >>> [takes_labels(given) for given in ("auto", None, SelectKBest())]
    [False, False, True]
    """
    return hasattr(preprocessing, "fit") and bool(has_fit_parameter(preprocessing, "y"))


def fit_transformer(
    transformer: Any, X: Any, sample_weight: np.ndarray | None, y: np.ndarray | None = None
) -> None:
    """Fit a transformer.

    Parameters
    ----------
    transformer : transformer
        A transformer with the methods of scikit-learn's.
    X : object
        Rows as `given_to` returns them.
    sample_weight : ndarray of shape (n_rows,), optional
        Weights of the rows, for a transformer whose ``fit`` takes them.
    y : ndarray of shape (n_rows,) or (n_rows, n_columns), optional
        Labels of the rows as numbers, NaN for missing ones, for a transformer whose ``fit`` takes them.

    Raises
    ------
    ValueError
        If it takes no labels of several columns, or with gaps.
    """
    given: dict[str, Any] = {}
    if has_fit_parameter(transformer, "y"):
        # FrozenEstimator, for one, has no default for it.
        given["y"] = y
    if sample_weight is not None and has_fit_parameter(transformer, "sample_weight"):
        given["sample_weight"] = sample_weight
    try:
        transformer.fit(X, **given)
    except (ValueError, TypeError) as error:
        found = "" if y is None else _unusual(y)
        # Errors about X are passed on.
        if not found or not re.search(r"\b(y|[Ll]abels?|[Tt]argets?)\b", str(error)):
            raise
        raise ValueError(
            f"`preprocessing` must take the labels of all tasks as y, {found}, if it makes something of y. "
            f"Found {shown(transformer)}, which says: {error} A FrozenEstimator is fitted beforehand, to the "
            "labels of one task, and a transformer of one's own may choose among the columns of y."
        ) from error


def _unusual(y: np.ndarray) -> str:
    """Return in words what not all transformers take; nothing where all do."""
    n_gaps = int(np.isnan(y).sum())
    several = f"an array of shape {y.shape}" if y.ndim == 2 else ""
    gaps = f"NaN for {n_gaps} missing labels" if n_gaps else ""
    return " with ".join(part for part in (several, gaps) if part)


def given_to(transformer: Any, X: Any) -> Any:
    """Return X as a transformer takes it: sparse as a matrix, a list of texts where it takes texts.

    Parameters
    ----------
    transformer : transformer
        The transformer that will be given X.
    X : ndarray, DataFrame or SparseRows
        X as `read_features` returns it.
    """
    if isinstance(X, SparseRows):
        return X.matrix
    if not takes_texts(transformer):
        return X
    return (X.iloc[:, 0] if isinstance(X, pd.DataFrame) else X[:, 0]).tolist()


def as_rows(values: Any) -> np.ndarray | SparseRows:
    """Return the output of a transformer as one array, or as the rows of a sparse matrix.

    Parameters
    ----------
    values : array, sparse matrix or DataFrame
        The table that ``transform`` returned.

    Raises
    ------
    ValueError
        If a column of a frame holds no numbers.
    """
    if issparse(values):
        return SparseRows(values.tocsr())
    if not isinstance(values, pd.DataFrame):
        return np.asarray(values)
    others = values.columns[columns_not_numeric(values)].tolist()
    if others:
        raise ValueError(f"`preprocessing` must give columns of numbers. Found others: {named(others)}.")
    return to_numbers(values)
