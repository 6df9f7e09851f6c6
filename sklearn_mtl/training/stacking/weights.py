"""The weights of many nets, one stack for each tensor, which the nets' own modules look into."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.schedules import StepSchedule
from sklearn_mtl.training.stacking.batches import padded
from sklearn_mtl.training.steps import clip_gradients, fused_step

Named = dict[str, Tensor]


class StackedWeights:
    """Trained tensors of many nets, their moving averages, and the moments of AdamW.

    While a net is in the stack its own parameters are views of its part of each tensor: whatever reads or
    keeps its weights, as callbacks do, sees them as they are. A tensor that is narrower in one net than in
    another, as the first layer is where encoded widths differ, lies in the corner of its part; the rest is
    0, and stays so, as its inputs are 0.

    Parameters
    ----------
    nets : sequence of MultiTaskNet
        Nets of one structure, with AdamW, ready to be trained.

    Attributes
    ----------
    trained, averages, fixed : dict of str to tensor, each of shape (networks, ...)
        What is trained, by its name with ``module.`` or ``criterion.`` before it; moving averages, and what
        is neither trained nor the same in all nets, by the names in the module.
    first_moments, second_moments : dict of str to tensor, each of shape (networks, ...)
        Moments of AdamW, by the names of ``trained``.
    steps : list of int
        Steps of the optimizer that each net has taken.
    """

    def __init__(self, nets: Sequence[MultiTaskNet]) -> None:
        self.nets = list(nets)
        self.trained = _stacked_by_name([trained_parameters(net) for net in self.nets])
        for tensor in self.trained.values():
            tensor.requires_grad_()
        self.fixed = _fixed(self.nets)
        self.averages = _stacked_by_name([_averages(net) for net in self.nets])
        self.first_moments, self.second_moments = (self._moments(key) for key in ("exp_avg", "exp_avg_sq"))
        self.steps = [_steps_so_far(net) for net in self.nets]
        self._updates: list[JointUpdate] = []
        self._attach()

    def __len__(self) -> int:
        """Return the number of nets."""
        return len(self.nets)

    def of_module(self, *, averaged: bool) -> Named:
        """Return the stacked tensors that a forward pass needs, by their names in the module."""
        latest = _below(self.trained, "module.")
        return {**latest, **(self.averages if averaged else {}), **self.fixed}

    def of_balancer(self) -> Named:
        """Return the stacked learned parameters of the balancers, by their names in one."""
        return _below(self.trained, "criterion.balancer.")

    def shared_in_all(self) -> list[Tensor]:
        """Return the stacked parameters that several tasks of a net train."""
        net = self.nets[0]
        shared = {id(parameter) for parameter in net.network.sharing.shared_parameters()}
        names = [name for name, own in trained_parameters(net).items() if id(own) in shared]
        return [self.trained[name] for name in names]

    def clear_gradients(self) -> None:
        """Forget the gradients of the last step."""
        for tensor in self.trained.values():
            tensor.grad = None

    def bounds(self, largest: Sequence[float | None]) -> Tensor | None:
        """Return the largest norm of each net's gradient as a tensor; None where none is bounded."""
        if all(norm is None for norm in largest):
            return None
        numbers = [float("inf") if norm is None else norm for norm in largest]
        return next(iter(self.trained.values())).new_tensor(numbers)

    def clip(self, bounds: Tensor | None) -> None:
        """Scale each net's gradient down to a largest norm, as `bounds` returned them."""
        if bounds is None:
            return
        clip_gradients([tensor.grad for tensor in self.trained.values() if tensor.grad is not None], bounds)

    def begin_epoch(self, n_batches: Sequence[int]) -> None:
        """Find out which nets are updated together in this epoch.

        Those are neighbours of the same settings, number of steps and batches.

        Parameters
        ----------
        n_batches : sequence of int
            Steps that each net takes in the epoch.
        """
        keys = [
            (_settings(net), steps, of_net)
            for net, steps, of_net in zip(self.nets, self.steps, n_batches, strict=True)
        ]
        self._updates = []
        for (_, _, of_each), alike in groupby(range(len(self)), keys.__getitem__):
            slots = list(alike)
            self._updates.append(JointUpdate(self, slice(slots[0], slots[-1] + 1), of_each))

    @torch.no_grad()
    def step(self) -> None:
        """Make one step with the nets that have a batch left."""
        for update in self._updates:
            if update.n_left:
                update.step()

    def release(self, slot: int) -> None:
        """Give a net tensors of its own, as they are now, and its optimizer the moments."""
        net = self.nets[slot]
        # On the device, where the optimizer's own are, and from where it takes them.
        step = next(iter(self.trained.values())).new_tensor(float(self.steps[slot]), dtype=torch.float32)
        for name, parameter in trained_parameters(net).items():
            # A view would keep the tensors of the whole stack in memory, and change with them.
            parameter.data = parameter.data.clone()
            net.optimizer_.state[parameter] = {
                "step": step.clone(),
                "exp_avg": _corner(self.first_moments[name][slot], parameter).clone(),
                "exp_avg_sq": _corner(self.second_moments[name][slot], parameter).clone(),
            }
        for tensor in _averages(net).values():
            tensor.data = tensor.data.clone()

    def keep(self, slots: Sequence[int]) -> None:
        """Go on with some of the nets, the others having been released."""
        index = torch.tensor(slots, device=next(iter(self.trained.values())).device)
        self.nets = [self.nets[slot] for slot in slots]
        self.steps = [self.steps[slot] for slot in slots]
        trained = [trained_parameters(net) for net in self.nets]
        averages, fixed = [_averages(net) for net in self.nets], [_untrained(net) for net in self.nets]
        for stack, own in (
            (self.trained, trained),
            (self.first_moments, trained),
            (self.second_moments, trained),
            (self.averages, averages),
            (self.fixed, fixed),
        ):
            for name, tensor in stack.items():
                # The widest may have left, and batches are as wide as the widest that stayed.
                widest = map(max, zip(*(of_net[name].shape for of_net in own), strict=True))
                part = (slice(None), *(slice(size) for size in widest))
                stack[name] = tensor.detach().index_select(0, index)[part].contiguous()
        for tensor in self.trained.values():
            tensor.requires_grad_()
        self._attach()

    def _attach(self) -> None:
        """Make the nets' own parameters and averages views of the stacks."""
        for slot, net in enumerate(self.nets):
            for own, stack in ((trained_parameters(net), self.trained), (_averages(net), self.averages)):
                for name, tensor in own.items():
                    # By `.data` a parameter stays the object that optimizer, balancer and callbacks hold.
                    # What is written to the stack in place is seen by the net; a stack that is replaced by
                    # another tensor must be attached again.
                    tensor.data = _corner(stack[name].detach()[slot], tensor)

    def _moments(self, key: str) -> Named:
        found = {name: torch.zeros_like(tensor, requires_grad=False) for name, tensor in self.trained.items()}
        for slot, net in enumerate(self.nets):
            for name, parameter in trained_parameters(net).items():
                if key in net.optimizer_.state.get(parameter, {}):
                    _corner(found[name][slot], parameter).copy_(net.optimizer_.state[parameter][key])
        return found


