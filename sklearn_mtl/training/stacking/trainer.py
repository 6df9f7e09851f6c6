"""Many nets trained as one, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sklearn_mtl.data import Batch
from sklearn_mtl.training.callbacks import StopTraining
from sklearn_mtl.training.capture import RECORDED_ON
from sklearn_mtl.training.gradient_conflict import task_cosines
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.net_in_training import WeightKeeper
from sklearn_mtl.training.runs import ReadyNet
from sklearn_mtl.training.stacking.batches import StackedBatches, few_rows
from sklearn_mtl.training.stacking.epoch_end import LatestOfStack, TrainingRecords
from sklearn_mtl.training.stacking.losses import StackedLoss
from sklearn_mtl.training.stacking.module import StackedModule
from sklearn_mtl.training.stacking.replayed import StepsOfStack
from sklearn_mtl.training.stacking.weights import StackedWeights
from sklearn_mtl.training.steps import (
    Step,
    losses_and_masses,
    training_step,
    validation_scores,
    validation_step,
)

# Called for each net that is done: its position, and the error that ended it, if one did.
Done = Callable[[int, Exception | None], None]
# A validation batch holds as many rows of all nets as one net alone would take, but not fewer of each.
FEWEST_VALIDATION_ROWS = 64


@dataclass(eq=False)
class Member:
    """A net in the stack.

    Parameters
    ----------
    position : int
        Its place among the nets that the stack began with.
    ready : ReadyNet
        The net.
    error : Exception or None
        The error that ended its training.
    """

    position: int
    ready: ReadyNet
    error: Exception | None = None

    def __post_init__(self) -> None:
        """Count the epochs still to come, at most, and the rows of each step."""
        plan = self.ready.plan
        self.sizes = plan.batch_sizes
        self._keepers = [one for _, one in self.net.callbacks_ if isinstance(one, WeightKeeper)]
        self.epochs = plan.settings.max_epochs if plan.epochs is None else plan.epochs

    @property
    def net(self) -> MultiTaskNet:
        """The net."""
        return self.ready.net

    def keep_weights(self) -> None:
        """Let the net's callbacks that decide which weights it ends with see those of the epoch."""
        try:
            for keeper in self._keepers:
                keeper.keep(self.net)
        except Exception as error:
            self.error = error

    def end_epoch(self) -> bool:
        """Let the net's callbacks see the epoch; return whether it was the last."""
        self.epochs -= 1
        plan = self.ready.plan
        if self.error is not None:
            return True
        try:
            self.net.notify("on_epoch_end", dataset_train=plan.train, dataset_valid=plan.valid)
        except StopTraining:
            return True
        except Exception as error:
            self.error = error
            return True
        return self.epochs <= 0


