"""The state of a net: all that its further training depends on, as plain values and tensors, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_mtl.network import GeneratorState
from sklearn_mtl.training.checkpoints.own_state import own_state, put_own_state
from sklearn_mtl.training.kept_weights import KeptWeights, Resume, TrainingRun
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.parameter_groups import unfreeze
from sklearn_mtl.training.steps import WeightAverage

NetState = dict[str, Any]


def state_in_training(net: MultiTaskNet, generator: GeneratorState) -> NetState:
    """Return the state of a net between two epochs.

    Parameters
    ----------
    net : MultiTaskNet
        The net; what is returned has its tensors, not copies of them.
    generator : GeneratorState
        Where its random generators stand.
    """
    run = net.run_
    return {
        **_of_net(net),
        "average": _of_average(run.average),
        "kept": _of_kept(run.kept),
        "generator": _of_generator(generator),
    }


def state_at_end(net: MultiTaskNet) -> NetState:
    """Return the state of a net whose training has ended in good order, before it is finished."""
    resume = net.resume_
    assert resume is not None
    return {
        **_of_net(net),
        "resume": {
            "weights": resume.weights,
            "average": _of_average(resume.average),
            "kept": _of_kept(resume.kept),
            "generator": _of_generator(resume.generator),
        },
    }


def put_into_training(net: MultiTaskNet, state: NetState) -> None:
    """Bring a net, whose training has just begun, to where another one was between two epochs.

    Parameters
    ----------
    net : MultiTaskNet
        A net of the same plan.
    state : dict
        The result of `state_in_training`.
    """
    _put_net(net, state)
    run = net.run_
    if run.average is not None:
        _put_average(run.average, state["average"])
    run.kept = _kept(state["kept"])
    run.n_over = len(net.history)
    unfreeze(net.optimizer_.param_groups, len(net.history))
    net._look_at_shared(net.n_steps)


def put_at_end(net: MultiTaskNet, state: NetState) -> None:
    """Bring a net to where another one was at the end of its training.

    Parameters
    ----------
    net : MultiTaskNet
        A net of the same plan.
    state : dict
        The result of `state_at_end`.
    """
    _put_net(net, state)
    found = state["resume"]
    average = None
    if found["average"] is not None:
        assert net.ema_decay is not None
        average = WeightAverage(net.network, net.ema_decay)
        _put_average(average, found["average"])
    net.run_ = TrainingRun()
    net.resume_ = Resume(found["weights"], average, generator_of(found["generator"]), _kept(found["kept"]))


def generator_of(state: Mapping[str, Any]) -> GeneratorState:
    """Return the state of generators that is in the state of a net."""
    device = state["device"]
    return GeneratorState(state["cpu"].cpu(), None if device is None else device.cpu())


def _of_net(net: MultiTaskNet) -> NetState:
    epochs = [net.epoch_of(row) for row in net.history]
    return {
        "module": _of_module(net.network),
        "loss": _of_module(net.criterion_),
        "optimizer": net.optimizer_.state_dict(),
        "rows": net.totals(),
        "epochs": {key: _column(key, epochs) for key in dict.fromkeys(key for row in epochs for key in row)},
        "own": own_state(net),
    }


def _put_net(net: MultiTaskNet, state: NetState) -> None:
    _put_module(net.network, state["module"])
    _put_module(net.criterion_, state["loss"])
    net.optimizer_.load_state_dict(state["optimizer"])
    rows = state["rows"]
    epochs: list[dict[str, np.ndarray]] = [{} for _ in rows]
    for key, (places, values) in state["epochs"].items():
        for place, value in zip(places.tolist(), values, strict=True):
            epochs[place][key] = value
    net.restore(rows, epochs)
    put_own_state(net, state["own"])


def _column(key: str, epochs: Sequence[Mapping[str, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return what is known of all epochs under a key, and of which."""
    places = [place for place, row in enumerate(epochs) if key in row]
    return np.array(places), np.stack([epochs[place][key] for place in places])


def _of_module(module: nn.Module) -> dict[str, Any]:
    # Buffers that are not written into files of weights may still be what the next step depends on.
    parameters = dict(module.named_parameters())
    return {
        "parameters": parameters,
        "trained": [name for name, parameter in parameters.items() if parameter.requires_grad],
        "buffers": dict(module.named_buffers()),
    }


@torch.no_grad()
def _put_module(module: nn.Module, state: Mapping[str, Any]) -> None:
    trained = set(state["trained"])
    for name, parameter in module.named_parameters():
        parameter.copy_(state["parameters"][name])
        parameter.requires_grad_(name in trained)
    for name, buffer in list(module.named_buffers()):
        value = state["buffers"][name]
        if value.shape != buffer.shape:
            # What a balancer remembers may have another shape than at first.
            part, _, key = name.rpartition(".")
            setattr(module.get_submodule(part), key, value)
        elif not torch.equal(value, buffer):
            # Those that never change may be views that can't be written to.
            buffer.copy_(value)


def _of_average(average: WeightAverage | None) -> dict[str, Any] | None:
    return None if average is None else {"module": _of_module(average.module), "steps": average.steps}


def _put_average(average: WeightAverage, state: Mapping[str, Any]) -> None:
    _put_module(average.module, state["module"])
    average.steps = state["steps"]


def _of_kept(kept: KeptWeights | None) -> dict[str, Any] | None:
    return None if kept is None else dict(vars(kept))


def _kept(state: Mapping[str, Any] | None) -> KeptWeights | None:
    return None if state is None else KeptWeights(**state)


def _of_generator(generator: GeneratorState) -> dict[str, Tensor | None]:
    return {"cpu": generator.cpu, "device": generator.device}
