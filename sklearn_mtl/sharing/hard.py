"""Hard parameter sharing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.sharing.sharing import Heads, Sharing, SharingModule
from sklearn_mtl.tasks import Task
from sklearn_mtl.trunks import TrunkModule


class HardSharing(Sharing):
    """One trunk for all tasks (Caruana 1997).

    Examples
    --------
    >>> from sklearn_mtl.sharing import HardSharing
    >>> HardSharing()
    HardSharing()
    """

    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module."""
        return HardSharingModule(make_trunk())


class HardSharingModule(SharingModule):
    """One trunk, whose representation every head reads."""

    def __init__(self, trunk: TrunkModule) -> None:
        super().__init__(trunk.width, trunk.members, per_task=False)
        self.trunk = trunk

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the trunk's representation, shape (rows, members, width)."""
        representation: Tensor = self.trunk(inputs)
        return representation

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the trunk's parameters."""
        return self.trunk.parameters()
