"""A multi-layer perceptron."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.trunks.layers import Dropout, Linear, SameForAll
from sklearn_mtl.trunks.parameters import ACTIVATIONS, check_hidden_layers
from sklearn_mtl.trunks.trunk import Trunk, TrunkModule, with_codes

NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {"layer": nn.LayerNorm}


class MLP(Trunk):
    """A multi-layer perceptron: linear, normalization, activation, dropout, once for each size.

    Parameters
    ----------
    hidden_sizes : sequence of int, default=(256, 256)
        Width of each layer; empty for a linear model.
    activation : str, default="relu"
        ``"relu"``, ``"gelu"``, ``"silu"``, ``"selu"``, ``"tanh"`` or ``"identity"``.
    dropout : float, default=0.0
        Share of activations set to 0 while training, in [0, 1).
    normalization : None or "layer", default=None
        Layer normalization before each activation.

    Examples
    --------
    >>> from sklearn_mtl.trunks import MLP
    >>> MLP(hidden_sizes=(64,), dropout=0.1)
    MLP(dropout=0.1, hidden_sizes=(64,))
    """

    def __init__(
        self,
        hidden_sizes: Sequence[int] = (256, 256),
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        normalization: str | None = None,
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.activation = activation
        self.dropout = dropout
        self.normalization = normalization

    @classmethod
    def suits(cls, spec: FeatureSpec) -> bool:
        """Whether no other trunk suits the input: the package asks this one last."""
        return True

    def build(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new trunk."""
        block = spec.flat
        sizes = check_hidden_layers("MLP", self.hidden_sizes, self.activation, self.dropout)
        named = isinstance(self.normalization, str) and self.normalization in NORMALIZATIONS
        if self.normalization is not None and not named:
            raise ValueError(
                f"`normalization` of MLP must be None or one of {sorted(NORMALIZATIONS)}. "
                f"Found {shown(self.normalization)}."
            )
        entry, of_codes = with_codes(Flatten(block.name), spec)
        widths = (sum(of_codes) + math.prod(block.shape), *sizes)
        stages = [self._stage(n_in, n_out) for n_in, n_out in pairwise(widths)]
        return TrunkModule(entry, stages, widths)

    def _stage(self, n_in: int, n_out: int) -> nn.Module:
        layers: list[nn.Module] = [Linear(n_in, n_out)]
        if self.normalization is not None:
            layers.append(NORMALIZATIONS[self.normalization](n_out))
        layers.append(ACTIVATIONS[self.activation]())
        if self.dropout > 0:
            layers.append(Dropout(self.dropout))
        return nn.Sequential(*layers)


class Flatten(nn.Module):
    """One block of inputs as (rows, one member, width)."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the block, shape (rows, 1, width)."""
        return inputs[self.name].flatten(1).unsqueeze(1)

    @classmethod
    def stacked(cls, entries: Sequence[Flatten]) -> nn.Module:
        """Return the entry of trunks side by side."""
        return SameForAll(entries[0], len(entries))
