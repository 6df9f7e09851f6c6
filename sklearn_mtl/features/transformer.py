"""A user's transformer as preprocessing: how it is checked, fitted and given rows, and what it returns."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from sklearn_mtl.features.kinds import columns_not_numeric, named
from sklearn_mtl.features.reader import as_frame
from sklearn_mtl.features.reading import takes_dicts, takes_texts
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
    found = "" if y is None else _unusual(y)
    if not found:
        transformer.fit(X, **given)
        return
    try:
        # What is warned of before an error is about gaps as well: numpy says that NaN is no integer.
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            transformer.fit(X, **given)
    except (ValueError, TypeError) as error:
        # Errors about X are passed on.
        if not re.search(r"\b(y|[Ll]abels?|[Tt]argets?)\b", str(error)):
            raise
        raise ValueError(
            f"`preprocessing` must take the labels of all tasks as y, {found}, if it makes something of y. "
            f"Found {_named_steps(transformer)}, which says: {str(error).strip().rstrip('.')}. Fit it to "
            "the labels of one task beforehand and give it as FrozenEstimator(transformer), or write a "
            "transformer that chooses a column of y."
        ) from error
    for each in warned:
        warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def _named_steps(transformer: Any) -> str:
    """Return the names of the classes of a transformer, and of its steps where it is a pipeline."""
    if isinstance(transformer, Pipeline):
        return f"Pipeline({', '.join(_named_steps(step) for _, step in transformer.steps)})"
    return shown(transformer) if isinstance(transformer, str) else type(transformer).__name__


def _unusual(y: np.ndarray) -> str:
    """Return in words what not all transformers take; nothing where all do."""
    n_gaps = int(np.isnan(y).sum())
    several = f"an array of shape {y.shape}" if y.ndim == 2 else ""
    gaps = f"NaN for {n_gaps} missing labels" if n_gaps else ""
    return " with ".join(part for part in (several, gaps) if part)


def given_to(transformer: Any, X: Any) -> Any:
    """Return X as a transformer takes it: sparse as a matrix, a list where it takes texts or dicts.

    A missing text is an empty one, and a missing dict too.

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
    column = X.iloc[:, 0] if isinstance(X, pd.DataFrame) else pd.Series(X[:, 0])
    gap: Any = {} if takes_dicts(transformer) else ""
    return [gap if is_gap else value for value, is_gap in zip(column, column.isna(), strict=True)]


def as_rows(values: Any, n_rows: int) -> np.ndarray | SparseRows:
    """Return the output of a transformer as one array, or as the rows of a sparse matrix.

    Parameters
    ----------
    values : array, sparse matrix or DataFrame
        The table that ``transform`` returned.
    n_rows : int
        The number of rows that it was given.

    Raises
    ------
    ValueError
        If there is not one row for each that was given, or a column holds no numbers.
    """
    is_frame = isinstance(values, pd.DataFrame)
    if not is_frame and not issparse(values):
        values = np.asarray(values)
    shape = tuple(values.shape)
    if len(shape) < 2 or shape[0] != n_rows or 0 in shape[1:]:
        raise ValueError(
            "`preprocessing` must give one row for each row of `X`, of at least one column. Found shape "
            f"{shape} for {n_rows} rows."
        )
    if issparse(values):
        return SparseRows(values.tocsr())
    if not is_frame and (values.dtype.kind in "biuf" or values.ndim > 2):
        return values
    table = as_frame(values)
    others = table.columns[columns_not_numeric(table)].tolist()
    if others:
        raise ValueError(f"`preprocessing` must give columns of numbers. Found others: {named(others)}.")
    return to_numbers(table)
