"""Cross-stitch networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.sharing.last_layer import last_layer
from sklearn_mtl.sharing.sharing import Heads, Sharing, SharingModule
from sklearn_mtl.tasks import Task
from sklearn_mtl.trunks import StackedTrunks, TrunkModule

# What a trunk keeps of its own activations at the start (Misra et al. 2016, section 4.1).
OWN_SHARE = 0.9
# The products of so few tasks are faster written out than as products of matrices, for which activations must
# be copied channel by channel: of 2 tasks in a tenth of the time. Of 30, the matrices take a tenth.
FEW_TASKS = 8


class CrossStitch(Sharing):
    """A trunk for each task; after each stage, activations of all tasks are mixed by learned units.

    Misra, Shrivastava, Gupta & Hebert (2016), "Cross-stitch Networks for Multi-task Learning" (CVPR), eq. 1,
    with a unit for each channel, and for any number of tasks: what task t reads of channel c is the sum over
    all tasks s of α[c, t, s] times the activation of s. As there, a unit begins as an average in which the
    own activation counts 0.9, the others share the rest, and all trunks begin with the same weights, so that
    the channels that are mixed stand for the same. The paper lets units learn 100 to 1,000 times as fast as
    weights, by plain gradient steps; here they learn as fast, as steps of Adam don't depend on the size of
    gradients, and ten times as fast did worse. Weight decay draws a unit to where it began.

    Choose it where it is not known at which depth tasks part: it learns that. The weights, and the work of a
    step, are those of a trunk for each task and of the mixing, which grows with the square of the number of
    tasks: for many tasks, `MMoE` and `TaskAdapters` cost less.

    Examples
    --------
    >>> from sklearn_mtl.datasets import make_multitask
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> X, Y = make_multitask(n_regression=2, random_state=0)
    >>> quick = MultiTaskRegressor(sharing="cross_stitch", trunk="mlp", n_bags=1, max_epochs=2)
    >>> list(quick.fit(X, Y).predict(X))
    ['regression0', 'regression1']
    """

    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module.

        Raises
        ------
        ValueError
            If the trunk has no stages, after which activations could be mixed.
        """
        trunks = [make_trunk() for _ in tasks]
        if not trunks[0].in_own_stages().stages:
            raise ValueError(
                "`trunk` must have stages for CrossStitch, which mixes activations after each. Found one "
                "of 0 stages."
            )
        for trunk in trunks[1:]:
            trunk.load_state_dict(trunks[0].state_dict())
        return CrossStitchModule(StackedTrunks(trunks))


class CrossStitchModule(SharingModule):
    """A trunk for each task, and units that mix them after each stage.

    Parameters
    ----------
    trunks : StackedTrunks
        As many as there are tasks.
    """

    start: Tensor

    def __init__(self, trunks: StackedTrunks) -> None:
        super().__init__(trunks.width, trunks.members, per_task=True)
        self.trunks = trunks
        n = trunks.n
        others = (1 - OWN_SHARE) / max(n - 1, 1)
        start = torch.full((n, n), others).fill_diagonal_(OWN_SHARE if n > 1 else 1)
        self.register_buffer("start", start)
        #: By stage, what the units differ by from their start: (tasks, tasks, width).
        self.differences = nn.ParameterList(torch.zeros(n, n, width) for width in trunks.widths[1:])

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the representation of each task, shape (rows, members, tasks, width)."""
        hidden: Tensor = self.trunks.entry(inputs)
        for stage, difference in zip(self.trunks.stages, self.differences, strict=True):
            hidden = mixed(stage(hidden), self.start.unsqueeze(-1) + difference)
        return hidden

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the trunks' parameters and all units but the last, each of which one task trains."""
        yield from self.trunks.parameters()
        yield from list(self.differences)[:-1]

    def last_shared_layer(self) -> Sequence[nn.Parameter]:
        """Return the parameters of the last layer of the trunks."""
        return last_layer(self.trunks, self.trunks.parameters())


def mixed(hidden: Tensor, units: Tensor) -> Tensor:
    """Return activations mixed over tasks.

    Parameters
    ----------
    hidden : tensor of shape (rows, members, tasks, width)
        The activations of each task.
    units : tensor of shape (tasks, tasks, width)
        How much of each (second axis) a task (first axis) reads, by channel.

    Returns
    -------
    tensor of shape (rows, members, tasks, width)

    Examples
    --------
    >>> hidden, mean = torch.tensor([[[[1.0], [3.0]]]]), torch.full((2, 2, 1), 0.5)
    >>> mixed(hidden, mean).flatten()
    tensor([2., 2.])
    """
    if len(units) <= FEW_TASKS:
        return (hidden.unsqueeze(2) * units).sum(3)
    rows, members = hidden.shape[:2]
    by_channel = hidden.permute(3, 2, 0, 1).flatten(2)
    product = torch.bmm(units.permute(2, 0, 1), by_channel)
    return product.unflatten(2, (rows, members)).permute(2, 3, 1, 0)
