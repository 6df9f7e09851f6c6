"""Which members of an ensemble are kept: chosen one after the other by labelled rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.inference.bag import Inputs, TrainedNet, rows_for_network
from sklearn_mtl.inference.prediction import raw_outputs
from sklearn_mtl.network import in_default_modes
from sklearn_mtl.tasks import TaskLosses


@in_default_modes
def best_members(
    net: TrainedNet, inputs: Inputs, y: np.ndarray, weight: np.ndarray, n_members: int
) -> list[int]:
    """Return the members of a net that predict best together, in their order.

    The first is the best alone; each further one is that which makes the average of all chosen best
    (Caruana et al. 2004, "Ensemble selection from libraries of models", section 2, without replacement).

    Parameters
    ----------
    net : TrainedNet
        A net of several members.
    inputs : mapping of str to ndarray, or Reader
        Encoded rows.
    y, weight : ndarray of float64, shape (rows, n_columns)
        Their encoded targets and cell weights.
    n_members : int
        How many to choose.
    """
    raw, losses = _raw(net, inputs)
    loss_of = _loss(net, y, weight)
    return _chosen(raw.shape[1], n_members, lambda some: loss_of(losses.responses(raw[:, some])))


@in_default_modes
def best_nets(
    nets: Sequence[TrainedNet], inputs: Inputs, y: np.ndarray, weight: np.ndarray, n_nets: int
) -> list[int]:
    """Return the nets of a bag that predict best together, in their order, chosen as members are.

    Parameters
    ----------
    nets : sequence of TrainedNet
        The bag.
    inputs, y, weight
        The same as in `best_members`.
    n_nets : int
        How many to choose.
    """
    of_nets = [losses.responses(raw) for raw, losses in (_raw(net, inputs) for net in nets)]
    loss_of = _loss(nets[0], y, weight)

    def loss(some: list[int]) -> float:
        chosen = [of_nets[net] for net in some]
        return loss_of([torch.stack(parts).mean(0) for parts in zip(*chosen, strict=True)])

    return _chosen(len(nets), n_nets, loss)


def _raw(net: TrainedNet, inputs: Inputs) -> tuple[Tensor, TaskLosses]:
    raw = raw_outputs(net.evaluated, rows_for_network(net.evaluated, inputs))
    losses: TaskLosses = net.criterion_.losses
    return raw.cpu().double(), losses


def _loss(net: TrainedNet, y: np.ndarray, weight: np.ndarray) -> Callable[[list[Tensor]], float]:
    """Return what gives the mean of scale-free losses over the tasks of positive weight with a label."""
    labels, mass = torch.from_numpy(y), torch.from_numpy(np.array(weight))
    counts = net.criterion_.weights.cpu() > 0
    losses: TaskLosses = net.criterion_.losses

    def loss(responses: list[Tensor]) -> float:
        total, known = losses.response_sums(responses, labels, mass)
        of_tasks = (total / known)[counts & (known > 0)]
        return float(of_tasks.mean())

    return loss


def _chosen(n_all: int, n: int, loss: Callable[[list[int]], float]) -> list[int]:
    found: list[int] = []
    while len(found) < n:
        others = [one for one in range(n_all) if one not in found]
        found.append(min(others, key=lambda one: loss([*found, one])))
    return sorted(found)
