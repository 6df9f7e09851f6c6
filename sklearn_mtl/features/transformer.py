"""A user's transformer as preprocessing: how it is checked, fitted and given rows, and what it returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils.validation import has_fit_parameter

from sklearn_mtl.features.kinds import columns_not_numeric, named
from sklearn_mtl.features.reading import takes_texts
from sklearn_mtl.features.table import to_numbers
from sklearn_mtl.messages import shown


def check_transformer(preprocessing: Any) -> None:
    """Raise a ``TypeError`` unless it is a transformer."""
    methods = ("fit", "transform", "get_params")
    if isinstance(preprocessing, type) or not all(hasattr(preprocessing, method) for method in methods):
        raise TypeError(
            "`preprocessing` must be 'auto', None or a scikit-learn transformer. Found "
            f"{shown(preprocessing)}."
        )


def fit_transformer(transformer: Any, X: Any, sample_weight: np.ndarray | None) -> None:
    """Fit a transformer.

    Parameters
    ----------
    transformer : transformer
        A transformer with the methods of scikit-learn's.
    X : object
        Rows as `given_to` returns them.
    sample_weight : ndarray of shape (n_rows,), optional
        Weights of the rows, for a transformer whose ``fit`` takes them.
    """
    given: dict[str, Any] = {}
    if has_fit_parameter(transformer, "y"):
        # FrozenEstimator, for one, has no default for it.
        given["y"] = None
    if sample_weight is not None and has_fit_parameter(transformer, "sample_weight"):
        given["sample_weight"] = sample_weight
    transformer.fit(X, **given)


def given_to(transformer: Any, X: Any) -> Any:
    """Return X as a transformer takes it; a list of texts for one that takes texts.

    Parameters
    ----------
    transformer : transformer
        The transformer that will be given X.
    X : ndarray or DataFrame
        X as `read_features` returns it.
    """
    if not takes_texts(transformer):
        return X
    return (X.iloc[:, 0] if isinstance(X, pd.DataFrame) else X[:, 0]).tolist()


def as_array(values: Any, dtype: type[np.floating]) -> np.ndarray:
    """Return the output of a transformer as one array.

    Parameters
    ----------
    values : array, sparse matrix or DataFrame
        The table that ``transform`` returned.
    dtype : {numpy.float32, numpy.float64}
        The dtype in which a sparse matrix is made dense, which saves memory.

    Raises
    ------
    ValueError
        If a column of a frame holds no numbers.
    """
    if issparse(values):
        with np.errstate(over="ignore"):
            dense: np.ndarray = values.astype(dtype).toarray()
        return dense
    if not isinstance(values, pd.DataFrame):
        return np.asarray(values)
    others = values.columns[columns_not_numeric(values)].tolist()
    if others:
        raise ValueError(f"`preprocessing` must give columns of numbers. Found others: {named(others)}.")
    return to_numbers(values)
