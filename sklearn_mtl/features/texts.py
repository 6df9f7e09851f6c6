"""Texts as input."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from sklearn_mtl.features.input_preprocessing import InputPreprocessing
from sklearn_mtl.features.spec import OF_LENGTHS, Block
from sklearn_mtl.messages import shown

# Code 0 fills up; of a token that was not met in `fit` the code is 1.
UNKNOWN, N_OTHERS = 1, 2


class TextPreprocessing(InputPreprocessing):
    """Texts, a list or column of str, as codes of their words.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.features import TextPreprocessing
    >>> X = np.array(["a good film", "a bad film"], dtype=object)
    >>> TextPreprocessing().fit(X).encode(np.array(["a new film"], dtype=object))["x"].tolist()
    [[2, 1, 3]]
    """

    vocabulary_: dict[str, int]
    longest_: int

    @classmethod
    def takes(cls, X: Any) -> bool:
        """Whether X is a list, an array or a Series of texts."""
        is_row = isinstance(X, list | tuple) or (isinstance(X, np.ndarray | pd.Series) and X.ndim == 1)
        return is_row and len(X) > 0 and all(isinstance(one, str) for one in X)

    def read(self, estimator: BaseEstimator, X: Any, *, reset: bool) -> np.ndarray:
        """Return an array of texts."""
        if not self.takes(X):
            raise ValueError(f"`X` must be a list or a column of texts. Found {shown(X)}.")
        texts = np.empty(len(X), dtype=object)
        texts[:] = list(X)
        return texts

    def fit(self, X: np.ndarray) -> Self:
        """Learn the words."""
        split = [_words(text) for text in X]
        counts = Counter(word for words in split for word in words)
        self.vocabulary_ = {word: code for code, (word, _) in enumerate(counts.most_common(), N_OTHERS)}
        self.longest_ = max(1, *map(len, split)) if split else 1
        return self

    def blocks(self) -> tuple[Block, ...]:
        """Return the block of codes and that of lengths."""
        codes = Block(
            "x", (self.longest_,), "codes", cardinalities=(len(self.vocabulary_) + N_OTHERS,), varies=True
        )
        return codes, Block("x" + OF_LENGTHS, (), "lengths")

    def encode(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Return the codes, filled up with 0 at the end, and how many there are."""
        split = [_words(text) for text in X]
        lengths = np.array([max(1, len(words)) for words in split], dtype=np.int64)
        codes = np.zeros((len(X), int(lengths.max(initial=1))), dtype=np.int64)
        for place, words in enumerate(split):
            codes[place, : len(words)] = [self.vocabulary_.get(word, UNKNOWN) for word in words]
        return {"x": codes, "x" + OF_LENGTHS: lengths}


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
