"""Any torch module as a trunk."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Self

import torch
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.trunks.trunk import Trunk, TrunkModule


class ModuleTrunk(Trunk):
    """Any ``nn.Module`` as a trunk; pretrained or not, trained on or frozen.

    Parameters
    ----------
    module : nn.Module
        From (rows, …) to (rows, …), of which everything but the rows is flattened. It is copied in
        ``fit`` and never trained itself.
    frozen : bool, default=False
        Keep the weights, and the running statistics of normalisations, as they are.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearn_mtl.trunks import ModuleTrunk
    >>> ModuleTrunk(nn.Linear(4, 8), frozen=True).frozen
    True
    """

    def __init__(self, module: nn.Module, *, frozen: bool = False) -> None:
        self.module = module
        self.frozen = frozen

    def build(self, spec: FeatureSpec, facts: Mapping[str, Tensor]) -> TrunkModule:
        """Return a copy of the module, its width found by running two rows through it."""
        if not isinstance(self.module, nn.Module):
            raise TypeError(f"`module` of ModuleTrunk must be an nn.Module. Found {self.module!r}.")
        block = spec.single
        entry = CopiedModule(block.name, deepcopy(self.module).float(), frozen=self.frozen)
        rows = torch.zeros(2, *block.shape)
        training = entry.module.training
        with torch.no_grad():
            try:
                probe = entry.eval()({block.name: rows})
            # A module of the user's own may raise anything.
            except Exception as error:
                raise ValueError(
                    f"`trunk` must take rows of shape {block.shape} and return one tensor. "
                    f"Found a {type(self.module).__name__}, which fails on them: {error}"
                ) from error
        if len(probe) != len(rows):
            raise ValueError(
                f"`trunk` must return as many rows as it takes. "
                f"Found a {type(self.module).__name__}, which makes {len(probe)} of {len(rows)}."
            )
        entry.train(training)
        return TrunkModule(entry, [], [probe.shape[-1]])


class CopiedModule(nn.Module):
    """The module, giving (rows, one member, width)."""

    def __init__(self, name: str, module: nn.Module, *, frozen: bool) -> None:
        super().__init__()
        self.name = name
        self.module = module
        self.frozen = frozen
        if frozen:
            module.requires_grad_(requires_grad=False)

    def train(self, mode: bool = True) -> Self:
        """Set training mode; a frozen module stays out of it, or its running statistics would move."""
        super().train(mode)
        if self.frozen:
            self.module.eval()
        return self

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the module's output, shape (rows, 1, width)."""
        output: Tensor = self.module(inputs[self.name])
        return output.flatten(1).unsqueeze(1)
