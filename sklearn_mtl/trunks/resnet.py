"""A residual network for tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number
from sklearn_mtl.trunks.layers import Dropout, Linear, Residual
from sklearn_mtl.trunks.mlp import Flatten
from sklearn_mtl.trunks.parameters import check_counts, check_shares
from sklearn_mtl.trunks.trunk import Trunk, TrunkModule, with_codes


class BatchNorm(nn.BatchNorm1d):
    """torch's batch normalization, of (rows, members, width): rows and members are one batch."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized numbers."""
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {"batch": BatchNorm, "layer": nn.LayerNorm}


class ResNet(Trunk):
    """A residual network for tables: a linear layer, then blocks whose input is added to their output.

    Gorishniy, Rubachev, Khrulkov & Babenko (2021), "Revisiting Deep Learning Models for Tabular Data"
    (NeurIPS), section 3.2. Theirs normalizes by batch; layer normalization, the default here, treats each row
    by itself, so that the nets of a bag or a search can be trained as one stack; by batch, they are trained
    one after the other.

    Parameters
    ----------
    width : int, default=192
        Width of the input and output of each block.
    blocks : int, default=2
        Number of blocks: normalization, linear, ReLU, dropout, linear, dropout.
    hidden_factor : float, default=2.0
        The hidden layer of a block is so many times as wide.
    dropout : float, default=0.15
        Share of a block's hidden units set to 0 while training, in [0, 1).
    residual_dropout : float, default=0.0
        Share of a block's outputs set to 0 while training, in [0, 1).
    normalization : {"layer", "batch"}, default="layer"
        The normalization of what enters each block, and of the representation.

    Examples
    --------
    >>> from sklearn_mtl.trunks import ResNet
    >>> ResNet(width=128)
    ResNet(width=128)
    """

    def __init__(
        self,
        width: int = 192,
        *,
        blocks: int = 2,
        hidden_factor: float = 2.0,
        dropout: float = 0.15,
        residual_dropout: float = 0.0,
        normalization: str = "layer",
    ) -> None:
        self.width = width
        self.blocks = blocks
        self.hidden_factor = hidden_factor
        self.dropout = dropout
        self.residual_dropout = residual_dropout
        self.normalization = normalization

    def build(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new trunk: a linear stage, one for each block, and the last normalization."""
        block = spec.flat
        check_counts("ResNet", width=self.width, blocks=self.blocks)
        check_shares("ResNet", dropout=self.dropout, residual_dropout=self.residual_dropout)
        hidden = hidden_size("ResNet", self.width, self.hidden_factor)
        if not isinstance(self.normalization, str) or self.normalization not in NORMALIZATIONS:
            raise ValueError(
                f"`normalization` of ResNet must be one of {sorted(NORMALIZATIONS)}. "
                f"Found {shown(self.normalization)}."
            )
        normalized = NORMALIZATIONS[self.normalization]
        entry, of_codes = with_codes(Flatten(block.name), spec)
        n_in = sum(of_codes) + math.prod(block.shape)
        stages = [
            Linear(n_in, self.width),
            *(self._block(normalized, hidden) for _ in range(self.blocks)),
            nn.Sequential(normalized(self.width), nn.ReLU()),
        ]
        return TrunkModule(entry, stages, (n_in, *[self.width] * len(stages)))

    def _block(self, normalized: Callable[[int], nn.Module], hidden: int) -> nn.Module:
        layers = [normalized(self.width), Linear(self.width, hidden), nn.ReLU(), Dropout(self.dropout)]
        layers += [Linear(hidden, self.width), Dropout(self.residual_dropout)]
        return Residual(nn.Sequential(*(layer for layer in layers if getattr(layer, "p", 1) > 0)))


def hidden_size(owner: str, width: int, factor: float) -> int:
    """Return the width of a hidden layer, at least 1; raise a ``ValueError`` if the factor can't be used.

    Parameters
    ----------
    owner : str
        Name of the trunk, for the message.
    width : int
        The width that is multiplied.
    factor : float
        The value of ``hidden_factor``.
    """
    if not is_number(factor) or not 0 < factor * width < 2**31:
        raise ValueError(f"`hidden_factor` of {owner} must be a positive number. Found {shown(factor)}.")
    return max(int(width * factor), 1)
