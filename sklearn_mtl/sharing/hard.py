"""Hard parameter sharing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.sharing.sharing import Heads, Sharing, SharingModule
from sklearn_mtl.tasks import Task
from sklearn_mtl.trunks import TrunkModule


class HardSharing(Sharing):
    """One trunk for all tasks (Caruana 1997).

    Tasks with a label for each position of a row read what the trunk makes of each position, the others what
    it makes of the row.

    Examples
    --------
    >>> from sklearn_mtl.sharing import HardSharing
    >>> HardSharing()
    HardSharing()
    """

    takes_positions: ClassVar[bool] = True
    takes_per_task: ClassVar[bool] = True

    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module."""
        has_positions = any(task.position_axes for task in tasks)
        return (HardSharingOfPositions if has_positions else HardSharingModule)(make_trunk())


class HardSharingModule(SharingModule):
    """One trunk, whose representation every head reads, or which has one for each task."""

    def __init__(self, trunk: TrunkModule) -> None:
        super().__init__(trunk.width, trunk.members, per_task=trunk.per_task)
        self.trunk = trunk

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the trunk's representation, shape (rows, members, width), or one for each task."""
        representation: Tensor = self.trunk(inputs)
        return representation

    @property
    def shared_trunk(self) -> TrunkModule | None:
        """The trunk, unless it has a representation for each task."""
        return None if self.per_task else self.trunk

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the trunk's parameters."""
        return self.trunk.parameters()


class HardSharingOfPositions(HardSharingModule):
    """One trunk, of whose representations the heads read that of the row or those of its positions."""

    @property
    def position_width(self) -> int | None:
        """Width of the representation of each position."""
        return self.trunk.position_width

    def mask(self, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return which positions of each row are real."""
        mask = self.trunk.mask(inputs)
        return None if mask is None else mask.flatten(1)

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the representation of the row and of its positions, side by side."""
        rows, positions = self.trunk.with_positions(inputs)
        return torch.cat([rows, positions.flatten(2)], dim=-1)
