"""The weights of an estimator as arrays in one order, and which task each number belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sklearn_mtl.messages import shown
from sklearn_mtl.training import head_tasks, with_weights

OF_HEADS = "heads."


def shared_names(estimator: Any, *, share: str) -> list[list[str]]:
    """Return for each net the names of the arrays that clients share.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor
        A fitted estimator.
    share : {"all", "trunk"}
        Whether heads are shared too.
    """
    if share not in ("all", "trunk"):
        raise ValueError(f"`share` must be 'all' or 'trunk'. Found {shown(share)}.")
    return [
        [name for name in weights if share == "all" or not name.startswith(OF_HEADS)]
        for weights in _packed(estimator)
    ]


def get_weights(estimator: Any, *, share: str = "all") -> list[np.ndarray]:
    """Return copies of the arrays that clients share, those of one net after the other."""
    packed, names = _packed(estimator), shared_names(estimator, share=share)
    return [weights[name].copy() for weights, of_net in zip(packed, names, strict=True) for name in of_net]


def set_weights(estimator: Any, weights: Sequence[np.ndarray], *, share: str = "all") -> None:
    """Put arrays into the nets of an estimator; the optimizer begins anew, the random numbers go on.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor
        A fitted estimator.
    weights : sequence of ndarray
        As `get_weights` returns them.
    share : {"all", "trunk"}
        As in `get_weights`.

    Raises
    ------
    ValueError
        If the arrays are not as many, or not of the shapes, as those of the estimator.
    """
    names = shared_names(estimator, share=share)
    expected = [array.shape for array in get_weights(estimator, share=share)]
    found = [np.shape(array) for array in weights]
    if found != expected:
        raise ValueError(
            f"`weights` must hold arrays of the shapes {shown(expected)}. Found {shown(found)}: clients must "
            "have the same estimator and agreement."
        )
    rest: Iterator[np.ndarray] = iter(weights)
    fitted = estimator._fitted
    nets = [
        with_weights(net, {name: next(rest) for name in of_net}, fitted.blueprint)
        for net, of_net in zip(estimator.nets_, names, strict=True)
    ]
    fitted.nets[:] = nets
    estimator.net_ = nets[0]


def tasks_of_weights(estimator: Any, *, share: str = "all") -> list[np.ndarray | None]:
    """Return for each array of `get_weights` the task that each number belongs to; None for all tasks.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor
        A fitted estimator.
    share : {"all", "trunk"}
        As in `get_weights`.

    Returns
    -------
    list of ndarray of int or None
        Positions of tasks, of a shape that is broadcast to that of the array.
    """
    found: list[np.ndarray | None] = []
    for net, of_net in zip(estimator.nets_, shared_names(estimator, share=share), strict=True):
        of_heads = {OF_HEADS + name: tasks for name, tasks in head_tasks(net).items()}
        found += [of_heads.get(name) for name in of_net]
    return found


def _packed(estimator: Any) -> list[dict[str, np.ndarray]]:
    return [net["weights"] for net in estimator._fitted.packed()["nets"]]
