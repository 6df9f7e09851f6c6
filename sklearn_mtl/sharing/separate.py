"""Separate trunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.sharing.sharing import Heads, Sharing, SharingModule
from sklearn_mtl.tasks import Task
from sklearn_mtl.trunks import StackedTrunks, TrunkModule


class SeparateTrunks(Sharing):
    """A trunk for each task: nothing is shared.

    One fit trains the networks that a fit to each task alone would train, side by side. It is what a way of
    sharing must beat, and what to choose where tasks have nothing in common. The weights, and the work of a
    step, are those of as many trunks as there are tasks.

    Examples
    --------
    >>> from sklearn_mtl.sharing import SeparateTrunks
    >>> SeparateTrunks()
    SeparateTrunks()
    """

    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module."""
        return SeparateTrunksModule(StackedTrunks([make_trunk() for _ in tasks]))


class SeparateTrunksModule(SharingModule):
    """A trunk for each task, whose representation the head of that task reads.

    Parameters
    ----------
    trunks : StackedTrunks
        As many as there are tasks.
    """

    def __init__(self, trunks: StackedTrunks) -> None:
        super().__init__(trunks.width, trunks.members, per_task=True)
        self.trunks = trunks

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the representation of each task, shape (rows, members, tasks, width)."""
        representation: Tensor = self.trunks(inputs)
        return representation

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over nothing: no parameter is trained by several tasks."""
        return iter(())
