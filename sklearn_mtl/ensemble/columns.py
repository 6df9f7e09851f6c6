"""Columns of a table as trees take them: numbers, and levels as categories."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags

from sklearn_mtl.features.kinds import as_texts
from sklearn_mtl.features.reader import TableReader, as_frame

# HistGradientBoosting tells at most 255 categories apart; all rarer levels are one.
MOST_LEVELS = 254


class CategoricalColumns(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Reads a table of any dtypes as numbers and pandas categories, for trees that know categories.

    Numbers and booleans stay numbers, dates and durations become seconds, and everything else categories,
    which are numbered by how often they occur: those beyond the 254 most frequent are one. What is missing
    stays missing, and a level that was not there in ``fit`` is missing too. How text is read is as in
    ``preprocessing="auto"`` of the estimators.

    Attributes
    ----------
    levels_ : dict of int to Index
        Levels of each column of levels, by its position, the most frequent ones first.
    empty_ : ndarray of bool, shape (n_features,)
        Columns without any value in ``fit``; they are 0, since trees can't bin what is all missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mtl.ensemble import CategoricalColumns
    >>> X = pd.DataFrame({"area": [50.0, 80.0, None], "colour": ["red", "blue", "red"]})
    >>> CategoricalColumns().fit(X).transform(X)["colour"].cat.codes.tolist()
    [0, 1, 0]
    """

    levels_: dict[int, pd.Index]
    empty_: np.ndarray

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find what the columns hold.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
            The table.
        y : object
            It is ignored; the parameter is there for pipelines.
        """
        X = _dense(X)
        self.reader_ = TableReader().fit(X)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.reader_, name):
                setattr(self, name, getattr(self.reader_, name))
        self.empty_ = np.logical_and.reduce(np.asarray(pd.isna(X)), axis=0)
        readings = enumerate(self.reader_.readings_)
        texts = {i: as_texts(as_frame(X).iloc[:, i]) for i, reading in readings if reading == "level"}
        self.levels_ = {i: pd.Series(of).value_counts().index for i, of in texts.items()}
        return self

    def transform(self, X: Any) -> Any:
        """Read the columns.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
            The table.

        Returns
        -------
        ndarray or DataFrame
            An array where all columns hold numbers; otherwise a frame with the names of the columns.
        """
        read = self.reader_.transform(_dense(X))
        if isinstance(read, np.ndarray) and read.dtype.kind in "biuf":
            return np.where(self.empty_, 0, read) if self.empty_.any() else read
        table = as_frame(read)
        names = self.get_feature_names_out()
        columns = {names[i]: self._column(i, column) for i, (_, column) in enumerate(table.items())}
        return pd.DataFrame(columns, index=table.index)

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the transformer."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _column(self, i: int, column: pd.Series) -> Any:
        if self.empty_[i]:
            return np.zeros(len(column))
        if i in self.levels_:
            codes = np.minimum(self.levels_[i].get_indexer(pd.Index(as_texts(column))), MOST_LEVELS)
            return pd.Categorical.from_codes(codes, categories=range(MOST_LEVELS + 1))
        if column.dtype.kind == "m":
            return column.dt.total_seconds().to_numpy()
        if column.dtype.kind == "M":
            return ((column - pd.Timestamp("1970-01-01")) / pd.Timedelta(seconds=1)).to_numpy()
        return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _dense(X: Any) -> Any:
    return X.toarray() if issparse(X) else X
