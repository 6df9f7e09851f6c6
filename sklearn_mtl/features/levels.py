"""Fitting the default preprocessing: its levels are counted as codes, and nothing is encoded on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_mtl.features.table import MOST_LEVELS


def fit_default(preprocessing: Pipeline, X: np.ndarray | pd.DataFrame) -> list[int]:
    """Fit a `default_preprocessing`, without the encoded table that a ColumnTransformer makes besides.

    Parameters
    ----------
    preprocessing : Pipeline
        What `default_preprocessing` made; fitted in place, and as its own ``fit`` would.
    X : ndarray or DataFrame
        The rows to fit on.

    Returns
    -------
    list of int
        The columns that have more levels than encoded columns, however rare these are; none of free text.

    Examples
    --------
    >>> from sklearn_mtl.features import default_preprocessing
    >>> preprocessing = default_preprocessing()
    >>> fit_default(preprocessing, pd.DataFrame({"colour": ["red", "blue"] * 5}))
    []
    >>> preprocessing.get_feature_names_out()
    array(['level__colour_blue', 'level__colour_red'], dtype=object)
    """
    encode = preprocessing[-1]
    template = encode.get_params()["level__onehotencoder"]
    counting = CountedLevels(**{**template.get_params(), "sparse_output": True})
    encode.set_params(level__onehotencoder=counting, sparse_threshold=1.0)
    try:
        preprocessing.fit(X)
    finally:
        encode.set_params(level__onehotencoder=template, sparse_threshold=0)
    encode.sparse_output_ = False
    steps = encode.named_transformers_["level"].steps
    fitted = vars(steps[-1][1]) | template.get_params()
    plain = clone(template)
    vars(plain).update(fitted)
    steps[-1] = (steps[-1][0], plain)
    of_levels = next(columns for name, _, columns in encode.transformers_ if name == "level")
    counts = map(len, getattr(plain, "categories_", ()))
    free_text = preprocessing[0].free_text_
    return [
        column
        for column, count in zip(of_levels, counts, strict=False)
        if count > MOST_LEVELS and column not in free_text
    ]


class CountedLevels(OneHotEncoder):
    """scikit-learn's one-hot encoder of texts, which counts codes in ``fit``, not Python strings."""

    def fit(self, X: np.ndarray, y: Any = None) -> CountedLevels:
        """Find the levels, and which of them are rare.

        Parameters
        ----------
        X : ndarray of str or None of shape (n_rows, n_columns)
            The texts.
        y : object
            It is ignored; the parameter is there for pipelines.
        """
        ranked = [_ranked(column) for column in X.T]
        super().fit(np.column_stack([codes for codes, _ in ranked]))
        self.categories_ = [levels for _, levels in ranked]
        return self

    def fit_transform(self, X: np.ndarray, y: Any = None) -> Any:
        """Fit, and return zeros of the shape of what is encoded, which nobody takes."""
        return csr_array((len(X), len(self.fit(X).get_feature_names_out())))


def _ranked(texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of each text among the sorted ones, and these, a missing text as the last."""
    codes, distinct = pd.factorize(texts)
    order = np.argsort(distinct)
    # The code of a missing text is -1, which takes the last.
    ranks = np.append(np.empty(len(order), dtype=np.intp), len(order))
    ranks[order] = np.arange(len(order))
    levels = [*distinct[order], None] if (codes < 0).any() else [*distinct[order]]
    return ranks[codes], np.array(levels, dtype=object)
