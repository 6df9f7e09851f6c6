"""From X to the input blocks of the network: preprocessing, and the description of the blocks."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from sklearn_mtl.features.accepted import AcceptedInput
from sklearn_mtl.features.codes import LevelCodes, level_codes
from sklearn_mtl.features.encoding import ROWS_FOR_STATISTICS, Encoder, in_stretches, spaced
from sklearn_mtl.features.levels import fit_default, warn_of_rare_levels
from sklearn_mtl.features.reading import is_built_in
from sklearn_mtl.features.scaling import Scaling, scales_itself, scaling_of
from sklearn_mtl.features.sizes import refuse_not_finite
from sklearn_mtl.features.sparse import SparseRows
from sklearn_mtl.features.spec import OF_CODES
from sklearn_mtl.features.spec import Block as Block  # Pickles written before name them here.
from sklearn_mtl.features.spec import FeatureSpec as FeatureSpec
from sklearn_mtl.features.streamed_table import StreamedTable
from sklearn_mtl.features.table import (
    bit_columns,
    columns_in_order,
    is_table,
    new_transformer,
    source_columns,
    take_rows,
    to_numbers,
    warn_of_constant_columns,
    with_text_of,
)
from sklearn_mtl.features.telling_rows import telling_rows
from sklearn_mtl.features.transformer import as_rows, fit_transformer, given_to
from sklearn_mtl.features.unfamiliar import warn_of_unfamiliar_columns

# Encoding makes several copies in double precision, which of so many numbers fit into a processor's cache.
NUMBERS_AT_ONCE = 2**19


class FeatureEncoder(Encoder):
    """Preprocess a table, or an array as it is, and hand it over in blocks.

    Parameters
    ----------
    preprocessing : "auto", None or transformer
        ``"auto"`` is `default_preprocessing` for tables, `scaling_of` for sparse ones, and nothing for
        arrays of three or more dimensions; ``None`` is nothing. A transformer is cloned, and given the
        sample weights if its ``fit`` takes them. The table that comes out of it is scaled, by `scaling_of`,
        unless it is a pipeline that ends in ``"passthrough"``.
    dtype : {numpy.float32, numpy.float64}
        The dtype of the blocks.

    Attributes
    ----------
    spec : FeatureSpec
        After ``fit``: one block named ``"x"``, and ``"x_codes"`` beside it where ``"auto"`` finds columns of
        many levels.
    transformer : transformer or None
        After ``fit``: the fitted preprocessing.

    Notes
    -----
    What ``"auto"`` makes of a table is put in order: columns that are constant in the fitted rows are
    dropped (one is kept if all are), continuous columns come first, those of only 0 and 1 after them.
    ``None`` and a user's transformer keep all columns where they are, since a user's own module, or a
    sequence in a two-dimensional array, counts on their places; there ``n_continuous`` counts the columns
    up to the last continuous one.

    Of more than 100,000 rows, ``"auto"`` and ``None`` look at evenly spaced ones, at least 50,000; a
    user's transformer is fitted on all, as is what scales a sparse table. Every row is encoded by itself:
    what comes out for a row does not depend on the others. ``"auto"`` therefore encodes a stretch of rows
    at a time, to save memory; a user's transformer is given all rows at once.

    What is sparse stays so, X as well as what a transformer makes of it. In a block of more than 256
    columns that are sparse none counts as continuous.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"garden": [0, 1, 1, 1], "area": [50.0, None, 80.0, 65.0]})
    >>> encoder = FeatureEncoder("auto").fit(X)
    >>> encoder.spec.single.shape, encoder.spec.single.n_continuous
    ((3,), 1)
    >>> encoder.get_feature_names_out().tolist()
    ['number__area', 'bit__garden', 'gap__area']
    >>> encoder.transform(X)["x"].round(1)
    array([[-2.,  0.,  0.],
           [ 0.,  1.,  1.],
           [ 2.,  1.,  0.],
           [ 0.,  1.,  0.]], dtype=float32)
    """

    transformer: Any
    # False in files of versions that took no sparse X: a sparse one is then made dense, stretch by stretch.
    _takes_sparse = False
    # None in files of versions that did not scale, or had no codes.
    _scaling: Scaling | None = None
    _codes: LevelCodes | None = None

    def __init__(
        self,
        preprocessing: BaseEstimator | Literal["auto"] | None = "auto",
        dtype: type[np.floating] = np.float32,
    ) -> None:
        super().__init__(preprocessing, dtype)

    @property
    def accepted(self) -> AcceptedInput:
        """What reads X; a column of texts only where a transformer takes it."""
        return replace(AcceptedInput.by(self.preprocessing), kind=None, several=False)

    def fit(
        self,
        X: np.ndarray | pd.DataFrame | SparseRows,
        sample_weight: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        y: np.ndarray | None = None,
    ) -> FeatureEncoder:
        """Fit the preprocessing; see `Encoder.fit`. X is as `read_features` returns it."""
        used = np.arange(len(X)) if rows is None else rows
        counted = used if sample_weight is None else used[np.asarray(sample_weight) > 0]
        chosen = self._chosen(X, len(used), sample_weight)
        sample_weight, y = (None if of is None else np.asarray(of)[chosen] for of in (sample_weight, y))
        if isinstance(X, StreamedTable) and self.preprocessing is None:
            sample = telling_rows(X, used[chosen], self.dtype)
        else:
            sample = take_rows(X, slice(None) if len(chosen) == len(X) and rows is None else used[chosen])
        whole = sample if isinstance(X, StreamedTable) else X
        self.transformer, self._codes = new_transformer(self.preprocessing, whole), None
        if self.transformer is None:
            # An array: an index of pandas would go into pickles and files.
            is_frame = isinstance(sample, pd.DataFrame)
            self._names = np.array(sample.columns.map(str), object) if is_frame else None
        elif self.is_built_in:
            sample = with_text_of(X, sample)
            many = fit_default(self.transformer, sample)
            self._codes = level_codes(X, counted, many) if many else None
        else:
            fit_transformer(self.transformer, given_to(self.transformer, sample), sample_weight, y)
        is_for_dense = self.is_built_in and self.transformer is not None
        self._takes_sparse = isinstance(X, SparseRows) or not is_for_dense
        self._kept = None
        self._scaling = None
        if self._by_stretches(sample):
            values = in_stretches(sample, None, self.rows_at_once(sample), self._encode)
        else:
            values = self._before_scaling(sample)
            if values.ndim == 2 and self._is_to_be_scaled(values):
                self._scaling = scaling_of(values, sample_weight)
            values = self._scaled(values)
        self._row_shape = values.shape[1:]
        n_continuous = 0
        if values.ndim == 2:
            if self.is_built_in and isinstance(values, np.ndarray):
                warn_of_constant_columns(self.transformer, sample, values, self.coded)
                warn_of_rare_levels(self.transformer, self._codes, sample, values)
            if isinstance(self.preprocessing, str):
                self._kept, n_continuous = columns_in_order(values)
            else:
                if self._scaling is not None and isinstance(values, SparseRows):
                    # Most of what a HashingVectorizer gives is columns that hold nothing.
                    self._kept = np.sort(columns_in_order(values)[0])
                    values = values.columns(self._kept)
                n_continuous = int(np.max(np.flatnonzero(~bit_columns(values)), initial=-1)) + 1
        shape = self._row_shape if self._kept is None else (len(self._kept),)
        wide = isinstance(values, SparseRows) and values.is_wide
        block = Block("x", shape, n_continuous=0 if wide else n_continuous, wide_sparse=wide)
        self.spec = FeatureSpec((block, *self._blocks_of_codes()))
        return self

    def transform(
        self, X: np.ndarray | pd.DataFrame | SparseRows, rows: np.ndarray | slice | None = None
    ) -> dict[str, np.ndarray | SparseRows]:
        """Encode X; see `Encoder.transform`.

        Dense blocks are C-contiguous and writeable: X itself where there is nothing to encode.
        """
        if isinstance(rows, slice) or isinstance(X, StreamedTable):
            # Here, where row groups are read for all rows together.
            X, rows = take_rows(X, slice(None) if rows is None else rows), None
        at_once = self.rows_at_once(X) if self._by_stretches(X) else None
        values = in_stretches(X, rows, at_once, self._arranged)
        is_sparse = isinstance(values, SparseRows)
        blocks = {"x": values if is_sparse else np.require(values, requirements=["C", "W"])}
        if self._codes is not None:
            blocks["x" + OF_CODES] = self._codes.of(X, slice(None) if rows is None else rows)
        return blocks

    def get_feature_names_out(self) -> np.ndarray:
        """Return the names of the encoded columns, in the order of the block.

        Returns
        -------
        ndarray of str
            ``x0``, ``x1``, … where neither X nor the preprocessing has names.
        """
        if len(self._row_shape) != 1:
            raise ValueError(f"Only columns of a table have names. Found rows of shape {self._row_shape}.")
        if self.transformer is None:
            names: Any = self._names
        else:
            named = getattr(self.transformer, "get_feature_names_out", None)
            names = None if named is None else named()
        if names is None:
            names = [f"x{i}" for i in range(self._row_shape[0])]
        names = np.asarray(names, dtype=object)
        return names if self._kept is None else names[self._kept]

    @property
    def sources(self) -> np.ndarray | None:
        """Position in X of what each encoded column of a table was made of.

        None after a user's transformer: only the package's own says so.
        """
        if self.transformer is None:
            sources = np.arange(self._row_shape[0])
        elif self.is_built_in:
            sources = source_columns(self.transformer)
        else:
            return None
        return sources if self._kept is None else sources[self._kept]

    @property
    def coded(self) -> tuple[int, ...]:
        """Positions of the columns of X that have codes."""
        return () if self._codes is None else self._codes.columns

    def _blocks_of_codes(self) -> list[Block]:
        if self._codes is None:
            return []
        cardinalities = self._codes.cardinalities
        return [Block("x" + OF_CODES, (len(cardinalities),), "codes", cardinalities=cardinalities)]

    @property
    def is_built_in(self) -> bool:
        """Whether the preprocessing is the package's, not a user's transformer."""
        return is_built_in(self.preprocessing)

    def look_over(self, X: Any) -> None:
        """Warn of columns of a table that are unlike those of ``fit``."""
        if self.is_built_in and self.transformer is not None:
            warn_of_unfamiliar_columns(self.transformer, X)

    def encodes_when_read(self, X: Any) -> bool:
        """Whether rows are to be encoded when they are read, not all of X at once.

        A user's transformer might do something else to parts of X, and what stays sparse is small.
        """
        return self.is_built_in and not (isinstance(X, SparseRows) and self._takes_sparse)

    def rows_at_once(self, X: Any) -> int:
        """Return how many rows of X are encoded at once; 1 where it makes no difference."""
        return max(1, NUMBERS_AT_ONCE // math.prod(X.shape[1:])) if self._by_stretches(X) else 1

    def _chosen(self, X: Any, n_rows: int, sample_weight: np.ndarray | None) -> np.ndarray:
        """Return which of the rows to fit on: those of positive weight, or some of these."""
        chosen = np.arange(n_rows) if sample_weight is None else np.flatnonzero(np.asarray(sample_weight) > 0)
        if not self.is_built_in or isinstance(X, SparseRows):
            return chosen
        # Only the shape of what is no table is looked at.
        return spaced(chosen, ROWS_FOR_STATISTICS if X.ndim == 2 else 1)

    def _by_stretches(self, X: np.ndarray | pd.DataFrame) -> bool:
        """Whether to encode a stretch of rows at a time: encoding copies, and treats each row by itself."""
        is_copied = self.transformer is not None or isinstance(X, pd.DataFrame)
        return self.encodes_when_read(X) and is_copied

    def _arranged(self, X: np.ndarray | pd.DataFrame | SparseRows) -> np.ndarray | SparseRows:
        """Encode X and put its columns in order."""
        values = self._encode(X)
        if values.shape[1:] != self._row_shape:
            raise ValueError(
                f"Rows of `X` must have shape {self._row_shape}, as in `fit`. Found {values.shape[1:]}."
            )
        if self._kept is None or np.array_equal(self._kept, np.arange(values.shape[1])):
            return values
        if isinstance(values, SparseRows):
            return values.columns(self._kept)
        return np.take(values, self._kept, axis=1)

    def _encode(self, X: np.ndarray | pd.DataFrame | SparseRows) -> np.ndarray | SparseRows:
        return self._scaled(self._before_scaling(X))

    def _before_scaling(self, X: np.ndarray | pd.DataFrame | SparseRows) -> np.ndarray | SparseRows:
        if isinstance(X, SparseRows) and not self._takes_sparse:
            X = X[:]
        if self.transformer is None:
            return to_numbers(X, self.dtype) if is_table(X) else X
        if self.is_built_in:
            return self.transformer.transform(X)
        return as_rows(self.transformer.transform(given_to(self.transformer, X)), len(X))

    def _is_to_be_scaled(self, values: np.ndarray | SparseRows) -> bool:
        if self.is_built_in:
            return isinstance(self.preprocessing, str) and isinstance(values, SparseRows)
        return not scales_itself(self.preprocessing)

    def _scaled(self, values: np.ndarray | SparseRows) -> np.ndarray | SparseRows:
        """Scale, and return the numbers in the dtype of the blocks, having seen that all are finite."""
        if self._scaling is not None:
            values = self._scaling.scaled(values)
        elif self.transformer is None and isinstance(values, np.ndarray) and values.dtype == self.dtype:
            return values
        with np.errstate(over="ignore", invalid="ignore"):
            # Numbers that do not fit become infinite, and are reported next.
            values = values.astype(self.dtype, copy=False)
            numbers = values.matrix.data if isinstance(values, SparseRows) else values
            if not np.isfinite(numbers.sum()):
                # The columns are looked at only now: for one row it takes longer than a network.
                was_sparse = self.transformer is None and self._scaling is not None
                about_gaps = " A sparse X was fitted, so nothing fills the gaps of a dense one." * was_sparse
                refuse_not_finite(values, getattr(self, "_names", None), about_gaps)
        return values
