"""The base of what makes blocks of one kind of input, such as images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_mtl.features.encoding import ROWS_FOR_STATISTICS
from sklearn_mtl.features.reading import read_features
from sklearn_mtl.features.spec import Block


class InputPreprocessing(BaseEstimator, ABC):
    """How X of one kind, such as images, becomes the input blocks of the network.

    A recipe with parameters, as a trunk is: ``preprocessing=ImagePreprocessing(channels="first")``, searched
    as ``preprocessing__channels``. It is cloned in ``fit``. What it learns from the training rows it keeps in
    attributes whose names end in an underscore; pickles and files hold these.

    A kind of input of your own is a subclass with three methods: ``fit`` learns from rows, ``blocks`` says
    what comes out, and ``encode`` makes it. ``read`` checks X before that, and by default takes arrays of
    three or more axes. Names of blocks begin with ``"x"``: ``"x"`` itself, and ``"x_lengths"``,
    ``"x_codes"`` for what belongs to it. Where X is several inputs, their names take the place of ``"x"``.

    Attributes
    ----------
    most_rows_to_fit : int
        The greatest number of training rows that ``fit`` is given, evenly spaced ones where there are more.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.features import Block, InputPreprocessing
    >>> class Centred(InputPreprocessing):
    ...     def fit(self, X):
    ...         self.mean_ = X.mean()
    ...         self.shape_ = X.shape[1:]
    ...         return self
    ...
    ...     def blocks(self):
    ...         return (Block("x", self.shape_),)
    ...
    ...     def encode(self, X):
    ...         return {"x": X - self.mean_}
    >>> fitted = Centred().fit(np.ones((2, 3, 8, 8)))
    >>> fitted.encode(np.ones((1, 3, 8, 8)))["x"].max().item()
    0.0
    """

    most_rows_to_fit = ROWS_FOR_STATISTICS

    @classmethod
    def takes(cls, X: Any) -> bool:
        """Whether ``preprocessing="auto"`` stands for this where X is so, as it was given or as it was read.

        Parameters
        ----------
        X : object
            One input as a user gave it, or what `read` made of it.
        """
        return False

    def warn_of_guess(self, X: Any) -> None:
        """Warn where ``"auto"`` stands for this, and X may well be something else; never, by default.

        Parameters
        ----------
        X : object
            The input as the user gave it.
        """

    def read(self, estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
        """Return X checked, as rows: what has a length, and gives rows for a slice or an array of positions.

        Parameters
        ----------
        estimator : BaseEstimator
            Keeps ``n_features_in_`` and ``feature_names_in_``, where the input has them.
        X : object
            The input as the user gave it.
        reset : bool
            Whether to record these (in ``fit``) or to compare them (in ``predict``).

        Raises
        ------
        TypeError, ValueError
            If X is not what it must be.
        """
        return read_features(estimator, X, reset=reset, allow_nan=False, stream=True)

    def look_over(self, X: Any) -> None:
        """Warn of rows that are unlike those of ``fit``; never, by default.

        Parameters
        ----------
        X : object
            Rows as they were read, before any is encoded.
        """

    @abstractmethod
    def fit(self, X: Any) -> Self:
        """Learn from training rows.

        Parameters
        ----------
        X : object
            Rows as they were read; those of a memory map or a Dataset in memory.
        """

    @abstractmethod
    def blocks(self) -> tuple[Block, ...]:
        """Return the blocks that `encode` makes, once fitted."""

    @abstractmethod
    def encode(self, X: Any) -> dict[str, np.ndarray]:
        """Return rows as arrays by the name of the block, each row by itself.

        Parameters
        ----------
        X : object
            Rows as in `fit`.
        """
