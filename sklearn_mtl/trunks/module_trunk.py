"""Any torch module as a trunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor, nn

from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.trunks.layers import SameForAll, are_equal
from sklearn_mtl.trunks.trunk import Trunk, TrunkModule

N_ROWS_TO_TRY = 2


class ModuleTrunk(Trunk):
    """Any ``nn.Module`` as a trunk; pretrained or not, trained on or frozen.

    Parameters
    ----------
    module : nn.Module
        Goes from (rows, …) to (rows, …), where all axes after the first are flattened. It may also be the
        trained trunk of another estimator, ``net_.module_.sharing.trunk``, if rows are encoded alike in
        both. It is copied in ``fit``, and only the copy is trained.
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

    def build(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a copy of the module, its width found by running two rows through it."""
        if not isinstance(self.module, nn.Module):
            raise TypeError(f"`module` of ModuleTrunk must be an nn.Module. Found {shown(self.module)}.")
        # The default device is the CPU, or that on which only shapes are looked at.
        copy = deepcopy(self.module).to(torch.get_default_device(), torch.float32)
        if isinstance(copy, TrunkModule):
            self._try(copy, spec.blocks)
            return _frozen(copy) if self.frozen else copy
        block = spec.single
        entry = CopiedEntry(block.name, copy, frozen=self.frozen)
        return TrunkModule(entry, [], [self._try(entry, [block])])

    def _try(self, copy: nn.Module, blocks: Any) -> int:
        """Return the width of the output for rows of zeros; raise a ``ValueError`` if the module fails."""
        shapes = ", ".join(str(block.shape) for block in blocks)
        found = f"Found a {type(self.module).__name__}"
        training = copy.training
        with torch.no_grad():
            try:
                output = copy.eval()({block.name: _zeros(block) for block in blocks})
            # A module of the user's own may raise anything.
            except Exception as error:
                raise ValueError(
                    f"`trunk` must take rows of shape {shapes} and return one tensor. "
                    f"{found}, which fails on them: {error}"
                ) from error
        copy.train(training)
        if len(output) != N_ROWS_TO_TRY:
            raise ValueError(
                "`trunk` must return as many rows as it takes. "
                f"{found}, which makes {len(output)} of {N_ROWS_TO_TRY}."
            )
        width: int = output.shape[-1]
        return width


class Copied(nn.Module):
    """A copy of a module, or of a part of one, that is trained or frozen."""

    def __init__(self, module: nn.Module, *, frozen: bool) -> None:
        super().__init__()
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

    def forward(self, given: Any) -> Tensor:
        """Return the module's output."""
        output: Tensor = self.module(given)
        return output


class CopiedEntry(Copied):
    """A module as an entry, giving (rows, one member, width)."""

    def __init__(self, name: str, module: nn.Module, *, frozen: bool) -> None:
        super().__init__(module, frozen=frozen)
        self.name = name

    def forward(self, given: Mapping[str, Tensor]) -> Tensor:
        """Return the module's output, shape (rows, 1, width)."""
        rows = given[self.name]
        # One that is not trained stands for several, and may work in place on what gates read.
        return super().forward(rows.clone() if self.frozen else rows).flatten(1).unsqueeze(1)

    @classmethod
    def stacked(cls, entries: Sequence[CopiedEntry]) -> nn.Module | None:
        """Return the entry of trunks side by side: one, if it is frozen and the same for all."""
        same = entries[0].frozen and are_equal(entries)
        return SameForAll(entries[0], len(entries)) if same else None


def _frozen(trunk: TrunkModule) -> TrunkModule:
    """Return a trunk whose entry and stages are not trained."""
    entry, *stages = (Copied(part, frozen=True) for part in (trunk.entry, *trunk.stages))
    return TrunkModule(entry, stages, trunk.widths, members=trunk.members)


def _zeros(block: Block) -> Tensor:
    dtype = torch.float32 if block.kind in ("float", "present") else torch.int64
    return torch.zeros(N_ROWS_TO_TRY, *block.shape, dtype=dtype)
