"""What a bag of trained nets predicts: the average of its networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from sklearn_mtl.data import DeviceRows, InputRows, Reader, rows_when_read
from sklearn_mtl.features import EncodedRows
from sklearn_mtl.inference.prediction import (
    mean_decisions,
    mean_log_responses,
    mean_responses,
    representations,
)
from sklearn_mtl.network import BalancedLoss, MultiTaskModule
from sklearn_mtl.tasks import Responses, TaskSet

Inputs = Mapping[str, np.ndarray] | Reader


class TrainedNet(Protocol):
    """A trained net, as far as prediction knows it."""

    criterion_: BalancedLoss

    @property
    def evaluated(self) -> MultiTaskModule:
        """The module that predicts."""


def bag_responses(nets: Sequence[TrainedNet], tasks: TaskSet, inputs: Inputs) -> Responses:
    """Return each task's responses, averaged over members and nets.

    Parameters
    ----------
    nets : sequence of TrainedNet
        The bag.
    tasks : TaskSet
        The tasks.
    inputs : mapping of str to ndarray, or Reader
        Encoded rows, or what encodes them when they are asked for.

    Returns
    -------
    Responses
        For each task an ndarray of float64, shape (n_rows, n_columns, loss.width).
    """
    return tasks.split(_of_bag(mean_responses, nets, inputs))


def bag_log_responses(nets: Sequence[TrainedNet], tasks: TaskSet, inputs: Inputs) -> Responses:
    """Return the logarithms of the responses, of tasks whose responses are probabilities.

    Parameters
    ----------
    nets, tasks, inputs
        The same as in `bag_responses`.

    Returns
    -------
    Responses
        For each task an ndarray of float64, shape (n_rows, n_columns, loss.width or more), as
        `RowLoss.log_response` has them.
    """
    return tasks.split(_of_bag(mean_log_responses, nets, inputs))


def bag_predictions(nets: Sequence[TrainedNet], tasks: TaskSet, inputs: Inputs) -> dict[str, Any]:
    """Return what each task predicts, in its labels' own units and dtype.

    Parameters
    ----------
    nets, tasks, inputs
        The same as in `bag_responses`.
    """
    return tasks.decode(_of_bag(mean_decisions, nets, inputs))


def _of_bag(mean: Callable[..., Any], nets: Sequence[TrainedNet], inputs: Inputs) -> list[np.ndarray]:
    modules = [net.evaluated for net in nets]
    found = mean(modules, [net.criterion_.losses for net in nets], rows_for_network(modules[0], inputs))
    return [of_group.numpy() for of_group in found]


def bag_representation(nets: Sequence[TrainedNet], inputs: Inputs) -> np.ndarray:
    """Return the first net's representation of each row, shape (n_rows, width)."""
    module = nets[0].evaluated
    found: np.ndarray = representations(module, rows_for_network(module, inputs)).cpu().numpy()
    return found


def rows_for_network(module: MultiTaskModule, inputs: Inputs) -> InputRows:
    """Return rows where a network is, and in its precision.

    Parameters
    ----------
    module : MultiTaskModule
        The network.
    inputs : mapping of str to ndarray, or Reader
        Encoded rows, or what encodes them when they are asked for.
    """
    device, dtype = module.raw_scale.device, module.raw_scale.dtype
    if isinstance(inputs, Mapping):
        return DeviceRows.from_arrays(inputs, device=device, dtype=dtype)
    if device.type != "cuda" or inputs.is_streamed or inputs.groups is not None:
        return rows_when_read(inputs, device, dtype)
    # Only here: without a GPU no fit needs it.
    from sklearn_mtl.data.to_gpu import RowsToGPU

    # A GPU has seen that numbers are finite long before the host would have.
    if isinstance(inputs, EncodedRows) and inputs.check is not None:
        return RowsToGPU(inputs.unchecked(), device, dtype, check=inputs.check)
    return RowsToGPU(inputs, device, dtype)
