"""The weights of many nets, one stack for each tensor, which the nets' own modules look into."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.stacking.batches import padded
from sklearn_mtl.training.stacking.joint_update import JointUpdate, below, settings_of, trained_parameters
from sklearn_mtl.training.steps import clip_gradients

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
    updates : list of JointUpdate
        What moves the nets in this epoch, those together that are moved alike.
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
        self.updates: list[JointUpdate] = []
        self._attach()

    def __len__(self) -> int:
        """Return the number of nets."""
        return len(self.nets)

    def of_module(self, *, averaged: bool) -> Named:
        """Return the stacked tensors that a forward pass needs, by their names in the module."""
        latest = below(self.trained, "module.")
        return {**latest, **(self.averages if averaged else {}), **self.fixed}

    def of_balancer(self) -> Named:
        """Return the stacked learned parameters of the balancers, by their names in one."""
        return below(self.trained, "criterion.balancer.")

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
            (settings_of(net), steps, of_net)
            for net, steps, of_net in zip(self.nets, self.steps, n_batches, strict=True)
        ]
        found = []
        for (_, _, of_each), alike in groupby(range(len(self)), keys.__getitem__):
            slots = list(alike)
            found.append((slots[0], slots[-1] + 1, of_each))
        if [(start, stop) for start, stop, _ in found] != [update.bounds for update in self.updates]:
            self.updates = [JointUpdate(self, slice(start, stop)) for start, stop, _ in found]
        for update, (_, _, of_each) in zip(self.updates, found, strict=True):
            update.n_left = of_each

    def step(self) -> None:
        """Make one step with the nets that have a batch left."""
        for update in self.updates:
            if update.n_left:
                update.move(update.next_rates())

    @property
    def all_move(self) -> bool:
        """Whether all nets have a batch left in this epoch."""
        return all(update.n_left for update in self.updates)

    def next_rates(self) -> list[float]:
        """Count one more step of all nets; return the rates by which `move` moves them."""
        return [rate for update in self.updates for rate in update.next_rates()]

    def move(self, rates: Sequence[Any]) -> None:
        """Move the weights of all nets, and their averages.

        Parameters
        ----------
        rates : sequence of float, or of tensor of shape ()
            What `next_rates` has returned.
        """
        start = 0
        for update in self.updates:
            update.move(rates[start : start + update.n_rates])
            start += update.n_rates

    def lend_moments(self, slot: int) -> None:
        """Give a net's optimizer its part of the moments, which change with the next step."""
        net = self.nets[slot]
        # On the device, where the optimizer's own are, and from where it takes them.
        step = next(iter(self.trained.values())).new_tensor(float(self.steps[slot]), dtype=torch.float32)
        for name, parameter in trained_parameters(net).items():
            net.optimizer_.state[parameter] = {
                "step": step.clone(),
                "exp_avg": _corner(self.first_moments[name][slot], parameter),
                "exp_avg_sq": _corner(self.second_moments[name][slot], parameter),
            }

    def release(self, slot: int) -> None:
        """Give a net tensors of its own, as they are now, and its optimizer the moments."""
        net = self.nets[slot]
        self.lend_moments(slot)
        for parameter in trained_parameters(net).values():
            # A view would keep the tensors of the whole stack in memory, and change with them.
            parameter.data = parameter.data.clone()
            state = net.optimizer_.state[parameter]
            state.update({key: state[key].clone() for key in ("exp_avg", "exp_avg_sq")})
        for tensor in _averages(net).values():
            tensor.data = tensor.data.clone()

    def keep(self, slots: Sequence[int]) -> None:
        """Go on with some of the nets, the others having been released."""
        index = torch.tensor(slots, device=next(iter(self.trained.values())).device)
        self.nets = [self.nets[slot] for slot in slots]
        self.updates = []
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
        stacked = padded(tensors)
        # One answer for all nets: on a GPU the host waits for each that it asks for.
        if len({tensor.shape for tensor in tensors}) > 1 or not torch.equal(
            stacked, first.expand_as(stacked)
        ):
            found[name] = stacked
    return found


def _untrained(net: MultiTaskNet) -> Named:
    module = net.network
    frozen = {name: value for name, value in module.named_parameters() if not value.requires_grad}
    return {**frozen, **dict(module.named_buffers())}


def _stacked_by_name(of_nets: Sequence[dict[str, Any]]) -> Named:
    return {name: padded([of_net[name].detach() for of_net in of_nets]) for name in of_nets[0]}


def _corner(part: Tensor, like: Tensor) -> Tensor:
    return part[tuple(slice(size) for size in like.shape)]


def _steps_so_far(net: MultiTaskNet) -> int:
    states = [net.optimizer_.state.get(parameter) for parameter in trained_parameters(net).values()]
    return max((int(state["step"]) for state in states if state), default=0)
