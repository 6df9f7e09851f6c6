"""Sequences as input."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from sklearn_mtl.features.input_preprocessing import InputPreprocessing
from sklearn_mtl.features.spec import OF_LENGTHS, Block
from sklearn_mtl.messages import shown


class SequencePreprocessing(InputPreprocessing):
    """Sequences: arrays of three axes, or lists of arrays of one or two axes, whose lengths may differ.

    Those of an array are (rows, steps, channels) and have one length. Those of a list are filled up with
    zeros at the end, and ``"x_lengths"`` says how many steps of each are real.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.features import SequencePreprocessing
    >>> X = SequencePreprocessing().read(None, [[1.0, 2.0], [3.0]], reset=True)
    >>> encoded = SequencePreprocessing().fit(X).encode(X)
    >>> encoded["x"].shape, encoded["x_lengths"].tolist()
    ((2, 2, 1), [2, 1])
    """

    varies_: bool
    shape_: tuple[int, ...]

    @classmethod
    def takes(cls, X: Any) -> bool:
        """Whether X has three axes, or is a list of sequences of numbers."""
        if hasattr(X, "ndim") and X.ndim != 1:
            return X.ndim == 3
        if not isinstance(X, list | tuple | np.ndarray | pd.Series) or len(X) == 0:
            return False
        first = X.iloc[0] if isinstance(X, pd.Series) else X[0]
        lengths = {np.shape(one)[0] for one in X if np.ndim(one) > 0} if _n_axes(first) in (1, 2) else set()
        # A list of rows of one length is a table.
        return _n_axes(first) == 2 or len(lengths) > 1 or (len(lengths) == 1 and isinstance(X, np.ndarray))

    def read(self, estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
        """Return an array of three axes, or one of arrays of two axes."""
        if getattr(X, "ndim", 1) > 1:
            return super().read(estimator, X, reset=reset)
        rows = np.empty(len(X), dtype=object)
        for place, row in enumerate(X):
            values = np.asarray(row, dtype=np.float64)
            if values.ndim not in (1, 2) or values.shape[0] == 0 or not np.isfinite(values).all():
                raise ValueError(
                    "`X` must hold sequences of finite numbers, (steps,) or (steps, channels), of one "
                    f"step at least. Found shape {shown(values.shape)} in row {place}."
                )
            rows[place] = values.reshape(len(values), -1)
        return rows

    def fit(self, X: np.ndarray) -> Self:
        """Learn the number of channels, and how long sequences are."""
        self.varies_ = X.ndim == 1
        self.shape_ = (max(map(len, X)), X[0].shape[1]) if self.varies_ else X.shape[1:]
        return self

    def blocks(self) -> tuple[Block, ...]:
        """Return a block of numbers, and that of their lengths where these vary."""
        values = Block("x", self.shape_, varies=self.varies_)
        return (values, Block("x" + OF_LENGTHS, (), "lengths")) if self.varies_ else (values,)

    def encode(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Return the sequences, filled up at the end, and their lengths."""
        lengths = np.array([len(row) for row in X], dtype=np.int64)
        if X.ndim == 3:
            return {"x": X, "x" + OF_LENGTHS: lengths}
        filled = np.zeros((len(X), int(lengths.max(initial=1)), self.shape_[1]))
        for place, row in enumerate(X):
            filled[place, : len(row)] = row
        return {"x": filled, "x" + OF_LENGTHS: lengths}


def _n_axes(value: Any) -> int:
    """Return the number of axes of one sequence; 0 for a number or a text, and -1 where rows are uneven."""
    try:
        return 0 if isinstance(value, str | bytes) else np.ndim(value)
    except ValueError:
        return -1
