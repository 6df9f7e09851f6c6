"""What a step of training and of validation does, for one net and for a stack of nets.

From raw outputs on both go through the functions of this module, in this order: `training_step`,
`clip_gradients`, the optimizer, `WeightAverage`. For a stack all tensors have a leading network axis.

What comes before is not shared. A net could be a stack of one, but ``vmap`` has its price: on a CPU a fit of
two layers of 256 columns took 2.2 times as long with 64 rows in a batch, and 1.2 times with 1,024.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sklearn_mtl.data import Batch
from sklearn_mtl.network.torch_private import (
    add_to_each,
    fused_adamw,
    in_pieces,
    is_being_recorded,
    move_each_towards,
    without_compiler,
    without_profiler,
)
from sklearn_mtl.training.recording import to_numbers

# What a step gives back. "task_loss" and "task_mass" are, of every task, its summed loss, and the weight of
# the labels it was summed over.
Step = dict[str, Any]


def training_step(
    criterion: Any,
    batch: Batch,
    raw: Tensor,
    penalty: Tensor | None,
    shared: Sequence[Tensor] = (),
    look: Callable[[Any], None] | None = None,
) -> Step:
    """Put gradients on all parameters.

    Parameters
    ----------
    criterion : BalancedLoss or StackedLoss
        The losses, the task weights and the balancer, of one net or of all.
    batch : Batch
        The rows.
    raw : tensor of shape (rows, members, raw_width)
        Raw outputs, with a graph.
    penalty : tensor or None
        A scalar that is minimised along with the losses.
    shared : sequence of tensor
        What several tasks train, for a balancer of gradients.
    look : callable, optional
        Given the losses, whose graph it must keep.
    """
    losses = criterion.losses(batch.for_labels(raw), batch.y, batch.weight)
    if look is not None:
        look(losses)
    total = criterion.balancer.backward(losses, criterion.weights, penalty, shared)
    return {"loss": total, "task_loss": losses.total, "task_mass": losses.mass}


def validation_step(losses: Any, raw: Tensor, batch: Batch) -> Step:
    """Return the losses on held-out rows, and the responses by which their metrics are known.

    Parameters
    ----------
    losses : TaskLosses or StackedLosses
        The losses of the tasks, of one net or of all.
    raw : tensor of shape (rows, members, raw_width)
        Raw outputs.
    batch : Batch
        The rows.
    """
    responses = losses.responses(raw)
    loss, mass = losses.response_sums(responses, batch.y, batch.weight)
    return {"task_loss": loss, "task_mass": mass, "responses": responses}


def validation_scores(losses: Any, steps: Sequence[Step], y: Tensor, weight: Tensor) -> np.ndarray:
    """Return the metric of each task on all held-out rows, float64 of shape (n_tasks,).

    Parameters
    ----------
    losses : TaskLosses or StackedLosses
        The losses of the tasks, of one net or of all.
    steps : sequence of dict
        What `validation_step` returned for the rows, batch by batch.
    y, weight : tensor of shape (rows, n_columns)
        Encoded targets and cell weights of all rows.
    """
    by_group = zip(*(step["responses"] for step in steps), strict=True)
    # Rows are the third axis from the end, whether networks are in front or not.
    responses = [torch.cat(parts, dim=-3) for parts in by_group]
    return to_numbers(losses.scores(responses, y, weight))


def losses_and_masses(steps: Sequence[Step]) -> tuple[np.ndarray, np.ndarray]:
    """Return summed losses and weights of all steps, (n_steps, n_tasks), in one copy from the device."""
    losses, masses = (torch.stack([step[key] for step in steps]) for key in ("task_loss", "task_mass"))
    return to_numbers(losses), to_numbers(masses)


def clip_gradients(gradients: Sequence[Tensor], largest: float | Tensor) -> None:
    """Scale gradients down, in place, until the norm of all together is no larger than given.

    The rule of ``torch.nn.utils.clip_grad_norm_``, which knows of one net only.

    Parameters
    ----------
    gradients : sequence of tensor
        The gradient of each parameter.
    largest : float, or tensor of shape (networks,)
        Largest norm of the net, or of each; it may be infinite.
    """
    of_each = () if isinstance(largest, float) else tuple(largest.shape)
    norms = [gradient.reshape(*of_each, -1).norm(dim=-1) for gradient in gradients]
    scale = (largest / (torch.stack(norms).norm(dim=0) + 1e-6)).clamp_max(1.0)
    for gradient in gradients:
        gradient.mul_(scale.reshape(of_each + (1,) * (gradient.ndim - len(of_each))))


def are_finite(tensors: Sequence[Tensor]) -> bool:
    """Whether there is neither nan nor infinity in any tensor."""
    # One answer for all: on a GPU the host waits for each that it asks for.
    sums = torch.stack([values.detach().sum() for values in tensors])
    return bool(sums.isfinite().all()) or all(map(is_finite, tensors))


def is_finite(values: Tensor) -> bool:
    """Whether there is neither nan nor infinity in a tensor."""
    # The sum takes a quarter of the time and is finite only if all are. Where it overflows, all are asked.
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


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
        counts = {id(state["step"]) for state in states}
        for parameter in group["params"]:
            # A count that is shared must not go on for those that are left out; frozen ones have none.
            if parameter.grad is None and parameter in self.state:
                count = self.state[parameter].get("step")
                if id(count) in counts:
                    self.state[parameter]["step"] = count.clone()
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
    if is_being_recorded(parameters[0]):
        (parameters, gradients, first, second), places = in_pieces(parameters, gradients, first, second)
        steps = [steps[place] for place in places]
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


class WeightAverage:
    """An exponential moving average of a module's parameters, kept in a copy of the module.

    After step t the average moves by ``1 - min(decay, (1 + t) / (10 + t))`` towards the parameters:
    the early, short memory keeps the initial weights from lingering. Buffers are copied.

    Parameters
    ----------
    module : nn.Module
        The module whose parameters are averaged.
    decay : float
        Largest share of itself that the average keeps in a step, in [0, 1).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = deepcopy(module).eval().requires_grad_(requires_grad=False)
        for part in self.module.modules():
            if isinstance(part, nn.RNNBase):
                # The weights of a copy lie apart: a GPU would gather them at every call, and warn.
                part.flatten_parameters()
        self._averages: list[Tensor] = list(self.module.parameters())
        self._latest: list[Tensor] = list(module.parameters())
        self._buffers = list(zip(self.module.buffers(), module.buffers(), strict=True))
        self.decay = decay
        self.steps = 0

    @property
    def next_decay(self) -> float:
        """Decay at the next step."""
        return min(self.decay, (1 + self.steps) / (10 + self.steps))

    def take_over(self, average: WeightAverage) -> None:
        """Take over another average of the same module."""
        self.module.load_state_dict(average.module.state_dict())
        self.steps = average.steps

    def next_share(self) -> float:
        """Count one more step, and return which share of the way the average moves in it."""
        share = 1 - self.next_decay
        self.steps += 1
        return share

    @torch.no_grad()
    def update(self, share: float | Tensor | None = None) -> None:
        """Take note of the parameters after one more step.

        Parameters
        ----------
        share : float or tensor of shape (), optional
            What `next_share` has returned; the step is counted here where it is not given.
        """
        move_each_towards(self._averages, self._latest, self.next_share() if share is None else share)
        for average, buffer in self._buffers:
            average.copy_(buffer)
