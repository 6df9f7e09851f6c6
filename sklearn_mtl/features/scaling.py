"""Scales of what is not scaled yet: sparse tables, and what comes out of a user's transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl.features.sparse import SparseRows
from sklearn_mtl.features.table import bit_columns


@dataclass(frozen=True, eq=False)
class Scaling:
    """What is subtracted from each column, and what it is then divided by.

    Parameters
    ----------
    scale : ndarray of float64, shape (n_columns,)
        The positive divisors.
    shift : ndarray of float64, shape (n_columns,), optional
        What is subtracted, where the fitted rows were dense; of sparse ones the zeros stay.
    """

    scale: np.ndarray
    shift: np.ndarray | None = None

    def scaled(self, values: np.ndarray | SparseRows) -> np.ndarray | SparseRows:
        """Return the values, scaled in double precision."""
        if isinstance(values, SparseRows):
            if self.shift is None:
                return values.divided_by(self.scale)
            values = values[:]
        found: np.ndarray = (values if self.shift is None else values - self.shift) / self.scale
        return found


def scaling_of(values: np.ndarray | SparseRows, sample_weight: np.ndarray | None = None) -> Scaling:
    """Return the scaling of a table: columns of 0 and 1 stay as they are, and so do those that are too large.

    A dense column gets mean 0 and variance 1. A sparse one is divided by the mean size of its numbers other
    than 0: so rare columns are no larger than frequent ones, which division by the standard deviation makes
    of them, and a column with one large number is not small elsewhere, as division by the maximum makes it.

    Parameters
    ----------
    values : ndarray or SparseRows of shape (n_rows, n_columns)
        The fitted rows.
    sample_weight : ndarray of shape (n_rows,), optional
        Weights of the rows.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> table = np.array([[4.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
    >>> scaling_of(SparseRows(csr_array(table))).scale
    array([3., 1.])
    >>> scaling_of(table).scaled(table).round(1)
    array([[ 1.2,  0. ],
           [-1.2,  1. ],
           [ 0. ,  1. ]])
    """
    shift = None
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(values, SparseRows):
            scale = values.mean_sizes(sample_weight)
        elif np.isfinite(values := np.asarray(values, dtype=np.float64)).all():
            scaler = StandardScaler().fit(values, sample_weight=sample_weight)
            scale, shift = scaler.scale_, scaler.mean_
        else:
            # They are reported once they would be scaled.
            scale = np.ones(values.shape[1])
    # Divided by an infinite scale, numbers that are reported as too large would be 0.
    kept = bit_columns(values) | ~np.isfinite(scale) | (scale == 0)
    return Scaling(np.where(kept, 1.0, scale), None if shift is None else np.where(kept, 0.0, shift))


def scales_itself(preprocessing: Any) -> bool:
    """Whether a user's transformer says that what comes out of it is to stay as it is.

    A pipeline says so that ends in ``"passthrough"``, and a FrozenEstimator, for which nothing is fitted.

    Examples
    --------
    >>> scales_itself(Pipeline([("scale", StandardScaler()), ("as it is", "passthrough")]))
    True
    """
    if isinstance(preprocessing, Pipeline):
        return preprocessing.steps[-1][1] in (None, "passthrough")
    return isinstance(preprocessing, FrozenEstimator)
