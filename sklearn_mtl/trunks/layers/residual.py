"""A part whose input is added to its output."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from sklearn_mtl.trunks.layers.stacking import stacked


class Residual(nn.Module):
    """A part whose input is added to its output.

    He, Zhang, Ren & Sun (2016), "Deep Residual Learning for Image Recognition", eq. 1.

    Parameters
    ----------
    part : nn.Module
        Its output has the shape of its input.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from sklearn_mtl.trunks.layers import Residual
    >>> Residual(nn.Identity())(torch.ones(2))
    tensor([2., 2.])
    """

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of input and output."""
        added: Tensor = self.part(x)
        return x + added

    @classmethod
    def stacked(cls, layers: Sequence[Residual]) -> nn.Module:
        """Return what these layers do side by side."""
        return cls(stacked([layer.part for layer in layers]))
