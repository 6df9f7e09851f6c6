"""Columns that vary, but reach the network as a constant: what they tell is lost."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd

from sklearn_mtl.features.kinds import named


def warn_of_constants(
    X: np.ndarray | pd.DataFrame, encoded: np.ndarray, sources: np.ndarray, known: Iterable[int] = ()
) -> None:
    """Warn of the columns of a table that vary though nothing varies that is made of them.

    Parameters
    ----------
    X : ndarray or DataFrame
        The fitted rows.
    encoded : ndarray of shape (n_rows, n_encoded)
        What becomes of them.
    sources : ndarray of int, shape (n_encoded,)
        Of which column of X each is made.
    known : iterable of int
        Columns that were warned of already.
    """
    silent = set(range(X.shape[1])) - set(sources[which_vary(encoded)].tolist()) - set(known)
    lost = [i for i in sorted(silent) if _varies(X, i)]
    if lost:
        names = X.columns[lost].tolist() if isinstance(X, pd.DataFrame) else lost
        warnings.warn(
            f"Columns of `X` vary, but reach the network as a constant: {named(names)}. Of text, only levels "
            "that occur at least 5 times are told apart. Drop the columns, merge their levels, or convert "
            "them to numbers or dates.",
            stacklevel=2,
        )


def which_vary(values: np.ndarray) -> np.ndarray:
    """Say of each column whether it varies."""
    found: np.ndarray = values.min(axis=0) != values.max(axis=0)
    return found


def _varies(X: np.ndarray | pd.DataFrame, column: int) -> bool:
    values = X.iloc[:, column] if isinstance(X, pd.DataFrame) else pd.Series(X[:, column])
    return values.nunique(dropna=False) > 1
