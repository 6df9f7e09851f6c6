"""A trunk that comes from a fitted estimator: the preprocessing and the features that it was trained with."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.features import Encoder
from sklearn_mtl.messages import shown
from sklearn_mtl.network import Blueprint
from sklearn_mtl.recipes import fingerprint
from sklearn_mtl.trunks import Trunk


def preprocessing_for(given: Any, trunk: Trunk) -> Any:
    """Return what makes the inputs of a trunk: what the user gave, or the encoder that the trunk brings.

    Parameters
    ----------
    given : object
        The estimator's parameter.
    trunk : Trunk
        The recipe of the trunk.

    Raises
    ------
    ValueError
        If a trunk brings an encoder, and the user gave a preprocessing that is not the encoder's.
    """
    if trunk.fitted is None:
        return given
    encoder = trunk.fitted.encoder
    is_auto = isinstance(given, str) and given == "auto"
    if not is_auto and fingerprint(given) != fingerprint(encoder.preprocessing):
        raise ValueError(
            "`preprocessing` must be 'auto' where `trunk` is that of a fitted estimator, which brings the "
            f"preprocessing that it was trained with. Found {shown(given)}."
        )
    return encoder


def fitted_encoder(trunk: Trunk, reader: BaseEstimator, dtype: type[np.floating]) -> Encoder | None:
    """Return the encoder that a trunk brings; None where it brings none.

    Parameters
    ----------
    trunk : Trunk
        The recipe of the trunk.
    reader : BaseEstimator
        Has the number and names of the features; others than the trunk was trained on are a ``ValueError``.
    dtype : {numpy.float32, numpy.float64}
        The dtype of the blocks of numbers.
    """
    if trunk.fitted is None:
        return None
    names = getattr(reader, "feature_names_in_", None)
    trunk.fitted.check_features(getattr(reader, "n_features_in_", None), names)
    encoder: Encoder = trunk.fitted.encoder.in_dtype(dtype)
    return encoder


def warn_of_what_stays_frozen(blueprint: Blueprint, max_epochs: int) -> None:
    """Warn if a training ends before all parts of a trunk are unfrozen, or all tasks switched on.

    Parameters
    ----------
    blueprint : Blueprint
        Has the recipes of the trunk and of the balancer.
    max_epochs : int
        Most epochs of the training.
    """
    trunk, balancing = blueprint.trunk, blueprint.balancing
    if trunk.frozen_epochs >= max_epochs > 0:
        warn_caller(
            f"`max_epochs` should be more than `unfreeze_after` of `trunk`. Found {max_epochs}, and parts "
            f"that are frozen for {trunk.frozen_epochs} epochs: they are never trained.",
        )
    if (to_wait := blueprint.epochs_to_wait()) >= max_epochs > 0:
        warn_caller(
            f"`max_epochs` should be more than the epochs before {type(balancing).__name__} trains all "
            f"tasks. Found {max_epochs}, and {to_wait} epochs: of some tasks nothing is learned.",
        )
