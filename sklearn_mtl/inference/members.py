"""What each member of each trained net responds by itself, where `bag_responses` has the average."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sklearn_mtl.inference.bag import Inputs, TrainedNet, rows_for_network
from sklearn_mtl.inference.prediction import raw_outputs
from sklearn_mtl.tasks import Responses, TaskSet


def member_responses(nets: Sequence[TrainedNet], tasks: TaskSet, inputs: Inputs) -> Iterator[Responses]:
    """Yield the responses of one member after the other; their mean over all is that of `bag_responses`.

    Parameters
    ----------
    nets : sequence of TrainedNet
        The bag.
    tasks : TaskSet
        The tasks.
    inputs : mapping of str to ndarray, or Reader
        Encoded rows, or what encodes them when they are asked for.
    """
    for net in nets:
        module = net.evaluated
        raw = raw_outputs(module, rows_for_network(module, inputs)).cpu().double()
        for member in raw.split(1, dim=1):
            yield tasks.split([of_group.numpy() for of_group in net.criterion_.losses.responses(member)])
