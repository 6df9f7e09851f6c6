"""The end of an epoch of a stack: what its nets record, and the weights that they keep, for all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.balancing import Balancer
from sklearn_mtl.training.kept_weights import snapshot
from sklearn_mtl.training.net_in_training import LatestWeights, State
from sklearn_mtl.training.recording import first_broken, means_and_watched, to_numbers
from sklearn_mtl.training.stacking.joint_update import below
from sklearn_mtl.training.stacking.losses import StackedLoss

# Of the steps of an epoch only the last is looked at, until it is the last epoch.
LAST = slice(-1, None)
NONE = np.empty(0, dtype=np.intp)
# Copies of one tensor for many nets are one tensor, which is in memory as long as any of them is kept. Larger
# ones are copied one by one, where that costs little beside what they are.
BYTES_TOGETHER = 2**24


@dataclass(frozen=True, eq=False)
class EpochLosses:
    """The training losses of an epoch, of nets that take as many steps.

    Parameters
    ----------
    losses, masses : ndarray of float64, shape (n_steps, networks, n_tasks)
        Sums over the rows of each step: scale-free losses, and weights.
    weights : ndarray of float64, shape (networks, n_tasks)
        The task weights of the user.
    """

    losses: np.ndarray
    masses: np.ndarray
    weights: np.ndarray

    @cached_property
    def mass(self) -> np.ndarray:
        """Weights of the labels over the epoch."""
        found: np.ndarray = self.masses.sum(0)
        return found

    @cached_property
    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """The losses of the tasks over the epoch, and the watched loss."""
        return means_and_watched(self.losses.sum(0), self.mass, self.weights)

    @cached_property
    def are_finite(self) -> np.ndarray:
        """Whether the losses of each net are, in all steps."""
        found: np.ndarray = np.isfinite(self.losses).all(axis=(0, 2))
        return found

    def watched_in_steps(self, steps: slice = slice(None)) -> np.ndarray:
        """Return the watched loss of some steps, (n_steps, networks)."""
        return means_and_watched(self.losses[steps], self.masses[steps], self.weights)[1]


class TrainingRecords:
    """The training losses of an epoch, and their way into the histories of the nets.

    Parameters
    ----------
    members : sequence of Member
        The nets.
    loss : StackedLoss
        Their losses.
    losses, masses : ndarray of float64, shape (n_steps, networks, n_tasks)
        Sums over the rows of each step: scale-free losses, and weights.
    """

    def __init__(
        self, members: Sequence[Any], loss: StackedLoss, losses: np.ndarray, masses: np.ndarray
    ) -> None:
        self._members = members
        self._loss = loss
        # Nets that take as many steps are one array.
        self._parts = []
        for n_steps in sorted({len(member.sizes) for member in members}):
            slots = [slot for slot, member in enumerate(members) if len(member.sizes) == n_steps]
            own = (slice(n_steps), slots)
            epoch = EpochLosses(losses[own], masses[own], loss.weights_as_numbers[slots])
            self._parts.append((slots, epoch))

    def write(self) -> None:
        """Write the epoch into the histories, and let the balancers see its losses."""
        per_task, mass = self._of_all(lambda epoch: (epoch.means[0], epoch.mass))
        effective = self._effective_weights(per_task, mass > 0)
        for slots, epoch in self._parts:
            watched = epoch.watched_in_steps(LAST)
            for place, slot in enumerate(slots):
                member = self._members[slot]
                broken = NONE if epoch.are_finite[place] else first_broken(epoch.losses[:, place])
                if member.net.conflict_ is not None:
                    member.net.conflict_.step += len(member.sizes)
                watched_loss = float(epoch.means[1][place])
                member.net.write_training(per_task[slot], watched_loss, effective[slot], broken)
                member.net.write_steps("train", watched[:, place], member.sizes[LAST])
                member.net.history.record("train_batch_count", len(member.sizes))
        self._end_epoch(per_task)

    def complete(self, member: Any) -> None:
        """Write the steps of a net's last epoch, all that were left out."""
        slot = self._members.index(member)
        slots, epoch = next(part for part in self._parts if slot in part[0])
        watched = epoch.watched_in_steps(slice(-1))[:, slots.index(slot)].tolist()
        rows = [
            {"train_loss": loss, "train_batch_size": size}
            for loss, size in zip(watched, member.sizes[:-1], strict=True)
        ]
        member.net.history[-1]["batches"][:0] = rows

    def _of_all(self, of_part: Any) -> list[np.ndarray]:
        """Return arrays of all nets, (networks, n_tasks), given those of the nets of each part."""
        found = [of_part(epoch) for _, epoch in self._parts]
        order = np.argsort([slot for slots, _ in self._parts for slot in slots])
        return [np.concatenate(arrays)[order] for arrays in zip(*found, strict=True)]

    def _effective_weights(self, per_task: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        weights = self._loss.weights
        losses, takes_part = (torch.as_tensor(one).to(weights) for one in (np.nan_to_num(per_task), labelled))
        found = self._loss.balancer.effective_weights(losses, weights * takes_part)
        if found is not None:
            return to_numbers(found)
        pairs = zip(self._members, per_task, labelled, strict=True)
        return np.stack([member.net.effective_weights(*pair) for member, *pair in pairs])

    def _end_epoch(self, per_task: np.ndarray) -> None:
        balancers = [member.net.criterion_.balancer for member in self._members]
        if type(balancers[0]).end_epoch is Balancer.end_epoch:
            return
        losses = torch.as_tensor(per_task).to(self._loss.weights)
        for balancer, own in zip(balancers, losses, strict=True):
            balancer.end_epoch(own)


class LatestOfStack:
    """The weights of all nets of a stack at the end of an epoch.

    Parameters
    ----------
    weights : StackedWeights
        The weights of the stack.

    Attributes
    ----------
    nets : list of MultiTaskNet
        Its nets; where some have left it, there are others.
    """

    def __init__(self, weights: Any) -> None:
        self._weights = weights
        self.nets = weights.nets
        self._finite: list[bool] | None = None
        self._asked: list[tuple[int, Callable[[State], None]]] = []
        self._unchanged: dict[int, State] = {}
        self._changed: dict[str, str] = {}
        for slot, net in enumerate(self.nets):
            net.run_.latest = WeightsInStack(self, slot)

    def begin_epoch(self) -> None:
        """Forget what was known of the weights of the epoch before."""
        self._finite = None

    def finite(self) -> list[bool]:
        """Return for each net whether there is neither nan nor infinity in its weights."""
        if self._finite is None:
            tensors = [tensor.detach().flatten(1) for tensor in self._evaluated().values()]
            # One answer for all: on a GPU the host waits for each that it asks for. Where a sum overflows,
            # all numbers are asked.
            found = torch.stack([tensor.sum(1) for tensor in tensors]).isfinite().all(0)
            if not found.all():
                found = torch.stack([tensor.isfinite().all(1) for tensor in tensors]).all(0)
            self._finite = found.tolist()
        return self._finite

    def ask(self, slot: int, then: Callable[[State], None]) -> None:
        """Note that a function is to be given the state of the net at a place."""
        self._asked.append((slot, then))

    def hand_over(self) -> None:
        """Give all functions that are waiting the states that they wait for."""
        asked, self._asked = self._asked, []
        states = self._states([slot for slot, _ in asked]) if asked else []
        for (_, then), state in zip(asked, states, strict=True):
            then(state)

    def _evaluated(self) -> dict[str, Tensor]:
        """Return the stacked weights that training changes, averages where there are such."""
        return self._weights.averages or below(self._weights.trained, "module.")

    def _states(self, slots: list[int]) -> list[State]:
        """Return copies of the states of the nets at some places."""
        stacks = self._evaluated()
        n_bytes = sum(stack[0].nbytes for stack in stacks.values()) * len(slots)
        if n_bytes > BYTES_TOGETHER:
            return [snapshot(self.nets[slot].evaluated) for slot in slots]
        index = torch.tensor(slots, device=next(iter(stacks.values())).device)
        copies = {name: stack.detach().index_select(0, index).unbind() for name, stack in stacks.items()}
        return [
            self._state(slot, {name: of_nets[place] for name, of_nets in copies.items()})
            for place, slot in enumerate(slots)
        ]

    def _state(self, slot: int, copies: State) -> State:
        """Return the state of a net, given copies of its parts of the stacks."""
        module = self.nets[slot].evaluated
        if slot not in self._unchanged:
            # Buffers, and what is frozen: one copy serves all epochs.
            self._unchanged[slot] = snapshot(module)
            changed = {id(tensor): name for name, tensor in module.named_parameters() if name in copies}
            every = module.state_dict(keep_vars=True).items()
            self._changed = {name: changed[id(tensor)] for name, tensor in every if id(tensor) in changed}
        state = dict(self._unchanged[slot])
        for name, own in self._changed.items():
            copy, shape = copies[own], state[name].shape
            state[name] = copy if copy.shape == shape else copy[tuple(map(slice, shape))]
        return state


class WeightsInStack(LatestWeights):
    """Those of a net of a stack.

    Parameters
    ----------
    stack : LatestOfStack
        Those of all its nets.
    slot : int
        The net's place.
    """

    def __init__(self, stack: LatestOfStack, slot: int) -> None:
        self._stack = stack
        self._slot = slot

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave it out of copies of a net, which are in no stack."""
        return type(None), ()

    def are_finite(self) -> bool:
        """Whether there is neither nan nor infinity in them."""
        return self._stack.finite()[self._slot]

    def take(self, then: Callable[[State], None]) -> None:
        """Give a function a copy of the module's state, once all nets have asked for theirs."""
        self._stack.ask(self._slot, then)
