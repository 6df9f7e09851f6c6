"""A warning of columns that most rows have rare levels of: the network can't tell these apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.features.codes import RARE, LevelCodes
from sklearn_mtl.features.kinds import listed
from sklearn_mtl.features.table import RAREST_LEVEL, source_columns
from sklearn_mtl.messages import shown

# Below, most rows have levels that the network tells apart.
MOST_RARE = 0.5


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
