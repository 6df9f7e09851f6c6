"""A linear model beside a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.network.beside import ModelBeside, numbers_in
from sklearn_mtl.trunks.layers import linear


class LinearPart(ModelBeside):
    """A linear model of a table, and its share of each raw output.

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

    name: ClassVar[str] = "linear"
    buffer_dtypes: ClassVar[Mapping[str, torch.dtype | None]] = {"weight": None, "bias": None, "share": None}

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, share: Tensor) -> None:
        super().__init__(weight=weight, bias=bias, share=share)

    @classmethod
    def _shapes(
        cls,
        own: Mapping[str, np.ndarray],
        raw_width: int,
        n_columns: int,
    ) -> dict[str, tuple[int, ...]]:
        return {"weight": (raw_width, n_columns), "bias": (raw_width,), "share": (raw_width,)}

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the raw outputs of the linear model, shape (rows, raw_width)."""
        return linear(numbers_in(inputs), self.weight, self.bias)
