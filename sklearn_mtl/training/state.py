"""A trained net as numpy arrays, and back: what pickles and files hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_mtl.network import PARTS, Blueprint, GeneratorState, in_default_modes, seeded
from sklearn_mtl.network.heads import Heads
from sklearn_mtl.training.kept_weights import Resume, snapshot
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.runs import NetPlan, make_net, make_ready
from sklearn_mtl.training.settings import TrainingSettings

NetState = dict[str, Any]


def pack_net(net: MultiTaskNet) -> NetState:
    """Return a net as arrays, numbers and strings.

    The optimizer's state is left out: training goes on from the weights, with a fresh optimizer.

    Parameters
    ----------
    net : MultiTaskNet
        A trained net.

    Returns
    -------
    dict
        ``weights`` and ``loss``, the states of the module and of its loss; ``facts``, the fit statistics of
        the trunk, under the name that they had when files were first saved; ``history`` and ``epochs``, the
        record of its epochs.
    """
    return {
        "weights": _arrays(net.network.state_dict()),
        "loss": _arrays(net.criterion_.state_dict()),
        "facts": _arrays(net.statistics_),
        "history": net.totals(),
        "epochs": [net.epoch_of(row) for row in net.history],
    }


@in_default_modes
def unpack_net(state: NetState, blueprint: Blueprint, device: torch.device) -> MultiTaskNet:
    """Return a net that `pack_net` has packed.

    Parameters
    ----------
    state : dict
        The result of `pack_net`.
    blueprint : Blueprint
        The blueprint that the net was built from.
    device : torch.device
        The device that it is put on.
    """
    dtype = torch.from_numpy(np.array(state["weights"]["raw_scale"])).dtype
    # When the net is trained on, the plan of that has settings of its own: these only let the net be made.
    settings = TrainingSettings(device=device, dtype=dtype)
    none = torch.zeros((1, len(blueprint.tasks.column_task)), dtype=dtype)
    # Building draws initial weights, which the stored ones replace: torch's generators need no seed.
    with seeded(0, device, alone=True):
        statistics = _tensors(state["facts"])
        built = blueprint.build(statistics)
        built.put_beside({part.name: part.in_state(state["weights"]) for part in PARTS})
        module = _with_state(built.to(dtype), state["weights"])
        loss = _with_state(blueprint.build_loss(none, none), state["loss"])
        module.eval()
        net = make_net(blueprint, module.to(device), loss.to(device), settings)
    net.statistics_ = statistics
    net.restore(state["history"], state["epochs"])
    return net


def untrained_net(plan: NetPlan) -> MultiTaskNet:
    """Return the net of a plan with the weights that its training would begin with.

    Parameters
    ----------
    plan : NetPlan
        The plan of a new net.
    """
    net = make_ready(plan).net
    net.evaluated.eval()
    return net


def with_weights(net: MultiTaskNet, weights: Mapping[str, np.ndarray], blueprint: Blueprint) -> MultiTaskNet:
    """Return a net with other weights; its optimizer begins anew, and its random numbers go on.

    Parameters
    ----------
    net : MultiTaskNet
        The net, which is left as it is.
    weights : mapping of str to ndarray
        The weights that are others, by their names in the state of the module.
    blueprint : Blueprint
        The blueprint that the net was built from.
    """
    packed = pack_net(net)
    state = {**packed, "weights": {**packed["weights"], **weights}}
    found = unpack_net(state, blueprint, torch.device(net.device))
    put_random_numbers(found, random_numbers(net))
    return found


def random_numbers(net: MultiTaskNet) -> list[np.ndarray]:
    """Return where the random generators of a net stand; nothing of one that was not trained."""
    if net.resume_ is None:
        return []
    generator = net.resume_.generator
    return [one.cpu().numpy() for one in (generator.cpu, generator.device) if one is not None]


def put_random_numbers(net: MultiTaskNet, numbers: Sequence[np.ndarray]) -> None:
    """Let a net that is trained on begin with its weights, and random generators that stand elsewhere.

    Parameters
    ----------
    net : MultiTaskNet
        The net.
    numbers : sequence of ndarray
        What `random_numbers` has returned.
    """
    if numbers:
        cpu, *device = (torch.tensor(one) for one in numbers)
        generator = GeneratorState(cpu, device[0] if device else None)
        net.resume_ = Resume(snapshot(net.network), None, generator, None)


def head_tasks(net: MultiTaskNet) -> dict[str, np.ndarray]:
    """Return which task each number of the heads belongs to, by the names in their state.

    Parameters
    ----------
    net : MultiTaskNet
        The net.

    Returns
    -------
    dict of str to ndarray of int
        Positions of tasks, of shapes that are broadcast to those of the parameters.
    """
    heads = net.network.heads
    if not isinstance(heads, Heads):
        raise ValueError(
            "Heads must be those of tasks with a label for each row. Found tasks with one for each position."
        )
    return {name: tasks.cpu().numpy() for name, tasks in heads.tasks_of_parameters().items()}


def as_of_now(net: MultiTaskNet, blueprint: Blueprint) -> MultiTaskNet:
    """Return a net that predicts as one in training would if its training ended now.

    Parameters
    ----------
    net : MultiTaskNet
        The net, which is left as it is.
    blueprint : Blueprint
        The blueprint that the net was built from.
    """
    state = {**pack_net(net), "weights": _arrays(net.evaluated.state_dict())}
    return unpack_net(state, blueprint, torch.device(net.device))


def pack_module(module: nn.Module) -> dict[str, np.ndarray]:
    """Return the weights and buffers of any module as arrays."""
    return _arrays(module.state_dict())


@in_default_modes
def unpack_module(module: nn.Module, arrays: Mapping[str, np.ndarray]) -> nn.Module:
    """Return a copy of a module with other weights and buffers."""
    copy: nn.Module = _with_state(deepcopy(module), arrays)
    return copy


def _with_state(module: nn.Module, state: Mapping[str, np.ndarray]) -> Any:
    module.load_state_dict(_tensors(state))
    return module


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    # Copied: an array of a memory map is read-only, and torch would write to it.
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
