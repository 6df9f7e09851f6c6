"""Outliers of scaled columns, kept within bounds."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin

# What the values of a column with outliers are kept below, in interquartile ranges from the median.
LIMIT = 3.0
# What lies farther out is an outlier: of a million normal values none does (5.4 standard deviations).
FARTHEST = 4.0


def smooth_clip(values: np.ndarray, limit: float | np.ndarray = LIMIT) -> np.ndarray:
    """Squash values smoothly between -limit and limit, leaving small ones nearly as they are.

    Examples
    --------
    >>> smooth_clip(np.array([-1000.0, 0.1, 3.0])).round(3)
    array([-3.   ,  0.1  ,  2.121])
    """
    # `hypot` is safe where a square would overflow.
    return values / np.hypot(1, values / limit)


class OutlierClip(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Squash the columns that have outliers, and keep the others as they are within a range.

    For columns scaled to a median of 0 and an interquartile range of 1. A column with a value beyond
    (-4, 4) goes through `smooth_clip`, which bends all of it a little; of any other column only values
    beyond that range change, and those of the fitted rows have none: what is a polynomial of it stays one.

    Attributes
    ----------
    has_outliers_ : ndarray of bool, shape (n_columns,)
        Whether a column of the fitted rows has a value beyond the range.

    Examples
    --------
    >>> X = np.array([[1.0, 1.0], [-2.0, 90.0]])
    >>> OutlierClip().fit(X).transform(np.array([[3.0, 3.0], [5.0, 5.0]])).round(2)
    array([[3.  , 2.12],
           [4.  , 2.57]])
    """

    has_outliers_: np.ndarray

    def fit(self, X: np.ndarray, y: Any = None) -> Self:
        """Find the columns that have outliers.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_columns)
            Scaled columns.
        y : object, optional
            Not used.
        """
        self.n_features_in_ = X.shape[1]
        self.has_outliers_ = np.max(np.abs(X), axis=0, initial=0) > FARTHEST
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the columns within bounds.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_columns)
            Columns scaled as the fitted ones were.
        """
        clipped = np.clip(X, -FARTHEST, FARTHEST)
        clipped[:, self.has_outliers_] = smooth_clip(X[:, self.has_outliers_])
        return clipped
