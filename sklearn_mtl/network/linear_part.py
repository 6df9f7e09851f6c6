"""A linear model beside a trained network, whose raw outputs are blended with the network's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from sklearn_mtl.trunks.layers import linear

# What a state holds of the part, under the name that the module has for it.
_BUFFERS = ("weight", "bias", "share")
_PREFIX = "linear."


class LinearPart(nn.Module):
    """A linear model of a table, and its share of each raw output.

    Its tensors are buffers: nothing of it is trained with the network.

    Parameters
    ----------
    weight : tensor of shape (raw_width, n_columns)
        The slope of each raw output in each encoded column.
    bias : tensor of shape (raw_width,)
        The raw outputs of a row of zeros.
    share : tensor of shape (raw_width,)
        The share of the linear model, in [0, 1]; the network has the rest.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.network import LinearPart
    >>> part = LinearPart(torch.tensor([[1.0, 2.0]]), torch.tensor([4.0]), torch.tensor([0.25]))
    >>> part.blended(torch.zeros(1, 8, 1), part({"x": torch.ones(1, 2)}))[0, 0]
    tensor([1.7500])
    """

    weight: Tensor
    bias: Tensor
    share: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, share: Tensor) -> None:
        super().__init__()
        for name, tensor in zip(_BUFFERS, (weight, bias, share), strict=True):
            self.register_buffer(name, tensor)

    @classmethod
    def in_state(cls, state: Mapping[str, Any]) -> Self | None:
        """Return a part of the shapes that the state of a network has for it; None where it has none.

        Parameters
        ----------
        state : mapping of str to tensor or ndarray
            The state of a `MultiTaskModule`.
        """
        shapes = [state[_PREFIX + name].shape for name in _BUFFERS if _PREFIX + name in state]
        return cls(*map(torch.empty, shapes)) if len(shapes) == len(_BUFFERS) else None

    @staticmethod
    def shapes(raw_width: int, n_columns: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of its tensors, by their names in the state of a network."""
        shapes = ((raw_width, n_columns), (raw_width,), (raw_width,))
        return {_PREFIX + name: shape for name, shape in zip(_BUFFERS, shapes, strict=True)}

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the raw outputs of the linear model, shape (rows, raw_width)."""
        (table,) = inputs.values()
        return linear(table, self.weight, self.bias)

    def blended(self, raw: Tensor, beside: Tensor) -> Tensor:
        """Return the raw outputs of network and linear model together.

        Parameters
        ----------
        raw : tensor of shape (rows, members, raw_width)
            Those of the network.
        beside : tensor of shape (rows, raw_width)
            Those of the linear model, which all members share.
        """
        return raw * (1 - self.share) + (beside * self.share).unsqueeze(1)
