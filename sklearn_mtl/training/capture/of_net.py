"""The steps of one net that is trained by itself on a GPU."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from sklearn_mtl.balancing import (
    DTP,
    DWA,
    GLS,
    IMTLL,
    RLW,
    STCH,
    Balancer,
    StaticWeights,
    UncertaintyWeighting,
    WeightSchedule,
)
from sklearn_mtl.data import Batch, WholeBatches
from sklearn_mtl.network import is_known, is_patched
from sklearn_mtl.network.torch_private import has_hooks
from sklearn_mtl.training.callback_events import is_of_the_user
from sklearn_mtl.training.capture.graph import RECORDED_ON
from sklearn_mtl.training.capture.replayed import Rates, ReplayedSteps
from sklearn_mtl.training.distributed.processes import ACTIVE
from sklearn_mtl.training.steps import FusedAdamW, Step

# What these do in a step depends on tensors alone. Of a balancer that counts steps in Python, or asks for the
# value of a loss, the first step would be repeated.
BALANCERS: frozenset[type[Balancer]] = frozenset(
    {DTP, DWA, GLS, IMTLL, RLW, STCH, StaticWeights, UncertaintyWeighting, WeightSchedule}
)


class StepsOfNet:
    """The steps of a net's training, replayed where that is known to come to the same.

    Parameters
    ----------
    net : MultiTaskNet
        A net whose training has begun.
    epochs : int
        Most epochs of the training.
    """

    def __init__(self, net: Any, epochs: int) -> None:
        self._net = net
        self._epochs = epochs
        said = say_not_recorded if net.verbose else None
        self._replayed = ReplayedSteps(self._whole_step, self._key, torch.device(net.device), said)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave it out of copies of a net: what is recorded is of this net's tensors alone."""
        return type(None), ()

    def epoch(self, batches: WholeBatches) -> Iterator[Any]:
        """Begin an epoch; iterate over its batches."""
        self._replayed.begin_epoch(batches.sizes, self._epochs)
        self._epochs -= 1
        return batches.pending(batches.order() if batches.shuffle else None)

    def __call__(self, batch: Any, **fit_params: Any) -> Step:
        """Make a step of the optimizer and of the moving average."""
        average = self._net.run_.average
        rates = [group["lr"] for group in self._net.optimizer_.param_groups]
        if average is not None:
            rates.append(average.next_share())
        losses, masses = self._replayed(batch, (), rates)
        return {"task_loss": losses, "task_mass": masses}

    def _whole_step(self, batch: Batch, masks: Sequence[Tensor], rates: Rates) -> tuple[Tensor, Tensor]:
        net = self._net
        with _at(net.optimizer_.param_groups, rates), _buffers_in_place((net.network, net.criterion_)):
            step = net.train_step(batch)
        if net.run_.average is not None:
            net.run_.average.update(rates[-1])
        return step["task_loss"], step["task_mass"]

    def _key(self) -> Hashable:
        """Return what a recording depends on and a callback may have changed between two epochs."""
        net, optimizer = self._net, self._net.optimizer_
        parts = [net.network, net.criterion_]
        if net.run_.average is not None:
            parts.append(net.run_.average.module)
        tensors = [tensor for part in parts for tensor in (*part.parameters(), *part.buffers())]
        states = [value for state in optimizer.state.values() for value in state.values()]
        groups = [(group["betas"], group["eps"], group["weight_decay"]) for group in optimizer.param_groups]
        return (
            tuple((tensor.data_ptr(), tensor.requires_grad) for tensor in (*tensors, *states)),
            tuple(groups),
            net.gradient_clip,
            id(net.criterion_.losses),
        )


@contextmanager
def replaying(net: Any, epochs: int | None) -> Iterator[None]:
    """Let a net have `StepsOfNet` inside the block, on a device on which that pays and where it is safe.

    Parameters
    ----------
    net : MultiTaskNet
        A net whose training has begun.
    epochs : int or None
        Most epochs of the training; those that the net is set to by default.
    """
    if torch.device(net.device).type in RECORDED_ON:
        reason = why_not_recorded(net)
        net.replayed = StepsOfNet(net, epochs or net.max_epochs) if reason is None else None
        if reason is not None and net.verbose:
            say_not_recorded(reason)
    try:
        yield
    finally:
        if net.replayed is not None:
            net.replayed = None
            # Gradients that lie in the memory of a graph would keep all of it.
            net.optimizer_.zero_grad()


def say_not_recorded(reason: str) -> None:
    """Write why steps are not recorded, where progress is shown."""
    tqdm.write(f"Steps are not recorded as a CUDA graph, which would make them faster: {reason}.")


def why_not_recorded(net: Any) -> str | None:
    """Return in words why the steps of a net cannot be recorded; None where they can.

    Parameters
    ----------
    net : MultiTaskNet
        The net, its callbacks made.
    """
    balancer = net.criterion_.balancer
    unknown = next(
        (part for part in (*net.network.modules(), *net.criterion_.modules()) if not _is_safe(part)), None
    )
    if not isinstance(net.optimizer_, FusedAdamW):
        return f"the optimizer is {type(net.optimizer_).__name__}, and not AdamW"
    if net.compile:
        return "the network is compiled"
    if ACTIVE.get() is not None:
        return "several processes make them together"
    if any(parameter.dtype == torch.float64 for parameter in net.network.parameters()):
        return "weights are of float64, and the rates of a recorded step are of float32"
    if net.conflict_ is not None:
        return "`gradient_conflict` looks into steps"
    if net.has_step_callbacks:
        return "a callback listens to steps"
    if any(is_of_the_user(one) and not _is_of_skorch(one) for _, one in net.callbacks_):
        return "a callback is of your own, and may change anything"
    if type(balancer) not in BALANCERS:
        return f"{type(balancer).__name__} is not known to do the same in every step"
    if unknown is not None:
        return f"{type(unknown).__name__} is not known to do the same in every step"
    return None


def _is_of_skorch(callback: Any) -> bool:
    return type(callback).__module__.partition(".")[0] == "skorch"


def _is_safe(part: nn.Module) -> bool:
    """Whether a module is this package's or torch's, as it comes."""
    of_torch = type(part).__module__.startswith("torch.nn.modules.") and not is_patched(part)
    return (is_known(part) or of_torch) and not has_hooks(part)


@contextmanager
def _at(groups: Sequence[dict[str, Any]], rates: Rates) -> Iterator[None]:
    """Let an optimizer move at some rates, which may be tensors, inside the block."""
    before = [group["lr"] for group in groups]
    for group, rate in zip(groups, rates, strict=False):
        group["lr"] = rate
    try:
        yield
    finally:
        for group, rate in zip(groups, before, strict=True):
            group["lr"] = rate


@contextmanager
def _buffers_in_place(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Let buffers stay the tensors that they are: those that are set anew in the block are copied into them.

    A step that is replayed reads where the first one has read.
    """
    before = [
        (part, name, buffer)
        for module in modules
        for part in module.modules()
        for name, buffer in _own_buffers(part).items()
    ]
    try:
        yield
    finally:
        for part, name, buffer in before:
            after = getattr(part, name)
            if after is not buffer:
                buffer.copy_(after)
                setattr(part, name, buffer)


def _own_buffers(part: nn.Module) -> Mapping[str, Tensor]:
    return dict(part.named_buffers(recurse=False))
