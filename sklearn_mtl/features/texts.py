"""Texts as input: tokens, and their codes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.features.input_preprocessing import InputPreprocessing
from sklearn_mtl.features.rows_of_values import is_column, refuse_mappings
from sklearn_mtl.features.spec import OF_LENGTHS, Block
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer

# Code 0 fills up; the code of a token that was rare, or not there, in `fit` is 1.
UNKNOWN, N_OTHERS = 1, 2
# Letters and digits in a row are a word, and so is each other sign.
_WORD = re.compile(r"\w+|[^\w\s]")


class TextPreprocessing(InputPreprocessing):
    """Texts, a list or column of strings, as codes of their tokens.

    The vocabulary are the tokens of the training rows that occur often enough, the most frequent first. Code
    0 fills up shorter texts at the end, and 1 is any other token: what a network learns of rare tokens is so
    what it knows of one that it has never met.

    Parameters
    ----------
    tokens : {"words", "characters"} or callable, default="words"
        ``"words"`` are letters and digits in a row, and each other sign that is no space. A callable, such as
        the ``tokenize`` of a tokenizer, makes a list of strings of a text.
    lowercase : bool, default=True
        Whether large letters count as small ones.
    min_count : int, default=2
        How often a token must occur in the training rows to have a code of its own.
    vocabulary_size : int, default=30_000
        How many tokens have a code of their own, at most.
    max_tokens : int, default=256
        How many tokens of a text are read, at most: the first ones.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        The code of each token, from 2 on.
    longest_ : int
        Number of tokens of the longest text in training.

    Warns
    -----
    UserWarning
        If no token occurs often enough.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.features import TextPreprocessing
    >>> X = np.array(["A good film!", "A bad film."], dtype=object)
    >>> preprocessing = TextPreprocessing().fit(X)
    >>> preprocessing.vocabulary_
    {'a': 2, 'film': 3}
    >>> preprocessing.encode(np.array(["a new film", "film"], dtype=object))
    {'x': array([[2, 1, 3],
           [3, 0, 0]]), 'x_lengths': array([3, 1])}
    """

    vocabulary_: dict[str, int]
    longest_: int

    def __init__(
        self,
        tokens: str | Callable[[str], Sequence[str]] = "words",
        *,
        lowercase: bool = True,
        min_count: int = 2,
        vocabulary_size: int = 30_000,
        max_tokens: int = 256,
    ) -> None:
        self.tokens = tokens
        self.lowercase = lowercase
        self.min_count = min_count
        self.vocabulary_size = vocabulary_size
        self.max_tokens = max_tokens

    @classmethod
    def takes(cls, X: Any) -> bool:
        """Whether X is a list, an array or a Series that holds texts; what else it holds is refused then."""
        return is_column(X) and any(isinstance(one, str) for one in X)

    def read(self, estimator: BaseEstimator, X: Any, *, reset: bool) -> np.ndarray:
        """Return the texts as an array of objects.

        Raises
        ------
        TypeError
            If X is no list or column.
        ValueError
            If it is empty, or one of its texts is no string, or has nothing but spaces.
        """
        refuse_mappings(X)
        if isinstance(X, pd.DataFrame) and X.shape[1] == 1:
            X = X.iloc[:, 0]
        if isinstance(X, str) or not hasattr(X, "__len__") or getattr(X, "ndim", 1) != 1:
            raise TypeError(f"`X` must be a list or a column of texts. Found {shown(X)}.")
        texts = np.empty(len(X), dtype=object)
        texts[:] = list(X)
        if not len(texts):
            raise ValueError("Found array with 0 sample(s): `X` must hold at least one text.")
        for row, text in enumerate(texts):
            if not isinstance(text, str) or not text.strip():
                raise ValueError(
                    f"`X` must hold texts, strings with more than spaces. Found {shown(text)} in row {row}."
                )
        return texts

    def fit(self, X: np.ndarray) -> Self:
        """Find the vocabulary."""
        self._check()
        split = [self._split(text) for text in X]
        counts = Counter(chain.from_iterable(split))
        # Those of one frequency in the order of their letters, whatever the order of the rows.
        ranked = sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))[: self.vocabulary_size]
        known = [token for token, count in ranked if count >= self.min_count]
        if not known:
            warn_caller(
                f"No token of the texts of `X` occurs {self.min_count} times, so that all are unknown to the "
                "network. Lower `min_count` of TextPreprocessing."
            )
        self.vocabulary_ = {token: code for code, token in enumerate(known, N_OTHERS)}
        self.longest_ = max(map(len, split), default=1)
        return self

    def blocks(self) -> tuple[Block, ...]:
        """Return the block of codes and that of lengths."""
        n_codes = len(self.vocabulary_) + N_OTHERS
        codes = Block("x", (self.longest_,), "codes", cardinalities=(n_codes,), varies=True)
        return codes, Block("x" + OF_LENGTHS, (), "lengths")

    def encode(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Return the codes, filled up with 0 at the end, and how many there are."""
        known = self.vocabulary_.get
        split = [[known(token, UNKNOWN) for token in self._split(text)] for text in X]
        lengths = np.fromiter(map(len, split), np.int64, len(split))
        codes = np.zeros((len(split), int(lengths.max(initial=1))), dtype=np.int64)
        codes[np.arange(codes.shape[1]) < lengths[:, None]] = list(chain.from_iterable(split))
        return {"x": codes, "x" + OF_LENGTHS: lengths}

    def _split(self, text: str) -> Sequence[str]:
        """Return the tokens of a text; one that is no token where it has none."""
        text = text.lower() if self.lowercase else text
        if callable(self.tokens):
            found = self._tokens_by_user(text)
        else:
            found = text if self.tokens == "characters" else _WORD.findall(text)
        return found[: self.max_tokens] or [""]

    def _tokens_by_user(self, text: str) -> Sequence[str]:
        given = self.tokens(text)  # type: ignore[operator]
        found = given
        if isinstance(given, Iterable) and not isinstance(given, Sequence):
            # A generator, or an array, whose truth can't be asked for.
            found = given.tolist() if isinstance(given, np.ndarray) else list(given)
        if not isinstance(found, Sequence) or not all(isinstance(token, str) for token in found):
            raise TypeError(
                "`tokens` of TextPreprocessing must return a list of strings. Found "
                f"{shown(found)} for {shown(text)}."
            )
        return found

    def _check(self) -> None:
        if not callable(self.tokens) and (
            not isinstance(self.tokens, str) or self.tokens not in ("words", "characters")
        ):
            raise ValueError(
                "`tokens` of TextPreprocessing must be 'words', 'characters' or a callable. Found "
                f"{shown(self.tokens)}."
            )
        if not isinstance(self.lowercase, bool | np.bool_):
            raise ValueError(
                f"`lowercase` of TextPreprocessing must be True or False. Found {shown(self.lowercase)}."
            )
        for name in ("min_count", "vocabulary_size", "max_tokens"):
            value = getattr(self, name)
            if not is_integer(value) or value < 1:
                raise ValueError(
                    f"`{name}` of TextPreprocessing must be a positive integer. Found {shown(value)}."
                )
