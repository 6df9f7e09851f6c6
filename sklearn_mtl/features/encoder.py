"""From X to the input blocks of the network: preprocessing, and the description of the blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils import assert_all_finite

from sklearn_mtl.features.kinds import holds_bits, which_vary
from sklearn_mtl.features.reading import is_built_in
from sklearn_mtl.features.table import (
    default_preprocessing,
    refuse_other_than_numbers,
    source_columns,
    to_numbers,
    warn_of_constant_columns,
    with_text_of,
)
from sklearn_mtl.features.transformer import as_array, check_transformer, fit_transformer, given_to
from sklearn_mtl.messages import shown

# So many rows are enough to find the quantiles, the levels and what the columns hold.
ROWS_FOR_STATISTICS = 100_000
# Encoding makes several copies in double precision, which of so many numbers fit into a processor's cache.
NUMBERS_AT_ONCE = 2**19


@dataclass(frozen=True)
class Block:
    """One input tensor of the network, without its leading axis of rows.

    Parameters
    ----------
    name : str
        The key under which the tensor travels.
    shape : tuple of int
        Shape of one row: ``(n_columns,)`` for a table, ``(channels, height, width)`` for an image.
    kind : {"float", "codes"}
        ``"float"`` values, or integer ``"codes"`` (categories, tokens).
    n_continuous : int
        How many leading columns of a one-dimensional float block are on a continuous scale; the rest
        hold only 0 and 1.
    cardinalities : tuple of int
        The number of codes of each column of a block of codes.
    """

    name: str
    shape: tuple[int, ...]
    kind: Literal["float", "codes"] = "float"
    n_continuous: int = 0
    cardinalities: tuple[int, ...] = ()


@dataclass(frozen=True)
class FeatureSpec:
    """The blocks of one data set, in order.

    Parameters
    ----------
    blocks : tuple of Block
        At least one. Their tensors travel as a mapping from block name to tensor.
    """

    blocks: tuple[Block, ...]

    @property
    def single(self) -> Block:
        """The only block; a ``ValueError`` where there are several."""
        if len(self.blocks) != 1:
            names = [block.name for block in self.blocks]
            raise ValueError(
                f"This trunk takes one input block. Found {len(names)}: {shown(names)}; "
                "combine them with a trunk for several inputs."
            )
        return self.blocks[0]


class FeatureEncoder:
    """Preprocess X and hand it over in blocks.

    Parameters
    ----------
    preprocessing : "auto", None or transformer
        ``"auto"`` is `default_preprocessing` for tables and nothing for arrays of three or more
        dimensions; ``None`` is nothing. A transformer is cloned, and given the sample weights if its
        ``fit`` takes them.
    dtype : {numpy.float32, numpy.float64}
        The dtype of the blocks.

    Attributes
    ----------
    spec : FeatureSpec
        After ``fit``: one block named ``"x"``.
    transformer : transformer or None
        After ``fit``: the fitted preprocessing.

    Notes
    -----
    What ``"auto"`` makes of a table is put in order: columns that are constant in the fitted rows are
    dropped (one is kept if all are), continuous columns come first, those of only 0 and 1 after them.
    ``None`` and a user's transformer keep all columns where they are, since a user's own module, or a
    sequence in a two-dimensional array, counts on their places; there ``n_continuous`` counts the columns
    up to the last continuous one.

    Of 200,000 rows or more, ``"auto"`` and ``None`` look at evenly spaced ones, at least 100,000; a
    user's transformer is fitted on all. Every row is encoded by itself: what comes out for a row does not
    depend on the others. ``"auto"`` therefore encodes a stretch of rows at a time, to save memory; a
    user's transformer is given all rows at once.

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
    array([[-1.7,  0. ,  0. ],
           [ 0. ,  1. ,  1. ],
           [ 1.7,  1. ,  0. ],
           [ 0. ,  1. ,  0. ]], dtype=float32)
    """

    spec: FeatureSpec
    transformer: Any

    def __init__(
        self,
        preprocessing: BaseEstimator | Literal["auto"] | None = "auto",
        dtype: type[np.floating] = np.float32,
    ) -> None:
        self.preprocessing = preprocessing
        self.dtype = dtype

    def fit(
        self,
        X: np.ndarray | pd.DataFrame,
        sample_weight: np.ndarray | None = None,
        rows: np.ndarray | None = None,
    ) -> FeatureEncoder:
        """Fit the preprocessing; rows of weight 0 are as if they were not there.

        Parameters
        ----------
        X : ndarray or pandas.DataFrame
            X as `read_features` returns it.
        sample_weight : ndarray of shape (n_rows,), optional
            Weights of the rows.
        rows : ndarray of int of shape (n_rows,), optional
            Positions of the rows to fit on; all of X by default.
        """
        self.transformer = _new_transformer(self.preprocessing, X)
        used, sample_weight = self._rows_to_fit(X, sample_weight, rows)
        sample = _take(X, slice(None) if len(used) == len(X) and rows is None else used)
        if self.transformer is None:
            # An array: an index of pandas would go into pickles and files.
            self._names = np.array(X.columns.astype(str), object) if isinstance(X, pd.DataFrame) else None
        elif self.is_built_in:
            sample = with_text_of(X, sample)
            self.transformer.fit(sample)
        else:
            fit_transformer(self.transformer, given_to(self.transformer, sample), sample_weight)
        self._kept = None
        values = self._encode(sample)
        self._row_shape = values.shape[1:]
        n_continuous = 0
        if values.ndim == 2:
            if self.is_built_in:
                self._warn_of_constants(sample, values)
            if isinstance(self.preprocessing, str):
                self._kept, n_continuous = _in_order(values)
            else:
                n_continuous = int(np.max(np.flatnonzero(~holds_bits(values)), initial=-1)) + 1
        shape = self._row_shape if self._kept is None else (len(self._kept),)
        self.spec = FeatureSpec((Block("x", shape, n_continuous=n_continuous),))
        return self

    def transform(
        self, X: np.ndarray | pd.DataFrame, rows: np.ndarray | slice | None = None
    ) -> dict[str, np.ndarray]:
        """Encode X.

        Parameters
        ----------
        X : ndarray or pandas.DataFrame
            X as `read_features` returns it.
        rows : slice or ndarray of int of shape (n_rows,), optional
            The rows to encode; all of X by default.

        Returns
        -------
        dict of str to ndarray
            For each block of `spec` a C-contiguous, writeable array of shape ``(n_rows, *block.shape)``;
            X itself where there is nothing to encode.
        """
        if isinstance(rows, slice):
            X, rows = _take(X, rows), None
        n_rows = len(X) if rows is None else len(rows)
        at_once = max(1, NUMBERS_AT_ONCE // math.prod(X.shape[1:]))
        if n_rows <= at_once or not self._by_stretches(X):
            values = self._arranged(X if rows is None else _take(X, rows))
            return {"x": np.require(values, requirements=["C", "W"])}
        encoded = np.empty((n_rows, *self.spec.single.shape), self.dtype)
        for start in range(0, n_rows, at_once):
            stretch = slice(start, start + at_once)
            encoded[stretch] = self._arranged(_take(X, stretch if rows is None else rows[stretch]))
        return {"x": encoded}

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
    def is_built_in(self) -> bool:
        """Whether the preprocessing is the package's, not a user's transformer."""
        return is_built_in(self.preprocessing)

    def _rows_to_fit(
        self, X: np.ndarray | pd.DataFrame, sample_weight: np.ndarray | None, rows: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the positions of the rows to fit on, and their weights."""
        used = np.arange(len(X)) if rows is None else rows
        if sample_weight is not None:
            keep = np.asarray(sample_weight) > 0
            used, sample_weight = used[keep], np.asarray(sample_weight)[keep]
        if not self.is_built_in:
            return used, sample_weight
        # Only the shape of images and sequences is looked at.
        every = max(1, len(used) // ROWS_FOR_STATISTICS) if X.ndim == 2 else len(used)
        return used[::every], None if sample_weight is None else sample_weight[::every]

    def _warn_of_constants(self, sample: np.ndarray | pd.DataFrame, values: np.ndarray) -> None:
        """Warn of columns that are lost on the way from a sample to its encoded values."""
        if self.transformer is None:
            warn_of_constant_columns(sample, values, np.arange(values.shape[1]))
        else:
            free_text = self.transformer[0].free_text_
            warn_of_constant_columns(sample, values, source_columns(self.transformer), free_text)

    def _by_stretches(self, X: np.ndarray | pd.DataFrame) -> bool:
        """Whether to encode a stretch of rows at a time: encoding copies, and treats each row by itself."""
        return self.is_built_in and (self.transformer is not None or isinstance(X, pd.DataFrame))

    def _arranged(self, X: np.ndarray | pd.DataFrame) -> np.ndarray:
        """Encode X and put its columns in order."""
        values = self._encode(X)
        if values.shape[1:] != self._row_shape:
            raise ValueError(
                f"Rows of `X` must have shape {self._row_shape}, as in `fit`. Found {values.shape[1:]}."
            )
        return values if self._kept is None else np.take(values, self._kept, axis=1)

    def _encode(self, X: np.ndarray | pd.DataFrame) -> np.ndarray:
        if self.transformer is None and isinstance(X, np.ndarray) and X.dtype == self.dtype:
            return X
        if self.transformer is None:
            values = to_numbers(X) if _is_table(X) else X
        elif self.is_built_in:
            values = self.transformer.transform(X)
        else:
            values = as_array(self.transformer.transform(given_to(self.transformer, X)), self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            # Numbers that do not fit become infinite, and are reported next.
            values = values.astype(self.dtype, copy=False)
            finite = np.isfinite(values.sum())
        if not finite:
            # Called only now, for its message: for one row it takes longer than a network.
            assert_all_finite(values, input_name="X after preprocessing")
        return values


def _take(X: Any, rows: np.ndarray | slice) -> Any:
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


def _is_table(X: Any) -> bool:
    """Whether the columns of X may be of several kinds."""
    return isinstance(X, pd.DataFrame) or (isinstance(X, np.ndarray) and X.dtype.kind not in "biufc")


def _new_transformer(preprocessing: Any, X: np.ndarray | pd.DataFrame) -> Any:
    if preprocessing is None:
        if _is_table(X):
            refuse_other_than_numbers(X)
        return None
    if isinstance(preprocessing, str) and preprocessing == "auto":
        return default_preprocessing() if X.ndim == 2 else None
    check_transformer(preprocessing)
    return clone(preprocessing)


def _in_order(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the positions of the columns to keep, and how many of them, at the front, are continuous."""
    varies = which_vary(values)
    if not varies.any():
        varies[0] = True
    bits = holds_bits(values)
    continuous = np.flatnonzero(varies & ~bits)
    return np.concatenate([continuous, np.flatnonzero(varies & bits)]), len(continuous)
