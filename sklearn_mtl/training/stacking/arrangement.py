"""Who is given what: the rows, random numbers and losses of the nets in a stack."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from sklearn_mtl.balancing.balancer import differentiated
from sklearn_mtl.data.table import Batch, Table, WholeBatches
from sklearn_mtl.network.torch_private import uncompiled
from sklearn_mtl.tasks import TaskLosses
from sklearn_mtl.training.runs import ReadyNet
from sklearn_mtl.training.stacking.module import DropoutCall
from sklearn_mtl.training.stacking.sources import Shares, stacked_batch
from sklearn_mtl.training.stacking.stream import Stream


class Arrangement:
    """The rows, random numbers and losses of the nets in a stack, each thing once for all who share it.

    Parameters
    ----------
    ready : sequence of ReadyNet
        The nets, those of equal losses next to each other.
    calls : sequence of DropoutCall
        Passages through dropout layers.
    before : Arrangement, optional
        Of the same nets and others: random numbers go on from there.
    """

    def __init__(
        self, ready: Sequence[ReadyNet], calls: Sequence[DropoutCall], before: Arrangement | None = None
    ) -> None:
        self.ready = list(ready)
        self.calls = calls
        self.device = ready[0].plan.settings.device
        known = {} if before is None else before._streams
        self._streams: dict[Hashable, Stream] = {}
        keys = [self._stream(one, known) for one in ready]
        self._stream_shares = Shares(keys, self.device)
        sources = [(key, id(one.plan.train)) for key, one in zip(keys, ready, strict=True)]
        self.sources = Shares(sources, self.device)
        self._batches = [
            (self._streams[keys[first]], WholeBatches(ready[first].plan.train, batch_size(ready[first])))
            for first in self.sources.first
        ]
        self._valid = Shares([id(one.plan.valid) for one in ready], self.device)
        tables = [ready[first].plan.valid for first in self._valid.first]
        self._valid_tables = [table for table in tables if table is not None]
        self.task_weights = torch.stack([one.net.criterion_.weights for one in ready])
        self._losses = _by_loss([one.net.criterion_.losses for one in ready])
        self.balancer = ready[0].net.criterion_.balancer

    def _stream(self, one: ReadyNet, known: Mapping[Hashable, Stream]) -> Hashable:
        module = uncompiled(one.net.module_)
        layers = [module.get_submodule(call.name) for call in self.calls]
        key = Stream.key(one, layers)
        if key not in self._streams:
            self._streams[key] = known.get(key) or Stream(one, layers)
        return key

    def stream_of(self, slot: int) -> Stream:
        """Return where a net's random numbers come from."""
        return list(self._streams.values())[self._stream_shares.places[slot]]

    def epoch(self) -> Iterator[tuple[Batch, list[Tensor]]]:
        """Iterate over the steps of an epoch.

        Yields
        ------
        batch : Batch
            Rows with networks in front; those that a net has not weigh nothing.
        masks : list of tensor
            Of the dropout layers.
        """
        orders = {id(stream): stream.order() for stream in self._streams.values()}
        rows = [batches.along(orders[id(stream)]) for stream, batches in self._batches]
        while True:
            batches = [next(iterator, None) for iterator in rows]
            some = next((batch for batch in batches if batch is not None), None)
            if some is None:
                return
            filled = [_none_like(some) if batch is None else batch for batch in batches]
            yield stacked_batch(filled, self.sources), self._masks(filled)

    def validation(self, n_rows: int) -> Iterator[Batch]:
        """Iterate over the held-out rows, ``n_rows`` of each net at a time, with networks in front."""
        longest = max(len(table) for table in self._valid_tables)
        for start in range(0, longest, n_rows):
            rows = [table.rows(slice(start, start + n_rows)) for table in self._valid_tables]
            yield stacked_batch(rows, self._valid)

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
        steps = [losses(raw[part], batch.y[part], batch.weight[part]) for part, losses in self._losses]
        values, loss, mass = _joined([(step.values, step.total, step.mass) for step in steps])
        rates = self._rates(values, state)
        (gradient,) = _joined(
            [(step.gradient(rates[part]),) for (part, _), step in zip(self._losses, steps, strict=True)]
        )
        return gradient, loss, mass

    def validation_losses(self, raw: Tensor, y: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
        """Return summed losses, weights and metrics on the held-out rows, each (networks, tasks)."""
        found = []
        for part, losses in self._losses:
            responses = losses.responses(raw[part])
            sums = losses.response_sums(responses, y[part], weight[part])
            found.append((*sums, losses.scores(responses, y[part], weight[part])))
        return _joined(found)

    def _rates(self, losses: Tensor, state: Mapping[str, Tensor]) -> Tensor:
        """Return the derivative of each net's balanced loss in its losses, (networks, tasks)."""
        if not state:
            return self.balancer.differentiate(losses, self.task_weights)[1]
        balance = vmap(self._balance_one)
        return differentiated(lambda own: balance(dict(state), own, self.task_weights), losses)[1]

    def _balance_one(self, state: dict[str, Tensor], losses: Tensor, weights: Tensor) -> Any:
        return functional_call(self.balancer, state, (losses, weights))

    def _masks(self, batches: Sequence[Batch]) -> list[Tensor]:
        """Draw the dropout masks of one step, those of each stream once."""
        n_rows = {id(stream): len(batch.y) for (stream, _), batch in zip(self._batches, batches, strict=True)}
        drawn = [
            stream.masks(self.calls, n_rows[id(stream)], batches[0].y) for stream in self._streams.values()
        ]
        return [self._stream_shares.expand(layer) for layer in zip(*drawn, strict=True)]


def batch_size(ready: ReadyNet) -> int:
    """Return the rows of each step of a net."""
    return ready.plan.settings.batch_size


def losses_key(losses: TaskLosses) -> Hashable:
    """Return what nets have in common whose losses are one expression."""
    return tuple(group.loss for group in losses.groups)


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


def _none_like(batch: Batch) -> Batch:
    return Batch({name: block[:0] for name, block in batch.inputs.items()}, batch.y[:0], batch.weight[:0])


def few_rows(table: Table, n_rows: int = 4) -> Batch:
    """Return the first rows of a table."""
    return table.rows(slice(0, n_rows))
