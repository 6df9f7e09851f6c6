"""The losses of many nets, and what their balancers make of them, with a leading network axis."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from sklearn_mtl.balancing.balancer import LossBalancer, differentiated, put_gradients
from sklearn_mtl.network.balanced_loss import BalancedLoss
from sklearn_mtl.network.generators import is_known
from sklearn_mtl.tasks import StepLosses, TaskLosses
from sklearn_mtl.training.recording import to_numbers
from sklearn_mtl.training.stacking.module import tensor_slots

Named = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class StackedLoss:
    """The losses and the balancers of many nets, as `training_step` takes those of one.

    Parameters
    ----------
    losses : TaskLosses or StackedLosses
        The losses of the tasks, with a leading network axis.
    weights : tensor of shape (networks, tasks)
        The task weights.
    balancer : StackedBalancer
        The balancers.
    """

    losses: TaskLosses | StackedLosses
    weights: Tensor
    balancer: StackedBalancer

    @cached_property
    def weights_as_numbers(self) -> np.ndarray:
        """The task weights on the host, to which they are copied once."""
        return to_numbers(self.weights)

    @classmethod
    def of(cls, criteria: Sequence[BalancedLoss]) -> StackedLoss:
        """Return those of nets, of which those with equal losses are next to each other."""
        weights = torch.stack([criterion.weights for criterion in criteria])
        losses = _stacked([criterion.losses for criterion in criteria])
        return cls(losses, weights, StackedBalancer([criterion.balancer for criterion in criteria]))


class StackedBalancer:
    """Balancers as one, each with the learned parameters and buffers that it would have alone.

    During an epoch a net's own buffers are views of the stacked ones, so that its ``end_epoch`` finds what
    the steps have made of them; what that makes of them is stacked when the next epoch begins.

    Parameters
    ----------
    balancers : sequence of LossBalancer
        Balancers of one class and with equal parameters; the first is the pattern.

    Attributes
    ----------
    learned : dict of str to tensor, each of shape (networks, ...)
        Learned parameters.
    buffers, after : dict of str to tensor, each of shape (networks, ...)
        Buffers, and what a step has made of them, which is kept or not.
    """

    def __init__(self, balancers: Sequence[LossBalancer]) -> None:
        self.pattern = deepcopy(balancers[0])
        self.has_after_step = self.pattern.has_after_step
        self._own = list(balancers)
        self._slots = tensor_slots(self.pattern)
        self._names = [name for name, _ in self.pattern.named_buffers()]
        self._n_steps: Tensor | None = None
        self.learned: Named = {}
        self.buffers = self._stacked()
        self.after: Named = {}

    def backward(
        self,
        losses: StepLosses | StackedStepLosses,
        weights: Tensor,
        penalty: Tensor | None,
        shared: Sequence[Tensor] = (),
    ) -> Tensor:
        """Put gradients on all parameters, as `LossBalancer.backward` does for one net.

        ``learned`` are the parameters that the balancers have by then; ``after`` are their buffers after it.
        """
        taking_part = self.pattern.taking_part(weights, losses.mass)
        total, rates = self._differentiate(losses.values, taking_part)
        put_gradients(losses.raw, losses.gradient(rates), penalty)
        return total if penalty is None else total + penalty.detach()

    def _differentiate(self, losses: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        if not self.learned and not self._names:
            return self.pattern.differentiate(losses, weights)

        def balanced(own: Tensor) -> Tensor:
            state = {**self.learned, **_cloned(self.buffers)}
            total: Tensor
            total, self.after = vmap(self._call)(state, own, weights)
            return total

        return differentiated(balanced, losses)

    @torch.no_grad()
    def after_step(self, losses: Tensor) -> None:
        """Call each net's ``after_step``: ``after`` are then the buffers after that.

        Parameters
        ----------
        losses : tensor of shape (networks, tasks)
            What the nets' functions of losses return.
        """
        # Clones, as nothing but buffers can be changed.
        self.after = vmap(self._look)(_cloned({**self.learned, **self.after}), losses)

    def begin_epoch(self, n_steps: Sequence[int]) -> None:
        """Stack the nets' own buffers, and make these views of the stack.

        Parameters
        ----------
        n_steps : sequence of int
            Steps that each net takes in this epoch.
        """
        if not self._names:
            return
        for name, found in self._stacked().items():
            # In place where that is possible: a step that was recorded reads them where they are.
            same = found.shape == self.buffers[name].shape
            self.buffers[name] = self.buffers[name].copy_(found) if same else found
        for slot, balancer in enumerate(self._own):
            slots = tensor_slots(balancer)
            for name, stack in self.buffers.items():
                of_part, key = slots[name]
                of_part[key] = stack[slot]
        device = next(iter(self.buffers.values())).device
        self._n_steps = None if len(set(n_steps)) == 1 else torch.tensor(n_steps, device=device)

    def effective_weights(self, losses: Tensor, weights: Tensor) -> Tensor | None:
        """Return what each net's ``effective_weights`` would, or None where each must be asked by itself.

        Parameters
        ----------
        losses, weights : tensor of shape (networks, tasks)
            Mean losses of an epoch, and the task weights, 0 for a task without a label in it.
        """
        pattern = self.pattern
        # Whatever a user's balancer does there, it does to its own losses alone.
        if not is_known(pattern):
            return None
        if type(pattern).effective_weights is LossBalancer.effective_weights:
            state = {name: tensor.detach() for name, tensor in self.learned.items()}

            def balanced(own: Tensor) -> Tensor:
                total: Tensor = vmap(self._call)({**state, **_cloned(self.buffers)}, own, weights)[0]
                return total

            with torch.enable_grad():
                return differentiated(balanced, losses)[1]
        state = {**self.learned, **self.buffers}

        def of_one(state: Named, losses: Tensor, weights: Tensor) -> Tensor:
            found: Tensor = self._with(state, lambda: pattern.effective_weights(losses, weights))[0]
            return found

        with torch.no_grad():
            return vmap(of_one)(state, losses, weights)

    @property
    def steps_are_alike(self) -> bool:
        """Whether `keep` does the same in every step of the epoch."""
        return self._n_steps is None

    @torch.no_grad()
    def keep(self, step: int) -> None:
        """Keep ``after`` as the buffers of the nets that took a step.

        Parameters
        ----------
        step : int
            Number of the step in the epoch.
        """
        for name, after in self.after.items():
            before = self.buffers[name]
            if self._n_steps is not None:
                took = (self._n_steps > step).view(-1, *[1] * (before.ndim - 1))
                after = torch.where(took, after, before)
            before.copy_(after)

    def release(self, slot: int) -> None:
        """Give a net buffers of its own, as they are now."""
        slots = tensor_slots(self._own[slot])
        for of_part, key in map(slots.__getitem__, self._names):
            # A view would keep the buffers of the whole stack in memory, and change with them.
            of_part[key] = of_part[key].clone()

    def _stacked(self) -> Named:
        of_nets = [dict(balancer.named_buffers()) for balancer in self._own]
        return {name: torch.stack([of_net[name] for of_net in of_nets]) for name in self._names}

    def _call(self, state: Named, losses: Tensor, weights: Tensor) -> tuple[Tensor, Named]:
        return self._with(state, lambda: self.pattern(losses, weights))

    def _look(self, state: Named, losses: Tensor) -> Named:
        return self._with(state, lambda: self.pattern.after_step(lambda: losses))[1]

    def _with(self, state: Named, call: Callable[[], Any]) -> tuple[Any, Named]:
        """Return what a call of the pattern with the tensors of one net returns, and its buffers after it.

        ``torch.func.functional_call`` would lose a buffer that is set to another tensor.
        """
        own = {name: of_part[key] for name, (of_part, key) in self._slots.items()}
        try:
            for name, tensor in state.items():
                of_part, key = self._slots[name]
                of_part[key] = tensor
            result = call()
            slots = {name: self._slots[name] for name in self._names}
            return result, {name: of_part[key] for name, (of_part, key) in slots.items()}
        finally:
            for name, (of_part, key) in self._slots.items():
                of_part[key] = own[name]


def _cloned(tensors: Named) -> Named:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def losses_key(losses: TaskLosses) -> Hashable:
    """Return what nets have in common whose losses are one expression."""
    return tuple(group.loss for group in losses.groups)


def _stacked(of_nets: Sequence[TaskLosses]) -> TaskLosses | StackedLosses:
    """Return the losses of nets with the baselines of all: one expression for those of equal parameters."""
    keys = [losses_key(losses) for losses in of_nets]
    starts = [slot for slot, key in enumerate(keys) if slot == 0 or key != keys[slot - 1]]
    parts = []
    for start, stop in zip(starts, [*starts[1:], len(keys)], strict=True):
        baseline = torch.stack([losses.baseline for losses in of_nets[start:stop]])
        parts.append((slice(start, stop), of_nets[start].with_baseline(baseline)))
    return parts[0][1] if len(parts) == 1 else StackedLosses(parts)


@dataclass(frozen=True, eq=False)
class StackedLosses:
    """Losses of nets that differ in the parameters of a loss, as `TaskLosses` has those of equal ones.

    Parameters
    ----------
    parts : sequence of (slice, TaskLosses)
        Places of nets with equal losses, and these.
    """

    parts: Sequence[tuple[slice, TaskLosses]]

    def __call__(self, raw: Tensor, y: Tensor, weight: Tensor) -> StackedStepLosses:
        """Return the losses of a step, and the way back to the raw outputs."""
        parts = [(part, losses(raw[part], y[part], weight[part])) for part, losses in self.parts]
        values = [(step.values, step.total, step.mass) for _, step in parts]
        return StackedStepLosses(raw, parts, *map(torch.cat, zip(*values, strict=True)))

    def responses(self, raw: Tensor) -> list[Tensor]:
        """Return what each group of tasks predicts, averaged over members, with a leading network axis."""
        of_parts = [losses.responses(raw[part]) for part, losses in self.parts]
        return [torch.cat(of_group) for of_group in zip(*of_parts, strict=True)]

    def response_sums(self, responses: list[Tensor], y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return each task's loss and weight, summed over the rows, each (networks, tasks)."""
        sums = [
            losses.response_sums([response[part] for response in responses], y[part], weight[part])
            for part, losses in self.parts
        ]
        loss, mass = (torch.cat(of_parts) for of_parts in zip(*sums, strict=True))
        return loss, mass

    def scores(self, responses: list[Tensor], y: Tensor, weight: Tensor) -> Tensor:
        """Return the metric of each task, (networks, tasks)."""
        return torch.cat(
            [
                losses.scores([response[part] for response in responses], y[part], weight[part])
                for part, losses in self.parts
            ]
        )


@dataclass(frozen=True, eq=False)
class StackedStepLosses:
    """The losses of a step of such nets, as `StepLosses` has those of equal ones.

    Parameters
    ----------
    raw : tensor of shape (networks, rows, members, raw_width)
        Raw outputs, with a graph.
    parts : sequence of (slice, StepLosses)
        Places of nets with equal losses, and their losses of the step.
    values, total, mass : tensor of shape (networks, tasks)
        The loss of each task, summed losses, and the weights of the labels.
    """

    raw: Tensor
    parts: Sequence[tuple[slice, StepLosses]]
    values: Tensor
    total: Tensor
    mass: Tensor

    def gradient(self, rates: Tensor) -> Tensor:
        """Return the gradient in the raw outputs, given rates as `StepLosses.gradient` takes them."""
        parts = [step.gradient(rates[..., part, :]) for part, step in self.parts]
        return torch.cat(parts, dim=-self.raw.ndim)
