"""Levels: how they are counted as the default preprocessing is fitted, and a warning of rare ones.

They are counted as codes, and nothing is encoded on the way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.features.codes import RARE, LevelCodes
from sklearn_mtl.features.kinds import listed
from sklearn_mtl.features.table import MOST_LEVELS, RAREST_LEVEL, source_columns
from sklearn_mtl.messages import shown

# Below, most rows have levels that the network tells apart.
MOST_RARE = 0.5


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


def warn_of_rare_levels(
    transformer: Pipeline | None,
    codes: LevelCodes | None,
    X: np.ndarray | pd.DataFrame,
    encoded: np.ndarray,
) -> None:
    """Warn of the columns of a table of which more than half of the rows have rare levels, but not all.

    Where all are rare, the column is a constant, of which `warn_of_constant_columns` warns. Of free text the
    reader has warned.

    Parameters
    ----------
    transformer : Pipeline or None
        The fitted `default_preprocessing`, if there is any preprocessing.
    codes : LevelCodes or None
        The codes of columns of many levels, if there are such columns.
    X : ndarray or DataFrame
        The fitted rows.
    encoded : ndarray of shape (n_rows, n_encoded)
        The same rows, encoded.

    Examples
    --------
    >>> import warnings
    >>> from sklearn_mtl.features import default_preprocessing
    >>> X = pd.DataFrame({"user": ["u0"] * 5 + [f"u{i}" for i in range(1, 11)]})
    >>> fitted = default_preprocessing().fit(X)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_of_rare_levels(fitted, None, X, fitted.transform(X))
    >>> str(caught[0].message)[:70]
    "Most rows of columns of `X` have rare levels: 'user' (66.7 % of rows)."
    """
    if transformer is None:
        return
    shares = _shares_of_one_hot(transformer, encoded)
    if codes is not None:
        of_codes = (codes.of(X) == RARE).mean(axis=0).tolist()
        shares |= dict(zip(codes.columns, of_codes, strict=True))
    names = X.columns if isinstance(X, pd.DataFrame) else range(X.shape[1])
    free_text = transformer[0].free_text_
    rare = [
        f"{shown(names[column])} ({share:.1%} of rows)".replace("%", " %")
        for column, share in sorted(shares.items())
        if MOST_RARE < share < 1 and column not in free_text
    ]
    if rare:
        warn_caller(
            f"Most rows of columns of `X` have rare levels: {listed(rare)}. Only levels that occur at least "
            f"{RAREST_LEVEL} times are told apart; all rarer ones are one to the network. Merge the levels, "
            "put numbers in place of them that say what they have in common, or drop the columns.",
        )


def _shares_of_one_hot(transformer: Pipeline, encoded: np.ndarray) -> dict[int, float]:
    """Return the share of rows that the column of 0 and 1 of the rare levels has, where there is one."""
    encode = transformer[-1]
    of_levels = next(columns for name, _, columns in encode.transformers_ if name == "level")
    if not len(of_levels):
        return {}
    sources = source_columns(transformer)
    rare = encode.named_transformers_["level"][-1].infrequent_categories_
    # Behind those of the other levels comes the one of the rare levels.
    return {
        column: float(encoded[:, np.flatnonzero(sources == column)[-1]].mean(dtype=np.float64))
        for column, levels in zip(of_levels, rare, strict=True)
        if levels is not None
    }