class StackedTrainer:
    """Nets of one structure, trained together until each is done.

    Each has the rows, weights, optimizer settings, random numbers, stopping and history that it would have
    alone; what they share is the launch of every operation.

    Parameters
    ----------
    ready : sequence of ReadyNet
        The nets, those of equal losses next to each other; all have held-out rows, or none has.
    """

    def __init__(self, ready: Sequence[ReadyNet]) -> None:
        self.settings = ready[0].plan.settings
        checkpoint = ready[0].plan.checkpoint
        self.checkpoint = None if checkpoint is None else checkpoint.of_stack(ready)
        ready = ready if self.checkpoint is None else self.checkpoint.ready
        self.members = [Member(position, one) for position, one in enumerate(ready)]
        with ready[0].generator.restored(self.settings.device, alone=ready[0].alone):
            few = few_rows(ready[0].plan.train).inputs
            self.module = StackedModule(ready[0].net.network, few)
        for one in ready:
            with one.generator.restored(self.settings.device, alone=one.alone):
                one.net.open_training(one.plan.train, one.plan.valid)
        if self.checkpoint is not None:
            self.checkpoint.put_back()
        self.weights = StackedWeights([one.net for one in ready])
        self.batches = StackedBatches(ready, self.module.calls)
        self.loss = StackedLoss.of([one.net.criterion_ for one in ready])
        self._bounds = self.weights.bounds([one.plan.settings.gradient_clip for one in ready])
        self._latest: LatestOfStack | None = None
        self._replayed = StepsOfStack.of(self) if self.settings.device.type in RECORDED_ON else None

    def run(self, done: Done, watch: Callable[[int], None] | None = None) -> None:
        """Train until every net is done.

        Parameters
        ----------
        done : callable
            Called for each net that is done.
        watch : callable, optional
            Called after each epoch with its number.
        """
        epoch = 0
        for position in () if self.checkpoint is None else self.checkpoint.ended:
            done(position, None)
        while self.members:
            leaving = self._epoch()
            epoch += 1
            if watch is not None:
                watch(epoch)
            self._leave(leaving)
            if self.checkpoint is not None:
                self.checkpoint.end_epoch(self, leaving)
            for member in leaving:
                done(member.position, member.error)

    def remove(self, positions: Collection[int]) -> None:
        """Leave out nets that have not yet been trained."""
        leaving = [member for member in self.members if member.position in positions]
        for member in leaving:
            slot = self.members.index(member)
            self.weights.release(slot)
            self.loss.balancer.release(slot)
        self._go_on_without(leaving)

    def put_gradients(
        self, batch: Batch, masks: Sequence[Tensor], look: Callable[[Any], None] | None = None
    ) -> Step:
        """Put gradients on the stacked weights: a step, but for the optimizer's part.

        Parameters
        ----------
        batch : Batch
            Rows with a leading network axis.
        masks : sequence of tensor
            The masks of the dropout layers.
        look : callable, optional
            Given the losses, whose graph it must keep.

        Returns
        -------
        dict of str to tensor, each with a leading network axis
            What `training_step` returns, and the ``raw`` outputs and ``penalty``, without graph.
        """
        self.weights.clear_gradients()
        raw, penalty = self.forward(batch, masks, training=True)
        self.loss.balancer.learned = self.weights.of_balancer()
        step = training_step(self.loss, batch, raw, penalty, look=look)
        return {**step, "raw": raw.detach(), "penalty": penalty.detach()}

    def forward(
        self, batch: Batch, masks: Sequence[Tensor] = (), *, training: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the nets' raw outputs and penalties for rows with a leading network axis."""
        weights = self.weights.of_module(averaged=not training)
        with self.members[0].net.autocast_now() if training else nullcontext():
            raw, penalty = self.module(weights, batch.inputs, batch.row_weight, masks, training=training)
        return raw.to(batch.y.dtype), penalty

    def _epoch(self) -> list[Member]:
        """Train for one epoch; return the nets for which it was the last."""
        for member in self.members:
            plan = member.ready.plan
            member.net.notify("on_epoch_begin", dataset_train=plan.train, dataset_valid=plan.valid)
        self._train()
        if self.members[0].ready.plan.valid is not None:
            self._validate()
        self._keep_weights()
        return [member for member in self.members if member.end_epoch()]

    def _keep_weights(self) -> None:
        """Keep the weights of all nets, those that are better than before."""
        if self._latest is None or self._latest.nets is not self.weights.nets:
            self._latest = LatestOfStack(self.weights)
        self._latest.begin_epoch()
        for member in self.members:
            member.keep_weights()
        self._latest.hand_over()

    def _train(self) -> None:
        n_steps = [len(member.sizes) for member in self.members]
        self.weights.begin_epoch(n_steps)
        self.loss.balancer.begin_epoch(n_steps)
        if self._replayed is not None:
            self._replayed.begin_epoch()
        steps = []
        for number, (batch, masks) in enumerate(self.batches.epoch()):
            if self._replayed is not None and self.weights.all_move and self.loss.balancer.steps_are_alike:
                found = self._replayed(batch, masks)
            else:
                found = self._step(number, n_steps, batch.picked(), masks)
            steps.append(dict(zip(("task_loss", "task_mass"), found, strict=True)))
        self._records = TrainingRecords(self.members, self.loss, *losses_and_masses(steps))
        self._records.write()

    def _step(
        self, number: int, n_steps: Sequence[int], batch: Batch, masks: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Make a step of the nets that have a batch left; return the tasks' losses, and their masses."""
        balancer = self.loss.balancer
        again = batch.copied() if balancer.has_after_step else None
        step = self.put_gradients(batch, masks, self._look_at(number, n_steps))
        self.weights.clip(self._bounds)
        self.weights.step()
        if again is not None:
            balancer.after_step(self._losses_again(again, masks))
        balancer.keep(number)
        return step["task_loss"], step["task_mass"]

    def whole_step(
        self, batch: Batch, masks: Sequence[Tensor], rates: Sequence[Any]
    ) -> tuple[Tensor, Tensor]:
        """Make a step of all nets, at the rates that `StackedWeights.next_rates` has returned."""
        step = self.put_gradients(batch, masks)
        self.weights.clip(self._bounds)
        self.weights.move(rates)
        self.loss.balancer.keep(0)
        return step["task_loss"], step["task_mass"]

    def _look_at(self, number: int, n_steps: Sequence[int]) -> Callable[[Any], None] | None:
        """Return what compares the gradients of the tasks in a step, if that is due for some nets.

        Parameters
        ----------
        number : int
            Number of the step in the epoch.
        n_steps : sequence of int
            Steps of each net in the epoch.
        """
        conflicts = [member.net.conflict_ for member in self.members]
        due = [
            (slot, conflict)
            for slot, (conflict, n) in enumerate(zip(conflicts, n_steps, strict=True))
            if conflict is not None and number < n and conflict.is_due(number)
        ]
        if not due:
            return None

        def look(losses: Any) -> None:
            cosines = task_cosines(losses, self.weights.shared_in_all())
            for slot, conflict in due:
                conflict.add(cosines[slot])

        return look

    @torch.no_grad()
    def _losses_again(self, batch: Batch, masks: Sequence[Tensor]) -> Tensor:
        """Return the losses of a step's rows, with its masks, under the weights that it has made."""
        raw, _ = self.forward(batch, masks, training=True)
        losses: Tensor = self.loss.losses(batch.for_labels(raw), batch.y, batch.weight).values
        return losses

    @torch.no_grad()
    def _validate(self) -> None:
        alone = self.members[0].net.iterator_valid__batch_size
        size = max(FEWEST_VALIDATION_ROWS, alone // len(self.members))
        batches = list(self.batches.validation(size))
        steps = [validation_step(self.loss.losses, self.forward(batch)[0], batch) for batch in batches]
        loss, mass = (sums.sum(0) for sums in losses_and_masses(steps))
        y, weight = (
            torch.cat([getattr(batch, name) for batch in batches], dim=1) for name in ("y", "weight")
        )
        scores = validation_scores(self.loss.losses, steps, y, weight)
        for slot, member in enumerate(self.members):
            sizes = [len(member.ready.plan.valid or ())]
            member.net.record_validation(loss[slot], mass[slot], scores[slot], sizes)
            member.net.history.record("valid_batch_count", len(batches))

    def _leave(self, leaving: Sequence[Member]) -> None:
        """End the training of some nets as that of a single net ends."""
        for member in leaving:
            slot, plan = self.members.index(member), member.ready.plan
            self._records.complete(member)
            self.weights.release(slot)
            self.loss.balancer.release(slot)
            if member.error is None:
                run = member.net.run_
                run.kept = run.kept and run.kept.on_its_own()
                with self.batches.random_numbers_of(slot).state.restored(self.settings.device, alone=True):
                    member.net.close_training(plan.train, plan.valid)
        self._go_on_without(leaving)

    def _go_on_without(self, leaving: Sequence[Member]) -> None:
        slots = [slot for slot, member in enumerate(self.members) if member not in leaving]
        self.members = [self.members[slot] for slot in slots]
        if leaving and slots:
            ready = [member.ready for member in self.members]
            self.weights.keep(slots)
            self.batches = StackedBatches(ready, self.module.calls, self.batches)
            self.loss = StackedLoss.of([one.net.criterion_ for one in ready])
            self._bounds = self.weights.bounds([one.plan.settings.gradient_clip for one in ready])
