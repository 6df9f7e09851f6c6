"""The losses of many nets, and what their balancers make of them, with networks in front."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from sklearn_mtl.balancing.balancer import LossBalancer, differentiated
from sklearn_mtl.network.module import BalancedLoss
from sklearn_mtl.tasks import StepLosses, TaskLosses


@dataclass(frozen=True, eq=False)
class StackedLoss:
    """The losses and the balancers of many nets, as `training_step` takes those of one.

    Parameters
    ----------
    losses : TaskLosses or StackedLosses
        The losses of the tasks, with networks in front.
    weights : tensor of shape (networks, tasks)
        The task weights.
    balancer : LossBalancer
        The balancer of one net, which works for all.
    """

    losses: Any
    weights: Tensor
    balancer: Any

    @classmethod
    def of(cls, criteria: Sequence[BalancedLoss]) -> StackedLoss:
        """Return those of nets, of which those with equal losses are next to each other."""
        weights = torch.stack([criterion.weights for criterion in criteria])
        return cls(_stacked([criterion.losses for criterion in criteria]), weights, criteria[0].balancer)

    def with_state(self, state: dict[str, Tensor]) -> StackedLoss:
        """Return the same with the balancers' own parameters and buffers, by name, networks in front."""
        return replace(self, balancer=_BalancerOfEach(self.balancer, state)) if state else self


class _BalancerOfEach(LossBalancer):
    """A balancer with the parameters and buffers of many nets."""

    def __init__(self, balancer: LossBalancer, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.balancer = balancer
        self._state = state

    def forward(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the balanced loss of each net, (networks,)."""
        found: Tensor = vmap(self._of_one)(self._state, losses, weights)
        return found

    def differentiate(self, losses: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the balanced losses, and their derivatives in the losses of their nets."""
        return differentiated(lambda own: self.forward(own, weights), losses)

    def _of_one(self, state: dict[str, Tensor], losses: Tensor, weights: Tensor) -> Any:
        return functional_call(self.balancer, state, (losses, weights))


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
        Which nets have which.
    """

    parts: Sequence[tuple[slice, TaskLosses]]

    def __call__(self, raw: Tensor, y: Tensor, weight: Tensor) -> StackedStepLosses:
        """Return the losses of a step, and the way back to the raw outputs."""
        parts = [(part, losses(raw[part], y[part], weight[part])) for part, losses in self.parts]
        values = [(step.values, step.total, step.mass) for _, step in parts]
        return StackedStepLosses(raw, parts, *map(torch.cat, zip(*values, strict=True)))

    def responses(self, raw: Tensor) -> list[Tensor]:
        """Return what each group of tasks predicts, averaged over members, with networks in front."""
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
        Which nets have which.
    values, total, mass : tensor of shape (networks, tasks)
        The loss of each task, summed losses, and the weights of the labels.
    """

    raw: Tensor
    parts: Sequence[tuple[slice, StepLosses]]
    values: Tensor
    total: Tensor
    mass: Tensor

    def gradient(self, rates: Tensor) -> Tensor:
        """Return the gradient in the raw outputs, given the derivative in each loss, (networks, tasks)."""
        return torch.cat([step.gradient(rates[part]) for part, step in self.parts])
