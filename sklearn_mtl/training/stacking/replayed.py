"""The steps of a stack on a GPU, replayed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from torch import Tensor

from sklearn_mtl.data import PendingBatch
from sklearn_mtl.training.capture import ReplayedSteps, say_not_recorded, why_not_recorded


class StepsOfStack:
    """The steps in which all nets of a stack move, replayed where that is known to come to the same.

    Parameters
    ----------
    trainer : StackedTrainer
        The stack.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        said = say_not_recorded if trainer.settings.verbose else None
        self._replayed = ReplayedSteps(trainer.whole_step, self._key, trainer.settings.device, said)

    @classmethod
    def of(cls, trainer: Any) -> StepsOfStack | None:
        """Return the steps of a stack; None, having said why at ``verbose``, where none can be recorded."""
        reasons = [why_not_recorded(member.net) for member in trainer.members]
        reason = next((reason for reason in reasons if reason is not None), None)
        if reason is not None and trainer.settings.verbose:
            say_not_recorded(reason)
        return cls(trainer) if reason is None else None

    def begin_epoch(self) -> None:
        """Get ready for the steps of an epoch."""
        members = self._trainer.members
        first = min(members, key=lambda member: member.ready.plan.n_batches)
        self._replayed.begin_epoch(first.ready.plan.batch_sizes, max(member.epochs for member in members))

    def __call__(self, batch: PendingBatch, masks: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Make a step of all nets; return the losses of the tasks, and their masses."""
        return self._replayed(batch, masks, self._trainer.weights.next_rates())

    def _key(self) -> Hashable:
        """Return what a recording depends on: the tensors of the stack, and how each part of it is moved."""
        trainer = self._trainer
        groups = [
            (group["betas"], group["eps"], group["weight_decay"])
            for member in trainer.members
            for group in member.net.optimizer_.param_groups
        ]
        # These are made anew whenever a net leaves, and wherever nets are no longer moved alike.
        return (*trainer.weights.updates, trainer.loss), tuple(groups)
