"""Where and how often a training is written down."""

from __future__ import annotations

import os
from os import PathLike
from typing import Any

from sklearn.base import BaseEstimator

from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer


class Checkpoint(BaseEstimator):
    """Writes down how far a ``fit`` has come, so that it can go on from there after its process has ended.

    It is what ``checkpoint`` of an estimator takes. The next ``fit`` with the same parameters and the same
    data goes on from the last epoch that was written down, and ends, on a CPU, with the same bits as one that
    was never ended. After a ``fit`` that is finished, the next one has its result without training.

    Parameters
    ----------
    folder : str or path
        A folder for one ``fit``, or for one stacked search. It is made where it is not there.
    every : int, default=1
        After every so many epochs of a network the state is written. At most so many are lost.
    keep : int, default=1
        How many states of a training are kept, the last ones.

    Raises
    ------
    ValueError
        By ``fit``, before any training, if the folder has another fit, by its data or its parameters; what
        differs is said. Likewise if another process, or thread, is training in it.
    TypeError
        By ``fit``, if a callback or a part of the network holds what can't be written down.
    OSError
        By ``fit``, if the folder can't be written to. What it had before is there still.
    ImportError
        By ``fit``, if safetensors, of the ``export`` extra, is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.training.checkpoints import Checkpoint
    >>> x = np.linspace(0, 1, 80)[:, None]
    >>> Y = {"price": 3 * x[:, 0], "large": x[:, 0] > 0.5}
    >>> checkpoint = Checkpoint(tempfile.mkdtemp(), every=2)
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=3, checkpoint=checkpoint)
    >>> first = est.fit(x, Y).predict(x)["price"]
    >>> bool((est.fit(x, Y).predict(x)["price"] == first).all())
    True
    """

    def __init__(self, folder: str | PathLike[str], every: int = 1, keep: int = 1) -> None:
        self.folder = folder
        self.every = every
        self.keep = keep

    @classmethod
    def of(cls, value: Any) -> Checkpoint:
        """Return what the parameter of an estimator stands for, checked.

        Parameters
        ----------
        value : str, path or Checkpoint
            The parameter; None is no such value.

        Raises
        ------
        ValueError
            If it is neither, or its numbers are not positive integers.
        """
        found = value if isinstance(value, cls) else cls(value)
        folder = found.folder
        name = os.fspath(folder) if isinstance(folder, str | PathLike) else None
        if not isinstance(name, str) or not name or "\0" in name:
            raise ValueError(
                "`checkpoint` must be None, the path of a folder, or Checkpoint(folder). "
                f"Found {shown(value)}."
            )
        for setting in ("every", "keep"):
            number = getattr(found, setting)
            if not is_integer(number) or not 1 <= number < 2**31:
                raise ValueError(
                    f"`{setting}` of Checkpoint must be a positive integer, below 2**31. "
                    f"Found {shown(number)}."
                )
        return found
