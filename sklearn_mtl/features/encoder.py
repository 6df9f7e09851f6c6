"""From X to the tensors of the network: preprocessing, and the description of what comes out."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import has_fit_parameter

from sklearn_mtl.features.kinds import columns_not_numeric, holds_bits
from sklearn_mtl.features.spec import Block, FeatureSpec
from sklearn_mtl.features.table import default_preprocessing, to_numbers


class FeatureEncoder:
    """Preprocess X and hand it over in blocks.

    Parameters
    ----------
    preprocessing : "auto", None or transformer
        ``"auto"`` is `default_preprocessing` for tables and nothing for arrays of three or more
        dimensions; ``None`` is nothing. A transformer is cloned, and given the sample weights if its
        ``fit`` takes them.
    dtype : {numpy.float32, numpy.float64}
        What the blocks come in.

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
    ``None`` and a transformer of the user's keep all columns where they are, since a module of the
    user's own, or a sequence in a two-dimensional array, counts on their places; there
    ``n_continuous`` counts the columns up to the last continuous one.

    Every row is encoded by itself: what comes out for a row does not depend on the others.

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

    def fit(self, X: np.ndarray | pd.DataFrame, sample_weight: np.ndarray | None = None) -> FeatureEncoder:
        """Fit the preprocessing; rows of weight 0 are as if they were not there.

        Parameters
        ----------
        X : ndarray or pandas.DataFrame
            As `read_features` returns it.
        sample_weight : ndarray of shape (n_rows,), optional
            Weights of the rows.

        Returns
        -------
        FeatureEncoder
            Itself.
        """
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight)
            X, sample_weight = X[sample_weight > 0], sample_weight[sample_weight > 0]
        self.transformer = _new_transformer(self.preprocessing, X)
        if self.transformer is None:
            # An array, since the pandas index would go into pickles and files.
            self._names = np.array(X.columns.astype(str), object) if isinstance(X, pd.DataFrame) else None
        elif sample_weight is not None and has_fit_parameter(self.transformer, "sample_weight"):
            self.transformer.fit(X, sample_weight=sample_weight)
        else:
            self.transformer.fit(X)
        self._kept = None
        values = self._encode(X)
        self._row_shape = values.shape[1:]
        n_continuous = 0
        if values.ndim == 2 and self._puts_in_order:
            self._kept, n_continuous = _in_order(values)
        elif values.ndim == 2:
            n_continuous = int(np.max(np.flatnonzero(~holds_bits(values)), initial=-1)) + 1
        shape = self._row_shape if self._kept is None else (len(self._kept),)
        self.spec = FeatureSpec((Block("x", shape, n_continuous=n_continuous),))
        return self

    def transform(self, X: np.ndarray | pd.DataFrame) -> dict[str, np.ndarray]:
        """Encode X.

        Parameters
        ----------
        X : ndarray or pandas.DataFrame
            As `read_features` returns it.

        Returns
        -------
        dict of str to ndarray
            For each block of `spec` a C-contiguous, writeable array of shape ``(n_rows, *block.shape)``.
            It is X itself where there is nothing to do.
        """
        values = self._encode(X)
        if values.shape[1:] != self._row_shape:
            raise ValueError(
                f"Rows of `X` must have shape {self._row_shape}, as in `fit`. Found {values.shape[1:]}."
            )
        if self._kept is not None:
            values = np.take(values, self._kept, axis=1)
        return {"x": np.require(values, requirements=["C", "W"])}

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
    def _puts_in_order(self) -> bool:
        return isinstance(self.preprocessing, str)

    def _encode(self, X: np.ndarray | pd.DataFrame) -> np.ndarray:
        values: Any = X if self.transformer is None else self.transformer.transform(X)
        values = values.toarray() if issparse(values) else values
        values = to_numbers(values) if isinstance(values, pd.DataFrame) else np.asarray(values)
        with np.errstate(over="ignore"):
            # What does not fit becomes infinite, and is reported next.
            values = values.astype(self.dtype, copy=False)
        assert_all_finite(values, input_name="X after preprocessing")
        return values


def _new_transformer(preprocessing: Any, X: np.ndarray | pd.DataFrame) -> Any:
    if preprocessing is None:
        _refuse_non_numbers(X)
        return None
    if isinstance(preprocessing, str) and preprocessing == "auto":
        return default_preprocessing() if X.ndim == 2 else None
    methods = ("fit", "transform", "get_params")
    if isinstance(preprocessing, type) or not all(hasattr(preprocessing, method) for method in methods):
        raise TypeError(
            f"`preprocessing` must be 'auto', None or a scikit-learn transformer. Found {preprocessing!r}."
        )
    return clone(preprocessing)


def _refuse_non_numbers(X: np.ndarray | pd.DataFrame) -> None:
    if not isinstance(X, pd.DataFrame):
        return
    others = X.columns[columns_not_numeric(X)].tolist()
    if others:
        raise ValueError(
            f"`preprocessing=None` takes columns of numbers only. Found others: {others}; "
            "preprocessing='auto' takes columns of any kind."
        )


def _in_order(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the positions of the columns to keep, and how many of them, at the front, are continuous."""
    varies = values.min(axis=0) != values.max(axis=0)
    if not varies.any():
        varies[0] = True
    bits = holds_bits(values)
    continuous = np.flatnonzero(varies & ~bits)
    return np.concatenate([continuous, np.flatnonzero(varies & bits)]), len(continuous)
