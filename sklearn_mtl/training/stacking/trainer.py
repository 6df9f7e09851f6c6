"""Many nets trained as one, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from sklearn_mtl.balancing.balancer import differentiated, put_gradients
from sklearn_mtl.data.table import Batch
from sklearn_mtl.network.module import BalancedLoss
from sklearn_mtl.network.torch_private import uncompiled
from sklearn_mtl.tasks import TaskLosses
from sklearn_mtl.training.kept_weights import StopTraining
from sklearn_mtl.training.recording import to_numbers
from sklearn_mtl.training.runs import ReadyNet
from sklearn_mtl.training.stacking.batches import StackedBatches, few_rows
from sklearn_mtl.training.stacking.grouping import losses_key
from sklearn_mtl.training.stacking.module import StackedModule
from sklearn_mtl.training.stacking.weights import StackedWeights

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
        self.members = [Member(position, one) for position, one in enumerate(ready)]
        with ready[0].generator.restored(self.settings.device):
            few = few_rows(ready[0].plan.train).inputs
            self.module = StackedModule(uncompiled(ready[0].net.module_), few)
        for one in ready:
            with one.generator.restored(self.settings.device):
                one.net.open_training(one.plan.train, one.plan.valid)
        self.weights = StackedWeights([one.net for one in ready])
        self.batches = StackedBatches(ready, self.module.calls)
        self.loss = StackedLoss([one.net.criterion_ for one in ready])

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
        while self.members:
            leaving = self._epoch()
            epoch += 1
            if watch is not None:
                watch(epoch)
            self._leave(leaving)
            for member in leaving:
                done(member.position, member.error)

    def remove(self, positions: Collection[int]) -> None:
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
            The masks of the dropout layers.

        Returns
        -------
        raw, penalty : tensor, with networks in front
            Raw outputs and penalties, without graph.
        loss, mass : tensor of shape (networks, tasks)
            Summed losses, and the weights of their labels.
        """
        self.weights.clear_gradients()
        raw, penalty = self.forward(batch, masks, training=True)
        gradient, loss, mass = self.loss.gradient(raw, batch, self.weights.of_balancer())
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
        for batch, masks in self.batches.epoch():
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
        parts = [(self.forward(batch)[0], batch.y, batch.weight) for batch in self.batches.validation(size)]
        raw, y, weight = (torch.cat(of_all, dim=1) for of_all in zip(*parts, strict=True))
        loss, mass, scores = (to_numbers(values) for values in self.loss.validation(raw, y, weight))
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
                with self.batches.random_numbers_of(slot).state.restored(self.settings.device):
                    member.net.close_training(member.ready.plan.train)
        self._go_on_without(leaving)

    def _go_on_without(self, leaving: Sequence[Member]) -> None:
        slots = [slot for slot, member in enumerate(self.members) if member not in leaving]
        self.members = [self.members[slot] for slot in slots]
        if leaving and slots:
            ready = [member.ready for member in self.members]
            self.weights.keep(slots)
            self.batches = StackedBatches(ready, self.module.calls, self.batches)
            self.loss = StackedLoss([one.net.criterion_ for one in ready])


class StackedLoss:
    """The losses of many nets, and what their balancers make of them.

    Parameters
    ----------
    criteria : sequence of BalancedLoss
        Of the nets, those of equal losses next to each other.
    """

    def __init__(self, criteria: Sequence[BalancedLoss]) -> None:
        self.weights = torch.stack([criterion.weights for criterion in criteria])
        self.balancer: Any = criteria[0].balancer
        self._parts = _by_loss([criterion.losses for criterion in criteria])

    def gradient(
        self, raw: Tensor, batch: Batch, state: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradient, in the raw outputs, of what each net's balancer makes of its losses.

        Learned parameters of the balancers get theirs on the way.

        Parameters
        ----------
        raw : tensor of shape (networks, rows, members, raw_width)
            What the nets put out.
        batch : Batch
            The rows, with networks in front.
        state : mapping of str to tensor, each with networks in front
            Parameters and buffers of the balancers.

        Returns
        -------
        gradient : tensor
            Shaped as the raw outputs.
        loss, mass : tensor of shape (networks, tasks)
            Summed losses, and the weights of their labels.
        """
        steps = [losses(raw[part], batch.y[part], batch.weight[part]) for part, losses in self._parts]
        values, loss, mass = _joined([(step.values, step.total, step.mass) for step in steps])
        rates = self._rates(values, state)
        (gradient,) = _joined(
            [(step.gradient(rates[part]),) for (part, _), step in zip(self._parts, steps, strict=True)]
        )
        return gradient, loss, mass

    def validation(self, raw: Tensor, y: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
        """Return summed losses, weights and metrics on the held-out rows, each (networks, tasks)."""
        found = []
        for part, losses in self._parts:
            responses = losses.responses(raw[part])
            sums = losses.response_sums(responses, y[part], weight[part])
            found.append((*sums, losses.scores(responses, y[part], weight[part])))
        return _joined(found)

    def _rates(self, losses: Tensor, state: Mapping[str, Tensor]) -> Tensor:
        """Return the derivative of each net's balanced loss in its losses, (networks, tasks)."""
        if not state:
            return self.balancer.differentiate(losses, self.weights)[1]
        balance = vmap(self._balance_one)
        return differentiated(lambda own: balance(dict(state), own, self.weights), losses)[1]

    def _balance_one(self, state: dict[str, Tensor], losses: Tensor, weights: Tensor) -> Any:
        return functional_call(self.balancer, state, (losses, weights))


def _by_loss(all_losses: Sequence[TaskLosses]) -> list[tuple[slice, TaskLosses]]:
    """Return which nets have losses of the same parameters, and those with the baselines of all."""
    keys = [losses_key(losses) for losses in all_losses]
    starts = [slot for slot, key in enumerate(keys) if slot == 0 or key != keys[slot - 1]]
    found = []
    for start, stop in zip(starts, [*starts[1:], len(keys)], strict=True):
        baseline = torch.stack([losses.baseline for losses in all_losses[start:stop]])
        found.append((slice(start, stop), all_losses[start].with_baseline(baseline)))
    return found


def _joined(parts: Sequence[tuple[Tensor, ...]]) -> Any:
    return parts[0] if len(parts) == 1 else tuple(torch.cat(of_all) for of_all in zip(*parts, strict=True))
