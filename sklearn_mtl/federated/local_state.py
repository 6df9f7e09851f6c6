"""What a client keeps between rounds, for an engine that starts a process for each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_mtl.network import resolve_device
from sklearn_mtl.training import put_random_numbers, random_numbers, unpack_net
from sklearn_mtl.training.checkpoints.values import Packer, unpacked


def local_state(estimator: Any) -> tuple[str, list[np.ndarray]]:
    """Return all that the next round of a client depends on, as text and arrays; no row is in it.

    That is what `get_weights` returns, what the balancer has learned, the record of the epochs, and where the
    random generators stand.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor
        The estimator of a client, after a round.
    """
    packed = estimator._fitted.packed()["nets"]
    nets = [{**one, "random": random_numbers(net)} for one, net in zip(packed, estimator.nets_, strict=True)]
    packer = Packer()
    found = packer.pack(nets, "nets")
    return json.dumps({"nets": found, "names": list(packer.arrays)}), list(packer.arrays.values())


def put_local_state(estimator: Any, text: str, arrays: Sequence[np.ndarray]) -> None:
    """Bring an estimator that has just begun to where that of the same client was.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor
        What `initial_estimator` returns.
    text, arrays
        What `local_state` has returned.
    """
    fitted, state = estimator._fitted, json.loads(text)
    device = resolve_device(estimator.nets_[0].device)
    nets = unpacked(state["nets"], dict(zip(state["names"], arrays, strict=True)), device)
    fitted.nets[:] = [unpack_net(one, fitted.blueprint, device) for one in nets]
    for net, one in zip(fitted.nets, nets, strict=True):
        put_random_numbers(net, one["random"])
    estimator.net_ = fitted.nets[0]
