"""Many nets trained as one, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sklearn_mtl.balancing.balancer import put_gradients
from sklearn_mtl.data.table import Batch
from sklearn_mtl.network.torch_private import uncompiled
from sklearn_mtl.training.kept_weights import StopTraining
from sklearn_mtl.training.recording import to_numbers
from sklearn_mtl.training.runs import ReadyNet
from sklearn_mtl.training.stacking.arrangement import Arrangement, few_rows
from sklearn_mtl.training.stacking.module import StackedModule
from sklearn_mtl.training.stacking.weights import StackedWeights

# Told of each net that is done: its position, and the error that ended it, if one did.
Done = Callable[[int, Exception | None], None]
# A validation batch holds as many rows of all nets as one net alone would take, but not fewer of each.
FEWEST_VALIDATION_ROWS = 64


@dataclass(eq=False)
class Member:
    """A net in the stack.

    Parameters
    ----------
    position : int
        Its place in the sequence of nets.
    ready : ReadyNet
        The net.
    error : Exception or None
        What ended it.
    """

    position: int
    ready: ReadyNet
    error: Exception | None = None

    def __post_init__(self) -> None:
        """Count the epochs still to come, at most."""
        plan = self.ready.plan
        self.epochs = plan.settings.max_epochs if plan.epochs is None else plan.epochs

    @property
    def net(self) -> Any:
        """The net."""
        return self.ready.net

    def end_epoch(self) -> bool:
        """Let the net's callbacks see the epoch; return whether it was the last."""
        self.epochs -= 1
        plan = self.ready.plan
        try:
            self.net.notify("on_epoch_end", dataset_train=plan.train, dataset_valid=plan.valid)
        except StopTraining:
            return True
        except Exception as error:
            self.error = error
            return True
        return self.epochs <= 0


class Lockstep:
    """Nets of one structure, trained together until each is done.

    Each has the rows, weights, optimizer settings, random numbers, stopping and history of the fit that
    it replaces; what they have in common is the launch of every operation.

    Parameters
    ----------
    ready : sequence of ReadyNet
        The nets, those of equal losses next to each other; all have held-out rows, or none has.
    """

    def __init__(self, ready: Sequence[ReadyNet]) -> None:
        self.settings = ready[0].plan.settings
        self.members = [Member(place, one) for place, one in enumerate(ready)]
        with ready[0].generator.restored(self.settings.device):
            few = few_rows(ready[0].plan.train).inputs
            self.module = StackedModule(uncompiled(ready[0].net.module_), few)
        for one in ready:
            with one.generator.restored(self.settings.device):
                one.net.open_training(one.plan.train, one.plan.valid)
        self.weights = StackedWeights([one.net for one in ready])
        self.arrangement = Arrangement(ready, self.module.calls)

    def run(self, done: Done, watch: Callable[[int], None] | None = None) -> None:
        """Train until every net is done.

        Parameters
        ----------
        done : callable
            Told of each net that is done.
        watch : callable, optional
            Told the number of each epoch when it is over.
        """
        epoch = 0
        while self.members:
            leaving = self._epoch()
            epoch += 1
            if watch is not None:
                watch(epoch)
            self._leave(leaving)
            for member in leaving:
                done(member.position, member.error)

    def abandon(self, positions: Collection[int]) -> None:
        """Leave out nets that have not yet been trained."""
        leaving = [member for member in self.members if member.position in positions]
        for member in leaving:
            self.weights.release(self.members.index(member))
        self._go_on_without(leaving)

    def put_gradients(self, batch: Batch, masks: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Put gradients on the stacked weights: a step, but for the optimizer's part.

        Parameters
        ----------
        batch : Batch
            Rows with networks in front.
        masks : sequence of tensor
            Of the dropout layers.

        Returns
        -------
        raw, penalty : tensor, with networks in front
            Raw outputs and penalties, without graph.
        loss, mass : tensor of shape (networks, tasks)
            Summed losses, and the weights of their labels.
        """
        self.weights.clear_gradients()
        raw, penalty = self.forward(batch, masks, training=True)
        gradient, loss, mass = self.arrangement.gradient(raw, batch, self.weights.of_balancer())
        put_gradients(raw, gradient, penalty)
        return raw.detach(), penalty.detach(), loss, mass

    def forward(
        self, batch: Batch, masks: Sequence[Tensor] = (), *, training: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the nets' raw outputs and penalties for rows with networks in front."""
        weights = self.weights.of_module(averaged=not training)
        with self.members[0].net.autocast_now() if training else nullcontext():
            raw, penalty = self.module(weights, batch.inputs, masks, training=training)
        return raw.to(batch.y.dtype), penalty

    def _epoch(self) -> list[Member]:
        """Train for one epoch; return the nets for which it was the last."""
        for member in self.members:
            plan = member.ready.plan
            member.net.notify("on_epoch_begin", dataset_train=plan.train, dataset_valid=plan.valid)
        self._train()
        if self.members[0].ready.plan.valid is not None:
            self._validate()
        return [member for member in self.members if member.end_epoch()]

    def _train(self) -> None:
        steps = []
        bounds = self.weights.bounds([member.ready.plan.settings.gradient_clip for member in self.members])
        self.weights.begin_epoch([member.ready.plan.n_batches for member in self.members])
        for batch, masks in self.arrangement.epoch():
            _, _, loss, mass = self.put_gradients(batch, masks)
            self.weights.clip(bounds)
            self.weights.step()
            steps.append((loss, mass))
        losses, masses = (to_numbers(torch.stack(values)) for values in zip(*steps, strict=True))
        for slot, member in enumerate(self.members):
            sizes = member.ready.plan.batch_sizes
            own = slice(len(sizes))
            member.net.record_training(losses[own, slot], masses[own, slot], sizes)
            member.net.history.record("train_batch_count", own.stop)

    @torch.no_grad()
    def _validate(self) -> None:
        alone = self.members[0].net.iterator_valid__batch_size
        size = max(FEWEST_VALIDATION_ROWS, alone // len(self.members))
        parts = [
            (self.forward(batch)[0], batch.y, batch.weight) for batch in self.arrangement.validation(size)
        ]
        raw, y, weight = (torch.cat(of_all, dim=1) for of_all in zip(*parts, strict=True))
        found = self.arrangement.validation_losses(raw, y, weight)
        loss, mass, scores = (to_numbers(values) for values in found)
        for slot, member in enumerate(self.members):
            sizes = [len(member.ready.plan.valid or ())]
            member.net.record_validation(loss[slot], mass[slot], scores[slot], sizes)
            member.net.history.record("valid_batch_count", len(parts))

    def _leave(self, leaving: Sequence[Member]) -> None:
        """End the training of some nets as that of a single net ends."""
        for member in leaving:
            slot = self.members.index(member)
            self.weights.release(slot)
            if member.error is None:
                with self.arrangement.stream_of(slot).state.restored(self.settings.device):
                    member.net.close_training(member.ready.plan.train)
        self._go_on_without(leaving)

    def _go_on_without(self, leaving: Sequence[Member]) -> None:
        slots = [slot for slot, member in enumerate(self.members) if member not in leaving]
        if not leaving or not slots:
            self.members = [self.members[slot] for slot in slots]
            return
        self.members = [self.members[slot] for slot in slots]
        self.weights.keep(slots)
        ready = [member.ready for member in self.members]
        self.arrangement = Arrangement(ready, self.module.calls, self.arrangement)
