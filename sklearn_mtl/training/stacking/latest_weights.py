"""The weights that the nets of a stack would predict with now, read and copied for all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sklearn_mtl.training.kept_weights import snapshot
from sklearn_mtl.training.net_in_training import LatestWeights, State
from sklearn_mtl.training.stacking.joint_update import below

# Copies of one tensor for many nets are one tensor, which is in memory as long as any of them is kept. Larger
# ones are copied one by one, where that costs little beside what they are.
BYTES_TOGETHER = 2**24


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
