"""Nets that are trained as one stack, in a checkpoint: one file has the states of all in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from sklearn_mtl.training.checkpoints.folder import CheckpointFolder
from sklearn_mtl.training.checkpoints.net_state import (
    NetState,
    generator_of,
    put_at_end,
    put_into_training,
    state_at_end,
    state_in_training,
)
from sklearn_mtl.training.runs import NetPlan, ReadyNet

# What became of a net that is not in training, where its state would be.
ENDED, FAILED = "ended", "failed"


class StackCheckpoint:
    """The states of the nets of one stack.

    All nets in training are in one file, which is replaced as a whole: a stack goes on from one moment. A net
    that is done has a file of its own, which is written before the one that says so.

    Parameters
    ----------
    folder : CheckpointFolder
        The files.
    ready : sequence of ReadyNet
        The nets, ready to be trained from the beginning.

    Attributes
    ----------
    ready : list of ReadyNet
        The nets, those that were in training with the generators and the epochs that they go on with.
    ended : list of int
        Positions of the nets that were done.
    """

    def __init__(self, folder: CheckpointFolder, ready: Sequence[ReadyNet]) -> None:
        self._folder = folder
        self._names = [net_name(one.plan) for one in ready]
        self._name = "stack-" + blake2b("\n".join(self._names).encode(), digest_size=8).hexdigest()
        self._device = ready[0].plan.settings.device
        found = folder.read(self._name, self._device)
        self._is_new = found is None
        self._n_epochs: int = 0 if found is None else found["n_epochs"]
        self._not_stacked: dict[int, str] = {} if found is None else found["not_stacked"]
        # By position: the state of a net in training, or what became of it.
        self._states: dict[int, NetState | str] = {} if found is None else found["nets"]
        self.ended = [position for position, state in self._states.items() if state == ENDED]
        self._to_write: list[int] = []
        self.ready = [_going_on(one, self._states.get(place)) for place, one in enumerate(ready)]

    def put_back(self) -> None:
        """Bring the nets that were in training, and begin it, to where they were."""
        for position, state in self._states.items():
            if not isinstance(state, str):
                put_into_training(self.ready[position].net, state)
                self._states[position] = {}

    def not_stacked(self, trainer: Any, remove_mismatches: Any) -> dict[int, str]:
        """Leave out of a stack what is not trained in it, and return why those are not that are to be.

        Parameters
        ----------
        trainer : StackedTrainer
            Not yet run.
        remove_mismatches : callable
            Finds that out, and leaves them out, where nothing was written down before.
        """
        if self._is_new:
            self._not_stacked = remove_mismatches(trainer)
            self._states = {member.position: {} for member in trainer.members}
            return self._not_stacked
        failed = [position for position, state in self._states.items() if state == FAILED]
        self._not_stacked |= dict.fromkeys(failed, "its training failed in a stack")
        for position in failed:
            del self._states[position]
        trainer.remove({*self._not_stacked, *self.ended})
        for position in self.ended:
            put_at_end(self.ready[position].net, self._folder.read(self._names[position], self._device))
        return self._not_stacked

    def end_epoch(self, trainer: Any, left: Sequence[Any]) -> None:
        """Write down how far a stack is, if it is time to.

        Parameters
        ----------
        trainer : StackedTrainer
            After an epoch, those nets having left whose last one it was.
        left : sequence of Member
            The nets that have left.
        """
        self._n_epochs += 1
        for member in left:
            self._states[member.position] = ENDED if member.error is None else FAILED
            self._to_write += [member.position] if member.error is None else []
        if trainer.members and self._n_epochs % self._folder.every:
            return
        for position in self._to_write:
            self._folder.write(self._names[position], state_at_end(self.ready[position].net))
        self._to_write = []
        now = {member.position: self._of_member(trainer, slot) for slot, member in enumerate(trainer.members)}
        state = {
            "nets": {**self._states, **now},
            "not_stacked": self._not_stacked,
            "n_epochs": self._n_epochs,
        }
        self._folder.write(self._name, state, self._n_epochs)

    @staticmethod
    def _of_member(trainer: Any, slot: int) -> NetState:
        trainer.weights.lend_moments(slot)
        return state_in_training(trainer.members[slot].net, trainer.batches.random_numbers_of(slot).state)


def net_name(plan: NetPlan) -> str:
    """Return the name of the states of a net; one that goes on from another is another."""
    name = f"net-{plan.checkpoint.key}"
    return name if plan.before is None else f"{name}+{len(plan.before.history)}"


def epochs_left(ready: ReadyNet, state: Mapping[str, Any] | None) -> int:
    """Return how many epochs a net has still to be trained for, at most.

    Parameters
    ----------
    ready : ReadyNet
        The net, ready to be trained from the beginning.
    state : mapping or None
        The state that its training goes on from.
    """
    plan = ready.plan
    epochs = plan.settings.max_epochs if plan.epochs is None else plan.epochs
    return epochs if state is None else epochs - (len(state["rows"]) - len(ready.net.history))


def _going_on(ready: ReadyNet, state: NetState | str | None) -> ReadyNet:
    """Return a net with the generators and the epochs that its training goes on with."""
    if state is None or isinstance(state, str):
        return ready
    plan = replace(ready.plan, epochs=epochs_left(ready, state))
    return replace(ready, plan=plan, generator=generator_of(state["generator"]))
