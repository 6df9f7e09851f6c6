"""One net in a checkpoint: its training goes on from what was written down, and is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sklearn_mtl.network import GeneratorState
from sklearn_mtl.training.checkpoints.folder import CheckpointFolder
from sklearn_mtl.training.checkpoints.net_state import (
    NetState,
    generator_of,
    put_at_end,
    put_into_training,
    state_at_end,
    state_in_training,
)
from sklearn_mtl.training.checkpoints.own_state import CheckpointWriter, Unwritten
from sklearn_mtl.training.checkpoints.stack_checkpoint import StackCheckpoint, epochs_left, net_name
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.runs import ReadyNet


@dataclass(frozen=True)
class NetCheckpoint:
    """What the plan of a net has for ``checkpoint``.

    Parameters
    ----------
    folder : CheckpointFolder
        The files.
    key : str
        What tells the net from the others of the folder, in digits and points.
    """

    folder: CheckpointFolder
    key: str

    def train(self, ready: ReadyNet) -> None:
        """Train a net by itself, from its last state on, and write down how far it is.

        Parameters
        ----------
        ready : ReadyNet
            The net, ready to be trained from the beginning.
        """
        plan, net, name = ready.plan, ready.net, net_name(ready.plan)
        state = self.folder.read(name, plan.settings.device)
        if state is not None and "resume" in state:
            put_at_end(net, state)
            return
        generator = ready.generator if state is None else generator_of(state["generator"])
        writer = _Writer(self.folder, name, state)
        net.callbacks_.append(("checkpoint", writer))
        try:
            with generator.restored(plan.settings.device, alone=ready.alone):
                net.train(plan.train, plan.valid, epochs_left(ready, state))
        finally:
            net.callbacks_.remove(("checkpoint", writer))
        self.folder.write(name, state_at_end(net))

    def of_stack(self, ready: Sequence[ReadyNet]) -> StackCheckpoint:
        """Return the checkpoint of nets that are trained as one stack.

        Parameters
        ----------
        ready : sequence of ReadyNet
            The nets, ready to be trained from the beginning; all have the same folder.
        """
        return StackCheckpoint(self.folder, ready)


class _Writer(CheckpointWriter):
    """The last callback of a net that is trained by itself: puts its state back, and writes it down.

    Parameters
    ----------
    folder : CheckpointFolder
        The files.
    name : str
        The name of the net's states.
    state : dict or None
        The state that its training goes on from.
    """

    def __init__(self, folder: CheckpointFolder, name: str, state: NetState | None) -> None:
        self._folder = folder
        self._name = name
        self._state = state
        self._unwritten: Unwritten | None = None

    def on_train_begin(self, net: MultiTaskNet, **kwargs: Any) -> None:
        """Go on from the state; see that everything can be written down, before any training."""
        self._unwritten = Unwritten(net)
        if self._state is not None:
            put_into_training(net, self._state)
            # Callbacks may have drawn something when they were told.
            generator_of(self._state["generator"]).put_now(torch.device(net.device))
            self._state = None
        self._folder.check(self._name, self._now(net))

    def on_epoch_end(self, net: MultiTaskNet, **kwargs: Any) -> None:
        """Write the state down, if it is time to."""
        n_epochs = len(net.history)
        if n_epochs % self._folder.every == 0:
            assert self._unwritten is not None
            self._unwritten.check()
            self._folder.write(self._name, self._now(net), n_epochs)

    def _now(self, net: MultiTaskNet) -> NetState:
        return state_in_training(net, GeneratorState.now(torch.device(net.device)))
