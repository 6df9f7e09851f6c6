"""What X may be, by what preprocesses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.base import BaseEstimator

from sklearn_mtl.features.images import ImagePreprocessing
from sklearn_mtl.features.input_preprocessing import InputPreprocessing
from sklearn_mtl.features.reading import is_built_in, read_features, takes_texts
from sklearn_mtl.features.sequences import SequencePreprocessing
from sklearn_mtl.features.texts import TextPreprocessing

# "auto" stands for the first of these that takes X, and for the table's preprocessing where none does.
KINDS_OF_INPUT: tuple[type[InputPreprocessing], ...] = (
    ImagePreprocessing,
    SequencePreprocessing,
    TextPreprocessing,
)


def kind_of_input(preprocessing: Any, X: Any) -> InputPreprocessing | None:
    """Return what makes blocks of X; None where X is a table, or what preprocesses it is a transformer.

    Parameters
    ----------
    preprocessing : object
        The estimator's parameter.
    X : object
        X as the user gave it, or as it was read.

    Examples
    --------
    >>> import numpy as np
    >>> kind_of_input("auto", ["a good film", "a bad film"])
    TextPreprocessing()
    >>> kind_of_input("auto", np.zeros((2, 3))) is None
    True
    """
    if isinstance(preprocessing, InputPreprocessing):
        return preprocessing
    # Two axes are a table, whatever they hold.
    is_auto = isinstance(preprocessing, str) and preprocessing == "auto"
    if not is_auto or getattr(X, "ndim", 0) == 2:
        return None
    return next((kind() for kind in KINDS_OF_INPUT if kind.takes(X)), None)


@dataclass(frozen=True)
class AcceptedInput:
    """What X may be, by what preprocesses it.

    Two transformers that accept the same are equal in this: a search then reads X once for both.

    Parameters
    ----------
    gaps : bool
        Whether a table may have missing values.
    streams : bool
        Whether rows may be read when they are needed.
    texts : bool
        Whether it is one column of texts.
    kind : InputPreprocessing or "auto", optional
        What X is read by where it is no table.
    """

    gaps: bool = False
    streams: bool = False
    texts: bool = False
    kind: Any = None

    @classmethod
    def by(cls, preprocessing: Any) -> AcceptedInput:
        """Return what a preprocessing takes in ``fit``."""
        kind = preprocessing if isinstance(preprocessing, InputPreprocessing | str) else None
        return cls(preprocessing is not None, is_built_in(preprocessing), takes_texts(preprocessing), kind)

    def read(self, estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
        """Return X as rows, the number and names of its features recorded or compared.

        Parameters
        ----------
        estimator : BaseEstimator
            The number and names of the features are recorded on it.
        X : object
            Features as the user gave them.
        reset : bool
            Whether the number and names are recorded; otherwise they are compared.
        """
        kind = kind_of_input(self.kind, X)
        if kind is not None:
            return kind.read(estimator, X, reset=reset)
        return read_features(
            estimator, X, reset=reset, allow_nan=self.gaps, stream=self.streams, texts=self.texts
        )
