"""Nets of a stack that the optimizer moves together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.network.torch_private import move_each_towards
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.schedules import StepSchedule
from sklearn_mtl.training.steps import fused_step

Named = dict[str, Tensor]


class JointUpdate:
    """Neighbours in a stack that the optimizer updates together in an epoch, all by the same settings.

    Parameters
    ----------
    weights : StackedWeights
        Weights of the whole stack.
    part : slice
        Places of the neighbours in the stack.

    Attributes
    ----------
    n_left : int
        Steps that each has still to take in this epoch.
    bounds : tuple of int
        The first place, and the one after the last.
    """

    def __init__(self, weights: Any, part: slice) -> None:
        self.n_left = 0
        self.bounds = part.start, part.stop
        self._weights = weights
        self._part = part
        self._slots = range(len(weights))[part]
        self._nets = weights.nets[part]
        # Each of the optimizer's groups of parameters has a list of tensors, and a count of steps.
        groups = parameter_groups(self._nets[0])
        self._leaves = [[weights.trained[name] for name in names] for names in groups]
        self._tensors = [
            [[stack[name].detach()[part] for name in names] for names in groups]
            for stack in (weights.trained, weights.first_moments, weights.second_moments)
        ]
        steps = float(weights.steps[self._slots[0]])
        device = next(iter(weights.trained.values())).device
        self._counts = [torch.tensor(steps, device=device) for _ in groups]
        self._moving = [net.run_.average for net in self._nets if net.run_.average is not None]
        self._averages = [tensor[part] for tensor in weights.averages.values()]
        of_module = below(weights.trained, "module.")
        self._latest = [of_module[name].detach()[part] for name in weights.averages]
        self._schedules = [(net, schedule) for net in self._nets for schedule in _schedules(net)]

    @property
    def n_rates(self) -> int:
        """How many numbers `next_rates` returns."""
        return len(self._leaves) + bool(self._moving)

    def next_rates(self) -> list[float]:
        """Count one more step; return the rates of the optimizer's groups, and that of the average."""
        self.n_left -= 1
        for net, schedule in self._schedules:
            schedule.before_step(net)
        for slot in self._slots:
            self._weights.steps[slot] += 1
        rates = [group["lr"] for group in self._nets[0].optimizer_.param_groups]
        if self._moving:
            first, *others = self._moving
            rates.append(first.next_share())
            for average in others:
                average.steps = first.steps
        return rates

    @torch.no_grad()
    def move(self, rates: Sequence[Any]) -> None:
        """Make a step of AdamW, and of the moving average, by what `next_rates` has returned."""
        for number, group in enumerate(self._nets[0].optimizer_.param_groups):
            self._step_group(number, {**group, "lr": rates[number]})
        if self._moving:
            move_each_towards(self._averages, self._latest, rates[-1])

    def _step_group(self, number: int, group: dict[str, Any]) -> None:
        """Update one of the optimizer's groups of parameters; a parameter without gradient stays."""
        leaves, count = self._leaves[number], self._counts[number]
        with_gradient = [i for i, leaf in enumerate(leaves) if leaf.grad is not None]
        trained, first, second = (
            [of_groups[number][i] for i in with_gradient] for of_groups in self._tensors
        )
        gradients = [gradient[self._part] for leaf in leaves if (gradient := leaf.grad) is not None]
        fused_step(trained, gradients, first, second, [count] * len(trained), group)


def trained_parameters(net: MultiTaskNet) -> dict[str, nn.Parameter]:
    """Return what is trained of a net's module and criterion, by name."""
    parts = {"module": net.network, "criterion": net.criterion_}
    return {
        f"{part}.{name}": parameter
        for part, module in parts.items()
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }


def parameter_groups(net: MultiTaskNet) -> list[list[str]]:
    """Return the names of what is trained in each group of a net's optimizer."""
    names = {id(parameter): name for name, parameter in trained_parameters(net).items()}
    return [
        [names[id(parameter)] for parameter in group["params"] if id(parameter) in names]
        for group in net.optimizer_.param_groups
    ]


def below(tensors: Named, prefix: str) -> Named:
    """Return the tensors whose names begin with a prefix, by the rest of the name."""
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def settings_of(net: MultiTaskNet) -> Hashable:
    """Return what nets must have in common to be updated together."""
    schedules = _schedules(net)
    moving = tuple((schedule.factor, schedule.step_) for schedule in schedules)
    groups = net.optimizer_.param_groups
    # A schedule sets the rates anew before each step: what it multiplies counts, not what it left.
    rates = schedules[0].rates_ if schedules else [group["lr"] for group in groups]
    others = tuple((group["betas"], group["eps"], group["weight_decay"]) for group in groups)
    average = None if net.run_.average is None else (net.run_.average.decay, net.run_.average.steps)
    return (tuple(rates), others, moving, average)


def _schedules(net: MultiTaskNet) -> list[StepSchedule]:
    return [callback for _, callback in net.callbacks_ if isinstance(callback, StepSchedule)]
