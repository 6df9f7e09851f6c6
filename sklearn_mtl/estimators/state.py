"""A fitted estimator's state for pickles and files: arrays, and types of scikit-learn and this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn_mtl.estimators.checks import training_settings
from sklearn_mtl.estimators.fitting import Fitted
from sklearn_mtl.training import pack_net, resolve_device, unpack_net

if TYPE_CHECKING:
    from sklearn_mtl.estimators.base import BaseMultiTask


def pack_fitted(fitted: Fitted) -> dict[str, Any]:
    """Return what was fitted, its nets as arrays.

    Parameters
    ----------
    fitted : Fitted
        What ``fit`` left behind.
    """
    return {
        "encoder": fitted.encoder,
        "blueprint": fitted.blueprint,
        "layout": fitted.layout,
        "nets": [pack_net(net) for net in fitted.nets],
    }


def unpack_fitted(estimator: BaseMultiTask, state: dict[str, Any]) -> Fitted:
    """Return what was fitted, its nets built anew.

    Parameters
    ----------
    estimator : BaseMultiTask
        Its parameters say where the nets go; a device that is not here gives way to the CPU.
    state : dict
        Of `pack_fitted`.
    """
    try:
        device = resolve_device(estimator.device)
    except ValueError:
        device = resolve_device("cpu")
    settings = training_settings(estimator, n_rows=1, device=device)
    nets = [unpack_net(net, state["blueprint"], settings) for net in state["nets"]]
    return Fitted(state["encoder"], state["blueprint"], state["layout"], nets)
