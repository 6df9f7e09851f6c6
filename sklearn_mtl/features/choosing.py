"""Which encoder X takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_mtl.features.accepted import kind_of_input
from sklearn_mtl.features.encoder import FeatureEncoder
from sklearn_mtl.features.encoding import Encoder
from sklearn_mtl.features.input_encoder import InputEncoder
from sklearn_mtl.features.several import SeveralRows
from sklearn_mtl.features.several_encoder import SeveralEncoder


def new_encoder(preprocessing: Any, dtype: type[np.floating], X: Any) -> Encoder:
    """Return an encoder for X, not fitted.

    Parameters
    ----------
    preprocessing : object
        The estimator's parameter.
    dtype : {numpy.float32, numpy.float64}
        The dtype of the blocks of numbers.
    X : object
        X as `AcceptedInput` has read it.

    Examples
    --------
    >>> type(new_encoder("auto", np.float32, np.zeros((2, 3)))).__name__
    'FeatureEncoder'
    >>> type(new_encoder("auto", np.float32, np.zeros((2, 1, 8, 8)))).__name__
    'InputEncoder'
    """
    if isinstance(X, SeveralRows):
        return SeveralEncoder(
            preprocessing,
            dtype,
            {name: new_encoder(_of(preprocessing, name), dtype, rows.X) for name, rows in X.inputs.items()},
        )
    kind = kind_of_input(preprocessing, X)
    return FeatureEncoder(preprocessing, dtype) if kind is None else InputEncoder(preprocessing, dtype, kind)


def _of(preprocessing: Any, name: str) -> Any:
    """Return the preprocessing of one of several inputs."""
    return preprocessing.get(name, "auto") if isinstance(preprocessing, Mapping) else preprocessing
