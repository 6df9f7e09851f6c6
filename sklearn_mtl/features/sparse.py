"""Rows of a sparse matrix, which are made dense when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.sparsefuncs import min_max_axis
from sklearn.utils.validation import validate_data

from sklearn_mtl.features.kinds import named

# Of a wider sparse table no column is told apart from the others: to embed each would take a dense table.
WIDEST_TO_TELL_APART = 256


class SparseRows:
    """Rows of a sparse matrix, which are made dense when they are asked for.

    Parameters
    ----------
    matrix : csr_matrix or csr_array
        The rows. It is not written to, but for its index, which is sorted and made free of duplicates in a
        copy where it is not.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> rows = SparseRows(csr_array([[0.0, 2.0], [1.0, 0.0], [0.0, 3.0]]))
    >>> rows.shape
    (3, 2)
    >>> rows[np.array([2, 0])]
    array([[0., 3.],
           [0., 2.]])
    """

    ndim = 2
    is_streamed = True

    def __init__(self, matrix: Any) -> None:
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        self.matrix = matrix
        self.shape: tuple[int, int] = matrix.shape

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Return rows as a dense array of the matrix's dtype."""
        dense: np.ndarray = self.matrix[rows].toarray()
        return dense

    @property
    def is_wide(self) -> bool:
        """Whether there are too many columns to tell them apart."""
        return self.shape[1] > WIDEST_TO_TELL_APART

    def take(self, rows: slice | np.ndarray) -> Self:
        """Return rows, still sparse."""
        return type(self)(self.matrix[rows])

    def columns(self, places: np.ndarray) -> Self:
        """Return columns, still sparse."""
        return type(self)(self.matrix[:, places])

    def astype(self, dtype: type[np.floating], *, copy: bool = True) -> Self:
        """Return the rows with numbers of another dtype."""
        return type(self)(self.matrix.astype(dtype, copy=copy))

    def with_numbers(self, change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Self:
        """Return the rows with other numbers in the places that are stored, in double precision.

        Parameters
        ----------
        change : callable
            What makes of the stored numbers, and the columns that they are in, other numbers.
        """
        matrix = self.matrix.astype(np.float64)
        matrix.data = change(matrix.data, matrix.indices)
        return type(self)(matrix)

    def largest(self) -> np.ndarray:
        """Return for each column its largest absolute value."""
        lowest, highest = min_max_axis(self.matrix, axis=0)
        found: np.ndarray = np.maximum(-lowest, highest)
        return found

    def typical_sizes(self, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return for each column the median size of its numbers other than 0, and their share of the rows.

        Of two in the middle it is the lower one, and 0 where there are none.

        Parameters
        ----------
        weight : ndarray of shape (n_rows,), optional
            Weights of the rows.
        """
        sizes = np.abs(self.matrix.data.astype(np.float64))
        of_rows = np.ones(len(self)) if weight is None else weight
        weights = np.repeat(of_rows, np.diff(self.matrix.indptr))
        counted = np.flatnonzero((sizes > 0) & (weights > 0))
        columns = self.matrix.indices[counted]
        order = np.lexsort((sizes[counted], columns))
        counted, columns = counted[order], columns[order]
        reached = np.append(0, np.cumsum(weights[counted]))
        ends = np.cumsum(np.bincount(columns, minlength=self.shape[1]))
        starts = np.append(0, ends[:-1])
        half = (reached[starts] + reached[ends]) / 2
        median = np.zeros(self.shape[1])
        filled = starts < ends
        # The first at which half of the column's weight is reached.
        median[filled] = sizes[counted[np.searchsorted(reached[1:], half[filled])]]
        return median, (reached[ends] - reached[starts]) / of_rows.sum()

    def which_vary(self) -> np.ndarray:
        """Return for each column whether its values vary."""
        lowest, highest = min_max_axis(self.matrix, axis=0)
        found: np.ndarray = lowest != highest
        return found

    def holds_bits(self) -> np.ndarray:
        """Return for each column whether it holds nothing but 0 and 1."""
        others = ~np.isin(self.matrix.data, (0, 1))
        return np.bincount(self.matrix.indices[others], minlength=self.shape[1]) == 0


def read_sparse(estimator: BaseEstimator, X: Any, *, reset: bool, allow_nan: bool) -> SparseRows:
    """Check a sparse X as scikit-learn does, and record, or compare, the number of its columns.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator that keeps the number of the features.
    X : sparse matrix or array of shape (n_rows, n_features)
        In any of scipy's formats; of CSR it is not copied.
    reset : bool
        Whether to record or to compare.
    allow_nan : bool
        Whether it may have missing values.
    """
    if X.ndim != 2:
        raise ValueError(f"`X` must have two dimensions where it is sparse. Found shape {X.shape}.")
    X = X.tocsr()
    if not allow_nan and X.dtype.kind == "f" and (missing := np.isnan(X.data)).any():
        columns = np.unique(X.indices[missing]).tolist()
        raise ValueError(
            "Input X contains NaN. `X` must not hold missing values where it is sparse; a dense one may, for "
            f"preprocessing='auto'. Found them in the columns {named(columns)}."
        )
    # Converted first: scikit-learn looks into formats before it converts them, into parts that not all have.
    checked = validate_data(
        estimator,
        X,
        reset=reset,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        ensure_all_finite="allow-nan" if allow_nan else True,
    )
    return SparseRows(checked)
