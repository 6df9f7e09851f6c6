"""What a file says of its networks, compared with the weights that it holds, before any is built."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from sklearn_mtl.network import PARTS, Blueprint, TooMuchToBuild, shapes_of

# A layer takes about twenty calls of torch, and so does each of many from which one tensor is stacked; a
# trunk makes a few for each column of a table.
FEWEST_CALLS, CALLS_OF_TENSOR, CALLS_OF_LAYER, CALLS_OF_COLUMN = 10_000, 100, 20, 10
# Numbers of one row, beside those of which there are weights: of a table, and of an image, 512³ of them.
MOST_OF_TABLE, MOST_OF_IMAGE = 2**20, 2**27


def check_networks(blueprint: Any, nets: Sequence[Mapping[str, Any]], *, has_own: bool) -> None:
    """Raise a ``ValueError`` if networks would be built of other shapes than their weights have.

    Parameters
    ----------
    blueprint : Blueprint
        What the networks would be built from.
    nets : sequence of mapping
        Each network's ``weights`` and ``facts``, arrays by name.
    has_own : bool
        Whether parts are built by classes or modules of the caller. Some can't be built on torch's meta
        device; then the heads alone are compared.
    """
    if not isinstance(blueprint, Blueprint) or not nets:
        raise ValueError("it describes no network")
    head_width = sum(task.head_width for task in blueprint.tasks)
    checked = set()
    for net in nets:
        weights = net["weights"]
        n_weights = sum(array.size for array in weights.values())
        if weights["raw_scale"].shape != (head_width,):
            raise ValueError(f"its tasks have {head_width} outputs, its weights {weights['raw_scale'].shape}")
        _check_rows(blueprint, n_weights)
        _check_heads(blueprint, n_weights)
        # The nets of a bag are mostly of one shape.
        alike = _shapes({**net["facts"], **{f"weights {name}": array for name, array in weights.items()}})
        if alike in checked:
            continue
        checked.add(alike)
        found, expected = dict(_shapes(weights)), _expected(blueprint, net, has_own=has_own)
        if expected is not None and expected != found:
            name = next(name for name in {**expected, **found} if expected.get(name) != found.get(name))
            raise ValueError(f"{name!r} would be of shape {expected.get(name)}, and is of {found.get(name)}")


def _expected(
    blueprint: Blueprint, net: Mapping[str, Any], *, has_own: bool
) -> Mapping[str, tuple[int, ...]] | None:
    """Return the shapes that would be built; None if parts of the caller's can't be built without numbers."""
    weights = net["weights"]
    longest = max(max(array.shape, default=0) for array in weights.values())
    n_layers = sum(len(array) for array in weights.values() if array.ndim > 0)
    most = (
        FEWEST_CALLS + CALLS_OF_TENSOR * len(weights) + CALLS_OF_LAYER * n_layers + CALLS_OF_COLUMN * longest
    )
    n_columns = math.prod(blueprint.spec.blocks[0].shape)
    beside = [part.expected_shapes(weights, _raw_width(blueprint), n_columns) for part in PARTS]
    try:
        built = shapes_of(blueprint, net["facts"], most)
        return {name: shape for shapes in (built, *beside) for name, shape in shapes.items()}
    except TooMuchToBuild:
        raise
    # The caller's classes may raise anything.
    except Exception:
        if not has_own:
            raise
        return None


def _raw_width(blueprint: Blueprint) -> int:
    return sum(task.width for task in blueprint.tasks)


def _shapes(arrays: Mapping[str, np.ndarray]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, array.shape) for name, array in arrays.items())


def _check_rows(blueprint: Blueprint, n_weights: int) -> None:
    """Raise a ``ValueError`` if rows claim to be far longer than weights are many."""
    for block in blueprint.spec.blocks:
        most = max(MOST_OF_TABLE if len(block.shape) == 1 else MOST_OF_IMAGE, n_weights)
        counts = (*block.shape, block.n_continuous)
        if any(type(count) is not int or count < 0 for count in counts):
            raise ValueError(f"its rows have the shape {block.shape}")
        n_numbers = math.prod(block.shape)
        if max(counts) > most or n_numbers > most or block.n_continuous > n_numbers:
            raise ValueError(f"its rows have the shape {block.shape}, for {n_weights} weights")


def _check_heads(blueprint: Blueprint, n_weights: int) -> None:
    """Raise a ``ValueError`` if the tasks' own layers are larger than the weights that there are."""
    for sizes in blueprint.head_hidden_sizes:
        if any(n_in * n_out > n_weights for n_in, n_out in pairwise((1, *sizes))):
            raise ValueError(f"its heads have layers of {sizes}, for {n_weights} weights")


def check_arrays(value: Any) -> None:
    """Raise a ``ValueError`` for an array of no numbers that claims to be long: it may be walked through.

    Parameters
    ----------
    value : mapping of str to ndarray
        The arrays of a file.
    """
    for name, array in value.items():
        if math.prod(max(length, 1) for length in array.shape) > max(array.size, MOST_OF_TABLE):
            raise ValueError(f"the array {name!r} has the shape {array.shape}")
