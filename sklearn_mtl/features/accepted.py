"""What X may be, by what preprocesses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from scipy.sparse import issparse
from sklearn.base import BaseEstimator

from sklearn_mtl.features.encoding import Encoder
from sklearn_mtl.features.images import ImagePreprocessing
from sklearn_mtl.features.input_preprocessing import InputPreprocessing
from sklearn_mtl.features.multi_input import splittable_inputs
from sklearn_mtl.features.reading import is_built_in, is_plain, read_features, takes_texts
from sklearn_mtl.features.sequences import SequencePreprocessing
from sklearn_mtl.features.several import read_several
from sklearn_mtl.features.texts import TextPreprocessing
from sklearn_mtl.messages import shown

# "auto" stands for the first of these that takes X, and for the table's preprocessing where none does.
KINDS_OF_INPUT: tuple[type[InputPreprocessing], ...] = (
    ImagePreprocessing,
    SequencePreprocessing,
    TextPreprocessing,
)

# Looking at so many takes about as long as all else that is done to one row.
MANY_NUMBERS = 2**18


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
    several : bool
        Whether X may be several inputs, each of which is read as one would be.
    inputs : mapping of str to AcceptedInput, optional
        What each of several inputs may be; those that it omits are read as by ``"auto"``.
    """

    gaps: bool = False
    streams: bool = False
    texts: bool = False
    kind: Any = None
    several: bool = False
    inputs: Mapping[str, AcceptedInput] | None = None

    @classmethod
    def by(cls, preprocessing: Any) -> AcceptedInput:
        """Return what a preprocessing takes in ``fit``; a fitted encoder takes what it was fitted to."""
        if isinstance(preprocessing, Encoder):
            accepted: AcceptedInput = preprocessing.accepted
            return accepted
        if isinstance(preprocessing, Mapping):
            return cls(inputs={name: cls.by(of) for name, of in preprocessing.items()})
        several = is_built_in(preprocessing)
        kind = preprocessing if isinstance(preprocessing, InputPreprocessing | str) else None
        return cls(
            preprocessing is not None, is_built_in(preprocessing), takes_texts(preprocessing), kind, several
        )

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
        # A sparse matrix in the format of a dictionary is a mapping too.
        if self.inputs is not None or (self.several and isinstance(X, Mapping) and not issparse(X)):
            return self._read_several(estimator, X, reset=reset)
        kind = kind_of_input(self.kind, X)
        if kind is not None:
            if reset and kind is not self.kind:
                kind.warn_of_guess(X)
            return kind.read(estimator, X, reset=reset)
        return read_features(
            estimator, X, reset=reset, allow_nan=self.gaps, stream=self.streams, texts=self.texts
        )

    def leaves_check(self, estimator: BaseEstimator, X: Any) -> bool:
        """Return whether `read` would return X as it is, if its numbers are finite, and looking takes long.

        That can then be seen where the rows are encoded.

        Parameters
        ----------
        estimator : BaseEstimator
            Has the number and names of the features.
        X : object
            Features as the user gave them.
        """
        may_have_gaps = self.gaps or self.inputs is not None or self.texts
        if may_have_gaps or not is_plain(estimator, X) or X.size < MANY_NUMBERS:
            return False
        return kind_of_input(self.kind, X) is None

    def may_lack(self, X: Any) -> bool:
        """Return whether a row may lack an input: what is no table, nor encoded by a transformer.

        Parameters
        ----------
        X : object
            The rows that have it, as the user gave them.
        """
        return kind_of_input(self.kind, X) is not None

    def _read_several(self, estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
        if not isinstance(X, Mapping):
            raise TypeError(
                "`X` must be several inputs, a MultiInput or a mapping, where the network or `preprocessing` "
                f"has several. Found {type(X).__name__}."
            )
        X = splittable_inputs(X)
        unknown = [name for name in self.inputs or {} if name not in X]
        if unknown and reset:
            raise ValueError(
                f"`preprocessing` names unknown inputs {shown(unknown)}; the inputs are {shown(list(X))}."
            )
        others = AcceptedInput.by("auto") if self.inputs is not None else self
        by_name = {name: replace((self.inputs or {}).get(name, others), several=False) for name in X}
        return read_several(estimator, X, by_name, reset=reset)
