"""AdamW with little around it, and how the learning rate moves over the steps of a training."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor
from torch.optim import Optimizer

from sklearn_mtl.network.torch_private import add_to_each, fused_adamw, without_compiler, without_profiler


class FusedAdamW(torch.optim.AdamW):
    """torch's AdamW in its fused form, the same numbers.

    A step of torch's own sorts the tensors by device and dtype and opens two profiler records, which on
    a small network takes a quarter of the time of a whole step.

    Parameters
    ----------
    params, lr, weight_decay
        As in ``torch.optim.AdamW``; groups of parameters may have a rate and a decay of their own.
    """

    add_param_group = without_compiler(Optimizer.add_param_group)
    zero_grad = without_compiler(Optimizer.zero_grad)
    state_dict = without_compiler(Optimizer.state_dict)
    load_state_dict = without_compiler(Optimizer.load_state_dict)

    @without_profiler
    def step(self, closure: Any = None) -> None:
        """Make one step; a closure is called first, as torch does."""
        if closure is not None:
            closure()
        for group in self.param_groups:
            self._step_group(group)

    def _step_group(self, group: dict[str, Any]) -> None:
        with_gradient = [parameter for parameter in group["params"] if parameter.grad is not None]
        states = self._states(with_gradient)
        if any(parameter.grad is None and parameter in self.state for parameter in group["params"]):
            # A count that is shared must not go on for those that are left out; frozen ones have none.
            for state in states:
                state["step"] = state["step"].clone()
        with torch.no_grad():
            fused_step(
                with_gradient,
                [parameter.grad for parameter in with_gradient],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [state["step"] for state in states],
                group,
            )

    def _states(self, parameters: list[Tensor]) -> list[dict[str, Tensor]]:
        """Return the state of each parameter; those that are new share a count of their steps."""
        new = [parameter for parameter in parameters if not self.state[parameter]]
        if new:
            step = torch.zeros((), device=new[0].device)
            for parameter in new:
                moments = {key: torch.zeros_like(parameter) for key in ("exp_avg", "exp_avg_sq")}
                self.state[parameter].update(step=step, **moments)
        return [self.state[parameter] for parameter in parameters]


def fused_step(
    parameters: list[Tensor],
    gradients: list[Any],
    first: list[Tensor],
    second: list[Tensor],
    steps: list[Tensor],
    group: dict[str, Any],
) -> None:
    """Move parameters, in place, by one step of AdamW (Loshchilov & Hutter 2019, algorithm 2).

    Parameters
    ----------
    parameters, gradients, first, second : list of tensor
        What is moved, its gradients, and the two moments.
    steps : list of tensor
        Steps so far, a scalar for each tensor; tensors may share one.
    group : dict
        Settings of one group of parameters.
    """
    if not parameters:
        return
    add_to_each(list({id(step): step for step in steps}.values()), 1)
    fused_adamw(
        parameters,
        gradients,
        first,
        second,
        [],
        steps,
        lr=group["lr"],
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        amsgrad=False,
        maximize=False,
    )


@dataclass(frozen=True)
class Cosine:
    """From 1 to 0 along a half cosine (Loshchilov & Hutter 2017, eq. 5, without restarts).

    Parameters
    ----------
    n_steps : int
        Steps of the whole training.
    """

    n_steps: int

    def __call__(self, step: int) -> float:
        """Return the factor of the learning rate at a step."""
        return 0.5 * (1 + math.cos(math.pi * min(step / self.n_steps, 1.0)))


@dataclass(frozen=True)
class OneCycle:
    """From 1/25 to 1 over the first 30 % of the steps and to nearly 0 over the rest, by half cosines.

    Smith & Topin (2018), "Super-Convergence", in the shape of torch's ``OneCycleLR``; momentum stays.

    Parameters
    ----------
    n_steps : int
        Steps of the whole training.
    """

    n_steps: int

    def __call__(self, step: int) -> float:
        """Return the factor of the learning rate at a step."""
        first, last, rise = 1 / 25, 1 / 25e4, 0.3
        place = min(step / self.n_steps, 1.0)
        if place < rise:
            return 1 - (1 - first) * 0.5 * (1 + math.cos(math.pi * place / rise))
        return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * (place - rise) / (1 - rise)))


SCHEDULES: dict[str, Callable[[int], Callable[[int], float]]] = {"cosine": Cosine, "one_cycle": OneCycle}


class StepSchedule(Callback):
    """Sets the learning rate before each step, so that a training can go on where one stopped.

    Parameters
    ----------
    factor : callable
        From the number of a step to what multiplies the net's learning rate.
    done : int
        Steps taken before.
    """

    def __init__(self, factor: Callable[[int], float], done: int) -> None:
        self.factor = factor
        self.done = done

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin to count; the rates that the groups have now are those that the factor multiplies."""
        self.step_ = self.done
        self.rates_ = [group["lr"] for group in net.optimizer_.param_groups]
        if self.done and self.factor(self.done) < 1e-6:
            warnings.warn(
                "`lr_schedule` has come to its end, and nothing more is learned: it spans `max_epochs` "
                f"epochs. Found {self.done} steps done; raise `max_epochs`.",
                stacklevel=2,
            )

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the learning rate."""
        if not training:
            return
        factor = self.factor(self.step_)
        for group, rate in zip(net.optimizer_.param_groups, self.rates_, strict=True):
            group["lr"] = rate * factor
        self.step_ += 1
