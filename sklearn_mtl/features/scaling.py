"""Scales of what is not scaled yet: sparse tables, and what comes out of a user's transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl.features.clipping import LIMIT, smooth_clip
from sklearn_mtl.features.sizes import LARGEST, refuse_too_large
from sklearn_mtl.features.sparse import SparseRows
from sklearn_mtl.features.table import bit_columns


@dataclass(frozen=True, eq=False)
class Scaling:
    """What is subtracted from each column, what it is then divided by, and where it is clipped.

    Parameters
    ----------
    scale : ndarray of float64, shape (n_columns,)
        The positive divisors.
    shift : ndarray of float64, shape (n_columns,), optional
        What is subtracted, where the fitted rows were dense; of sparse ones the zeros stay.
    limit : ndarray of float64, shape (n_columns,), optional
        What scaled values are kept below, smoothly, where the fitted rows were sparse; infinity for none.
    """

    scale: np.ndarray
    shift: np.ndarray | None = None
    limit: np.ndarray | None = None

    def scaled(self, values: np.ndarray | SparseRows) -> np.ndarray | SparseRows:
        """Return the values, scaled in double precision."""
        if self.shift is not None:
            dense: np.ndarray = (values[:] - self.shift) / self.scale
            return dense
        if isinstance(values, SparseRows):
            return values.with_numbers(self._of_columns)
        return self._of_columns(values, slice(None))

    def _of_columns(self, numbers: np.ndarray, columns: np.ndarray | slice) -> np.ndarray:
        with np.errstate(over="ignore"):
            scaled = numbers / self.scale[columns]
        if self.limit is None:
            return scaled
        # Infinity has no place within limits, where the largest number has.
        return smooth_clip(np.clip(scaled, -LARGEST, LARGEST), self.limit[columns])


def scaling_of(values: np.ndarray | SparseRows, sample_weight: np.ndarray | None = None) -> Scaling:
    """Return the scaling of a table: columns of 0 and 1 stay as they are, and so do those that are too large.

    A dense column gets mean 0 and variance 1. A sparse one is divided by about the root of its mean
    square, which is the median size of its numbers other than 0, times the root of their share of the rows:
    a few large numbers do not change it. What is divided is smoothly clipped to (-3, 3), since it makes rare
    columns large. The zeros stay.

    Parameters
    ----------
    values : ndarray or SparseRows of shape (n_rows, n_columns)
        The fitted rows.
    sample_weight : ndarray of shape (n_rows,), optional
        Weights of the rows.

    Raises
    ------
    ValueError
        If a number of a sparse table is too large.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> table = np.array([[4.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
    >>> scaling_of(SparseRows(csr_array(table))).scale
    array([1.63299316, 1.        ])
    >>> scaling_of(table).scaled(table).round(1)
    array([[ 1.2,  0. ],
           [-1.2,  1. ],
           [ 0. ,  1. ]])
    """
    if isinstance(values, SparseRows):
        return _of_sparse(values, sample_weight)
    values = np.asarray(values, dtype=np.float64)
    if np.isfinite(values).all():
        with np.errstate(over="ignore", invalid="ignore"):
            scaler = StandardScaler().fit(values, sample_weight=sample_weight)
        scale, shift = scaler.scale_, scaler.mean_
    else:
        # They are reported once they would be scaled.
        scale, shift = np.ones(values.shape[1]), None
    # Divided by an infinite scale, numbers that are reported as too large would be 0.
    kept = bit_columns(values) | ~np.isfinite(scale)
    return Scaling(np.where(kept, 1.0, scale), None if shift is None else np.where(kept, 0.0, shift))


def _of_sparse(values: SparseRows, sample_weight: np.ndarray | None) -> Scaling:
    largest = values.largest()
    if too_large := np.flatnonzero(largest > LARGEST).tolist():
        refuse_too_large(range(len(largest)), {i: largest[i] for i in too_large})
    median, share = values.typical_sizes(sample_weight)
    scale = median * np.sqrt(share)
    kept = bit_columns(values) | ~(scale > 0)
    return Scaling(np.where(kept, 1.0, scale), limit=np.where(kept, np.inf, LIMIT))


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
