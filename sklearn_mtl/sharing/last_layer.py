"""The last layer of a module, as balancing methods look at that are content with one layer's gradients."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn


def last_layer(module: nn.Module, parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    """Return those of some parameters that belong to the last layer of a module that has any.

    Parts are taken to be in the order in which they were made. A layer has a matrix, or a larger tensor: the
    scales of a normalization are none.

    Parameters
    ----------
    module : nn.Module
        The module.
    parameters : iterable of Parameter
        What is looked for; what is not trained is left out.

    Examples
    --------
    >>> trunk = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2), nn.LayerNorm(2), nn.ReLU())
    >>> [tuple(weights.shape) for weights in last_layer(trunk, trunk.parameters())]
    [(2, 3), (2,)]
    """
    return _within(module, {id(parameter) for parameter in parameters if parameter.requires_grad})


def _within(part: nn.Module, wanted: set[int]) -> list[nn.Parameter]:
    for inner in reversed(list(part.children())):
        if any(id(found) in wanted and found.ndim > 1 for found in inner.parameters()):
            return _within(inner, wanted)
    return [found for found in part.parameters() if id(found) in wanted]
