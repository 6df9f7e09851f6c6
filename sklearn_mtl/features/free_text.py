"""Free text in a table: how it is recognised, and encoded as a few numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline

from sklearn_mtl.features.kinds import as_texts

# Text is free where texts have so many words on average, and at least half of the texts are distinct.
WORDS_OF_FREE_TEXT = 3
SHARE_OF_DISTINCT = 0.5
# So many numbers stand for a text, but no more than one for so many texts.
MOST_NUMBERS, TEXTS_FOR_A_NUMBER = 50, 10
# Evenly spaced ones tell which words go together.
TEXTS_TO_FIT = 20_000
# Rarer words, and those that are not among the most frequent, say nothing of other texts.
RAREST_WORD, MOST_WORDS = 2, 20_000


def is_free_text(texts: np.ndarray, distinct: np.ndarray) -> bool:
    """Whether texts have several words and seldom repeat.

    Parameters
    ----------
    texts : ndarray of str or None
        The texts of all rows.
    distinct : ndarray of str
        The distinct texts among them, none missing.
    """
    n_known = np.count_nonzero(pd.notna(texts))
    if len(distinct) < max(2, SHARE_OF_DISTINCT * n_known):
        return False
    return sum(len(text.split()) for text in distinct) >= WORDS_OF_FREE_TEXT * len(distinct)


class FreeTextEncoder(TransformerMixin, BaseEstimator):
    """Columns of free text as numbers: TF-IDF of their words, and truncated SVD of that.

    A text becomes 50 numbers, or one for each 10 texts where there are fewer than 500. Deerwester, Dumais,
    Furnas, Landauer & Harshman (1990), "Indexing by Latent Semantic Analysis". Words are letters and digits
    in a row, in lower case; those that occur in a single text do not count. A text without a known word and a
    missing one, is all 0.

    Attributes
    ----------
    encoders_ : list of Pipeline or None
        The encoder of each column; None where no word comes twice, and a column of 0 stands for it.

    Examples
    --------
    >>> X = pd.DataFrame({"note": ["a house by the sea", "a house in town"] * 10})
    >>> FreeTextEncoder().fit(X).transform(X).shape
    (20, 2)
    """

    encoders_: list[Pipeline | None]

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Find the words of each column, and which of them go together.

        Parameters
        ----------
        X : DataFrame
            Columns of text.
        y : object
            It is ignored; the parameter is there for pipelines.
        """
        self.encoders_ = [_fitted(texts) for texts in _columns(X)]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the numbers of all columns side by side.

        Parameters
        ----------
        X : DataFrame
            Columns of text, as many as in ``fit``.
        """
        encoded = [
            np.zeros((len(texts), 1)) if encoder is None else encoder.transform(texts)
            for encoder, texts in zip(self.encoders_, _columns(X), strict=True)
        ]
        return np.hstack(encoded)

    def get_feature_names_out(self, input_features: Any) -> np.ndarray:
        """Return the names of the numbers: that of the column, and a place.

        Parameters
        ----------
        input_features : sequence of str
            Names of the columns.
        """
        widths = [1 if encoder is None else encoder[-1].n_components for encoder in self.encoders_]
        named = zip(input_features, widths, strict=True)
        return np.array([f"{name}_{i}" for name, width in named for i in range(width)], dtype=object)


def _columns(X: pd.DataFrame) -> list[list[str]]:
    return [["" if text is None else text for text in as_texts(column)] for _, column in X.items()]


def _fitted(texts: list[str]) -> Pipeline | None:
    sample = texts[:: -(-len(texts) // TEXTS_TO_FIT)]
    words = TfidfVectorizer(
        token_pattern=r"\w+", min_df=RAREST_WORD, max_features=MOST_WORDS, sublinear_tf=True
    )
    try:
        counted = words.fit_transform(sample)
    except ValueError:
        # So scikit-learn says that no word is left.
        return None
    most = min(MOST_NUMBERS, len(sample) // TEXTS_FOR_A_NUMBER, counted.shape[1])
    # Its own seed: what a table becomes does not depend on the network's.
    numbers = TruncatedSVD(max(1, most), random_state=0)
    with np.errstate(invalid="ignore"):
        # Where all texts have the same words, it divides by a variance of 0 to say how much it explains.
        numbers.fit(counted)
    return make_pipeline(words, numbers)