class JointUpdate:
    """Neighbours in a stack that the optimizer updates together in an epoch, all by the same settings.

    Parameters
    ----------
    weights : StackedWeights
        Weights of the whole stack.
    part : slice
        Places of the neighbours in the stack.
    n_batches : int
        Steps that each takes in this epoch.
    """

    def __init__(self, weights: StackedWeights, part: slice, n_batches: int) -> None:
        self.n_left = n_batches
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
        of_module = _below(weights.trained, "module.")
        self._latest = [of_module[name].detach()[part] for name in weights.averages]
        self._schedules = [(net, schedule) for net in self._nets for schedule in _schedules(net)]

    def step(self) -> None:
        """Make a step of AdamW, and of the moving average."""
        self.n_left -= 1
        for net, schedule in self._schedules:
            schedule.before_step(net)
        for number, group in enumerate(self._nets[0].optimizer_.param_groups):
            self._step_group(number, group)
        for slot in self._slots:
            self._weights.steps[slot] += 1
        if self._moving:
            first, *others = self._moving
            first.move(self._averages, self._latest)
            for average in others:
                average.steps = first.steps

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


def _averages(net: MultiTaskNet) -> Named:
    """Return the averages of the trained parameters; none where there is no average."""
    if net.run_.average is None:
        return {}
    trained = {name for name, value in net.network.named_parameters() if value.requires_grad}
    return {name: value for name, value in net.run_.average.module.named_parameters() if name in trained}


def _fixed(nets: Sequence[MultiTaskNet]) -> Named:
    """Return buffers and frozen parameters of the modules that are not the same in all nets."""
    of_nets = [_untrained(net) for net in nets]
    found = {}
    for name, first in of_nets[0].items():
        tensors = [of_net[name].detach() for of_net in of_nets]
        if not all(tensor.shape == first.shape and torch.equal(tensor, first) for tensor in tensors):
            found[name] = padded(tensors)
    return found


def _untrained(net: MultiTaskNet) -> Named:
    module = net.network
    frozen = {name: value for name, value in module.named_parameters() if not value.requires_grad}
    return {**frozen, **dict(module.named_buffers())}


def _stacked_by_name(of_nets: Sequence[dict[str, Any]]) -> Named:
    return {name: padded([of_net[name].detach() for of_net in of_nets]) for name in of_nets[0]}


def _corner(part: Tensor, like: Tensor) -> Tensor:
    return part[tuple(slice(size) for size in like.shape)]


def _below(tensors: Named, prefix: str) -> Named:
    """Return the tensors whose names begin with a prefix, by the rest of the name."""
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _steps_so_far(net: MultiTaskNet) -> int:
    states = [net.optimizer_.state.get(parameter) for parameter in trained_parameters(net).values()]
    return max((int(state["step"]) for state in states if state), default=0)


def _settings(net: MultiTaskNet) -> Hashable:
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
