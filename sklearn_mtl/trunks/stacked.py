"""Trunks of one shape side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from sklearn_mtl.messages import shown
from sklearn_mtl.trunks.layers.stacking import stacked, stacked_entry
from sklearn_mtl.trunks.trunk import TrunkModule


class StackedTrunks(nn.Module):
    """Trunks of one shape side by side, computed together: no product is made for one trunk alone.

    The layers of this package, and torch's common ones, become batched products; a layer that is not known
    goes through ``torch.vmap``. What is computed, and the gradients, are those of the trunks alone, but for
    rounding. Every parameter that is trained is stacked: its first axis is that of the trunks.

    Parameters
    ----------
    trunks : sequence of TrunkModule
        Made by one recipe. Their weights are copied, and are those that the trunks here begin with.

    Attributes
    ----------
    n : int
        Number of trunks.
    widths : tuple of int
        Widths of the entry and of each stage, as those of `TrunkModule`.
    members : int
        Length of the ensemble axis.
    entry : nn.Module
        From inputs to (rows, members, n, ``widths[0]``).
    stages : nn.ModuleList
        Stage i goes from (rows, members, n, ``widths[i]``) to (rows, members, n, ``widths[i + 1]``). The
        first takes what the entry gave, as it is.

    Raises
    ------
    ValueError
        If the trunks are not of one shape, or differ in more than parameters and buffers.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.features import Block, FeatureSpec
    >>> from sklearn_mtl.trunks import MLP, StackedTrunks
    >>> spec, x = FeatureSpec((Block("x", (4,), n_continuous=4),)), {"x": torch.zeros(10, 4)}
    >>> trunks = StackedTrunks([MLP(hidden_sizes=(8, 6)).build(spec, {}) for _ in range(3)])
    >>> trunks(x).shape
    torch.Size([10, 1, 3, 6])
    """

    def __init__(self, trunks: Sequence[TrunkModule]) -> None:
        super().__init__()
        trunks = [trunk.in_own_stages() for trunk in trunks]
        shapes = {(trunk.widths, trunk.members, len(trunk.stages)) for trunk in trunks}
        if len(shapes) != 1:
            raise ValueError(
                "Trunks of several tasks must have the same widths, members and number of stages. Found "
                f"{shown(sorted(shapes))}."
            )
        self.n = len(trunks)
        self.widths = trunks[0].widths
        self.members = trunks[0].members
        self.entry = stacked_entry([trunk.entry for trunk in trunks])
        self.stages = nn.ModuleList(map(stacked, zip(*(trunk.stages for trunk in trunks), strict=True)))

    @property
    def width(self) -> int:
        """Width of the representation."""
        return self.widths[-1]

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the representations of all trunks, shape (rows, members, n, width)."""
        hidden: Tensor = self.entry(inputs)
        for stage in self.stages:
            hidden = stage(hidden)
        return hidden
