"""Smaller copies of a fitted estimator: of fewer members, of weights of 0, of weights of eight bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from sklearn_mtl.estimators.rows import read_rows
from sklearn_mtl.export.classes import check_estimator
from sklearn_mtl.features import EncodedRows
from sklearn_mtl.inference.compression import best_members, best_nets, prune_weights, quantize_layers
from sklearn_mtl.messages import shown
from sklearn_mtl.network import resolve_device, shapes_of
from sklearn_mtl.recipes import is_integer, is_number
from sklearn_mtl.training import pack_net, unpack_net

# Calls of torch that building the network of a fitted estimator, which has been built before, may take.
ENOUGH_CALLS = 10**8

# Encoded rows, and the targets and cell weights of these.
Labelled = tuple[Mapping[str, np.ndarray], np.ndarray, np.ndarray]


def prune(
    estimator: Any,
    amount: float | None = None,
    *,
    members: int | None = None,
    nets: int | None = None,
    X: Any = None,
    y: Any = None,
) -> Any:
    """Return a copy of a fitted estimator with fewer nets or members, or with its smallest weights set to 0.

    An ensemble is trained as a whole, and then few of its members may predict nearly as well: Gorishniy,
    Kotelnikov & Babenko (2025), "TabM", select them greedily too. They are chosen by labelled rows, which
    should be others than those of ``fit``: first the best alone, then one after the other that which makes
    the average best. Fewer nets and members take less time. Weights of 0 do not, since products are dense; a
    file that is compressed is smaller.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor, MultiTaskClassifier or MultiTaskRegressor
        Fitted; it stays as it is.
    amount : float, optional
        Share of the weights of each network to set to 0, those of least size of all matrices together
        (``torch.nn.utils.prune.global_unstructured``), in [0, 1).
    members : int, optional
        Number of members to keep in each net, where the trunk is an ensemble, as `TabM` is.
    nets : int, optional
        Number of nets to keep of the bag.
    X, y : optional
        Labelled rows, as ``fit`` takes them, which choose members and nets.

    Returns
    -------
    estimator
        Fitted, and trained no further.

    Raises
    ------
    TypeError
        If it is none of these estimators.
    ValueError
        If none of the numbers is given, one is out of its range, or there are no rows to choose by.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.export import prune
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = X.sum(axis=1)
    >>> est = MultiTaskRegressor(n_bags=2, max_epochs=2, random_state=0).fit(X[:150], y[:150])
    >>> small = prune(est, members=2, nets=1, X=X[150:], y=y[150:])
    >>> len(small.nets_), small.nets_[0].evaluated.sharing.members
    (1, 2)
    """
    check_estimator(estimator)
    if amount is None and members is None and nets is None:
        raise ValueError("`amount`, `members` or `nets` must say what to prune. Found None of each.")
    if amount is not None and (not is_number(amount) or not 0 <= amount < 1):
        raise ValueError(f"`amount` must be None or in [0, 1). Found {shown(amount)}.")
    _check_count("nets", nets, len(estimator.nets_), "nets of the bag")
    _check_count("members", members, estimator.nets_[0].evaluated.sharing.members, "members of each net")
    trunk = estimator._fitted.blueprint.trunk
    if members is not None and "members" not in trunk.get_params(deep=False):
        raise ValueError(
            f"`members` must be None unless the trunk has members, as TabM has. Found {shown(trunk)}."
        )
    copy = _copy(estimator)
    if members is not None or nets is not None:
        if X is None or y is None:
            raise ValueError("`X` and `y` must be labelled rows to choose members by. Found None.")
        labelled = _labelled(copy, X, y)
        if members is not None and members < estimator.nets_[0].evaluated.sharing.members:
            _keep_members(copy, members, labelled)
        if nets is not None:
            _keep_nets(copy, nets, labelled)
    if amount:
        for net in copy.nets_:
            prune_weights(net.evaluated, float(amount))
    return copy


def quantize(estimator: Any) -> Any:
    """Return a copy of a fitted estimator whose linear layers compute with eight bits, on the CPU.

    Weights are rounded to eight bits once, with a scale for each output, and what a layer is given is rounded
    as it comes, with a scale for each row: a row is still predicted the same alone and among others.
    Embeddings, normalizations, the layers of single members and tasks, and models beside the networks stay as
    they are.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor, MultiTaskClassifier or MultiTaskRegressor
        Fitted, of single precision; it stays as it is.

    Returns
    -------
    estimator
        Fitted. It predicts, and can't be copied, pickled, saved, exported or trained on.

    Raises
    ------
    TypeError
        If it is none of these estimators.
    ValueError
        If it is of double precision, or no layer of it can be replaced.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.export import quantize
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> est = MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=2, random_state=0).fit(X, X.sum(axis=1))
    >>> bool(np.corrcoef(quantize(est).predict(X), est.predict(X))[0, 1] > 0.99)
    True
    """
    check_estimator(estimator)
    dtype = np.dtype(estimator._fitted.encoder.dtype)
    if dtype != np.float32:
        raise ValueError(f"`estimator` must be of single precision to be quantized. Found {dtype.name}.")
    copy = _copy(estimator, device="cpu")
    counts = [quantize_layers(net.evaluated) for net in copy.nets_]
    if not any(counts):
        trunk = copy._fitted.blueprint.trunk
        raise ValueError(f"`estimator` must have linear layers to be quantized. Found trunk {shown(trunk)}.")
    return copy


def _copy(estimator: Any, device: str | None = None) -> Any:
    """Return an estimator with nets of its own, on another device if one is named."""
    copy = deepcopy(estimator)
    if device is not None and copy.device != device:
        copy.device = device
        copy = deepcopy(copy)
    return copy


def _check_count(name: str, value: int | None, most: int, of: str) -> None:
    if value is not None and (not is_integer(value) or not 1 <= value <= most):
        raise ValueError(
            f"`{name}` must be None or an integer from 1 up to the {most} {of}. Found {shown(value)}."
        )


def _labelled(estimator: Any, X: Any, y: Any) -> Labelled:
    """Return encoded rows, and the targets and cell weights of those that have a label."""
    fitted = estimator._fitted
    rows, _ = read_rows(
        estimator,
        X,
        y,
        accepted=fitted.encoder.accepted,
        tasks=fitted.tasks.names,
        left_out=fitted.left_out,
    )
    encoded = EncodedRows(fitted.encoder, rows.X, rows.index).read(slice(None))
    targets, weight = fitted.tasks.encode(rows.columns, rows.weight)
    if not (weight > 0).any():
        raise ValueError("`y` must have labels that `fit` has seen, to choose members by. Found none.")
    return encoded, targets, weight


def _keep_members(estimator: Any, n: int, labelled: Labelled) -> None:
    fitted = estimator._fitted
    trunk = deepcopy(fitted.blueprint.trunk).set_params(members=n)
    blueprint = replace(fitted.blueprint, trunk=trunk)
    device = resolve_device(estimator.device)
    nets = []
    for net in fitted.nets:
        kept = best_members(net, *labelled, n)
        state = pack_net(net)
        shapes = shapes_of(blueprint, state["facts"], ENOUGH_CALLS)
        weights = {
            name: _taken(array, shapes.get(name, array.shape), kept)
            for name, array in state["weights"].items()
        }
        nets.append(unpack_net({**state, "weights": weights}, blueprint, device))
    estimator.set_params(trunk__members=n)
    estimator._keep(replace(fitted, blueprint=blueprint, nets=nets))


def _taken(array: np.ndarray, shape: Sequence[int], members: Sequence[int]) -> np.ndarray:
    """Return an array of all members with those that are kept, along the axis that is to be shorter."""
    axes = [axis for axis, sizes in enumerate(zip(array.shape, shape, strict=True)) if len(set(sizes)) > 1]
    for axis in axes:
        array = array.take(members, axis)
    return array


def _keep_nets(estimator: Any, n: int, labelled: Labelled) -> None:
    fitted = estimator._fitted
    kept = [fitted.nets[net] for net in best_nets(fitted.nets, *labelled, n)]
    estimator._keep(replace(fitted, nets=kept, held_out=()))
