"""The rows, and the random numbers, of each step of a stack, with a leading network axis.

Each net is given what it would read and draw if it were trained alone. Nets often share that: candidates
that differ in task weights see the same rows in the same order, and drop the same units. What is shared is
picked or drawn once, and then expanded to all.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from sklearn_mtl.data import Batch, PendingBatch, Table, WholeBatches
from sklearn_mtl.network.generators import GeneratorState
from sklearn_mtl.training.runs import ReadyNet
from sklearn_mtl.training.stacking.module import DropoutCall, draw_mask

# Rows that are tried, with a label of every task if so many rows looked through have one.
N_ROWS, N_LOOKED_THROUGH = 16, 10_000
# Rows of zeros and without labels, which must not change what comes of the others.
N_EMPTY = 2


class StackedBatches:
    """The rows and dropout masks of the nets in a stack.

    Parameters
    ----------
    ready : sequence of ReadyNet
        The nets.
    calls : sequence of DropoutCall
        Passages through dropout layers.
    before : StackedBatches, optional
        Batches of these nets and of others, whose random numbers go on.
    """

    def __init__(
        self, ready: Sequence[ReadyNet], calls: Sequence[DropoutCall], before: StackedBatches | None = None
    ) -> None:
        self._calls = calls
        self._random: dict[Hashable, RandomNumbers] = {}
        keys = [self._draws(one, {} if before is None else before._random) for one in ready]
        device = ready[0].plan.settings.device
        self._of_random = Assignment(keys, device)
        tables = [(key, id(one.plan.train)) for key, one in zip(keys, ready, strict=True)]
        self._of_rows = Assignment(tables, device)
        self._batches = [
            (
                self._random[keys[first]],
                WholeBatches(ready[first].plan.train, ready[first].plan.settings.batch_size),
            )
            for first in self._of_rows.first
        ]
        self._of_valid = Assignment([id(one.plan.valid) for one in ready], device)
        valid = [ready[first].plan.valid for first in self._of_valid.first]
        self._valid = [table for table in valid if table is not None]

    def _draws(self, one: ReadyNet, known: Mapping[Hashable, RandomNumbers]) -> Hashable:
        """Return the key of a net's random numbers, which are made where no other net has the same."""
        layers = dropout_layers(one, self._calls)
        key = RandomNumbers.key(one, layers)
        if key not in self._random:
            self._random[key] = known.get(key) or RandomNumbers(one, layers)
        return key

    def random_numbers_of(self, slot: int) -> RandomNumbers:
        """Return the random numbers of the net at a place of the stack."""
        return list(self._random.values())[self._of_random.numbers[slot]]

    def epoch(self) -> Iterator[tuple[PendingBatch, list[Tensor]]]:
        """Iterate over the steps of an epoch, as many as the net with the most batches takes.

        Yields
        ------
        batch : PendingBatch
            Rows with a leading network axis; those that a net does not have weigh nothing.
        masks : list of tensor
            The masks of the dropout layers.
        """
        orders = {id(random): random.order() for random in self._random.values()}
        rows = [batches.pending(orders[id(random)], random.cpu) for random, batches in self._batches]
        while True:
            parts = [next(iterator, None) for iterator in rows]
            there = [part for part in parts if part is not None]
            if not there:
                return
            masks = self._masks([0 if part is None else part.n_rows for part in parts])
            if len(there) == len(parts):
                yield self._together(there), masks
                continue
            some = there[0].picked()
            filled = [_no_rows(some) if part is None else part.picked() for part in parts]
            yield PendingBatch.of(stacked_batch(filled, self._of_rows)), masks

    def _together(self, parts: Sequence[PendingBatch]) -> PendingBatch:
        """Return the batches of the different tables as one with a leading network axis."""
        ends = [0, *accumulate(len(part.given) for part in parts)]

        def pick(given: Sequence[Tensor]) -> Batch:
            pairs = zip(parts, pairwise(ends), strict=True)
            return stacked_batch([part.pick(given[slice(*pair)]) for part, pair in pairs], self._of_rows)

        given = [tensor for part in parts for tensor in part.given]
        return PendingBatch(max(part.n_rows for part in parts), given, pick)

    def validation(self, n_rows: int) -> Iterator[Batch]:
        """Iterate over the held-out rows, ``n_rows`` of each net at a time, with a leading network axis."""
        for start in range(0, max(map(len, self._valid)), n_rows):
            rows = [table.rows(slice(start, start + n_rows)) for table in self._valid]
            yield stacked_batch(rows, self._of_valid)

    def _masks(self, n_rows: Sequence[int]) -> list[Tensor]:
        """Draw the dropout masks of one step, those that nets share once.

        Parameters
        ----------
        n_rows : sequence of int
            Rows of the step in each of the different tables.
        """
        of_each = {id(random): n for (random, _), n in zip(self._batches, n_rows, strict=True)}
        like = self._batches[0][1].table.stored_y
        drawn = [random.masks(self._calls, of_each[id(random)], like) for random in self._random.values()]
        return [self._of_random.expand(layer) for layer in zip(*drawn, strict=True)]


class RandomNumbers:
    """The order of the rows and the dropout masks that nets would draw if they were trained alone.

    Nets draw the same that have one seed, as many rows, batches of one size and the same dropout rates, as
    candidates of a search that differ in task weights or learning rates.

    Parameters
    ----------
    ready : ReadyNet
        One of the nets that draw these numbers.
    layers : sequence of nn.Module
        The net's dropout layers, in the order of the calls.
    """

    def __init__(self, ready: ReadyNet, layers: Sequence[nn.Module]) -> None:
        self._layers = layers
        self._batches = WholeBatches(ready.plan.train, ready.plan.settings.batch_size, shuffle=True)
        # As in a net alone, rows are drawn on the CPU, so that a seed gives the same batches everywhere, and
        # masks on the device. Generators of their own: torch's global ones are the user's.
        self.cpu = torch.Generator()
        self.cpu.set_state(ready.generator.cpu)
        self._own = self.cpu
        if ready.generator.device is not None:
            self._own = torch.Generator(ready.plan.settings.device)
            self._own.set_state(ready.generator.device)

    @staticmethod
    def key(ready: ReadyNet, layers: Sequence[nn.Module]) -> Hashable:
        """Return what nets have in common that draw the same."""
        rates = tuple((type(layer), getattr(layer, "p", None)) for layer in layers)
        state = ready.generator
        device = b"" if state.device is None else state.device.numpy().tobytes()
        size, train = ready.plan.settings.batch_size, ready.plan.train
        # What is drawn for an augmentation, and which rows, may depend on the labels.
        rows = len(train) if train.drawing is None else id(train.drawing)
        return (state.cpu.numpy().tobytes(), device, rows, size, rates)

    @property
    def state(self) -> GeneratorState:
        """Where torch's generators would stand now."""
        device = None if self._own is self.cpu else self._own.get_state()
        return GeneratorState(self.cpu.get_state(), device)

    def order(self) -> Tensor:
        """Draw the order of the rows for an epoch, on the device."""
        return self._batches.order(self.cpu)

    def masks(self, calls: Sequence[DropoutCall], n_rows: int, like: Tensor) -> list[Tensor]:
        """Draw the masks of one step.

        Parameters
        ----------
        calls : sequence of DropoutCall
            Passages through the layers.
        n_rows : int
            Rows of the step.
        like : tensor
            A tensor of the masks' dtype and device.
        """
        return [
            draw_mask(layer, (n_rows, *call.shape), self._own, like)
            for layer, call in zip(self._layers, calls, strict=True)
        ]


class Assignment:
    """Which of several distinct tensors each network is given: those of equal keys are given the same.

    Parameters
    ----------
    keys : sequence of hashable
        A key for each network.
    device : torch.device
        Device of the tensors.

    Attributes
    ----------
    numbers : list of int
        For each network, the number of its tensor.
    first : list of int
        For each tensor, the first network that is given it.
    """

    def __init__(self, keys: Sequence[Hashable], device: torch.device) -> None:
        number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        self.numbers = [number[key] for key in keys]
        self.first = [self.numbers.index(i) for i in range(len(number))]
        one_each = self.numbers == list(range(len(number)))
        self._index = None if one_each else torch.tensor(self.numbers, device=device)

    def expand(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return the distinct tensors as one, (networks, ...), filled up with 0 where some are smaller."""
        if len(tensors) == 1:
            # All networks look at the one tensor; it need not be written out for each.
            return tensors[0].expand(len(self.numbers), *tensors[0].shape)
        stacked = padded(tensors)
        return stacked if self._index is None else stacked.index_select(0, self._index)


def stacked_batch(parts: Sequence[Batch], assignment: Assignment) -> Batch:
    """Return distinct batches as one, (networks, rows, ...).

    Parameters
    ----------
    parts : sequence of Batch
        Batches of the different tables. Where they differ in rows or in width they are filled up with 0: a
        row that was added weighs nothing, and a column that was added leaves the weights of a linear layer
        without a gradient, and so at 0, which they are in `StackedWeights`.
    assignment : Assignment
        The number of the batch that each network is given.
    """
    n_labels = max(part.n_labels for part in parts)
    if n_labels > 1:
        parts = [part.with_n_labels(n_labels) for part in parts]
    inputs = {name: assignment.expand([part.inputs[name] for part in parts]) for name in parts[0].inputs}
    y = assignment.expand([part.y for part in parts])
    return Batch(inputs, y, assignment.expand([part.weight for part in parts]))


def padded(tensors: Sequence[Tensor]) -> Tensor:
    """Return a stack of tensors, each in the corner of its part, and 0 where others are larger."""
    shapes = {tensor.shape for tensor in tensors}
    if len(shapes) == 1:
        return torch.stack(list(tensors))
    widest = [max(sizes) for sizes in zip(*shapes, strict=True)]
    stacked = tensors[0].new_zeros((len(tensors), *widest))
    for part, tensor in zip(stacked, tensors, strict=True):
        part[tuple(slice(size) for size in tensor.shape)] = tensor
    return stacked


def dropout_layers(ready: ReadyNet, calls: Sequence[DropoutCall]) -> list[nn.Module]:
    """Return the dropout layers of a net, in the order in which they are passed."""
    module = ready.net.network
    return [module.get_submodule(call.name) for call in calls]


def few_rows(table: Table, n_rows: int = 4) -> Batch:
    """Return the first rows of a table, to see what a module does with any."""
    return table.rows(slice(0, n_rows))


def rows_to_try(tables: Sequence[Table], *, last: bool = False) -> dict[int, Batch]:
    """Return some rows of each table, as many of each, by its id.

    Parameters
    ----------
    tables : sequence of Table
        Tables of the nets; one table may be there several times.
    last : bool, default=False
        Whether the rows are taken from the end of a table.
    """
    n_rows = min(N_ROWS, *map(len, tables))
    different = {id(table): table for table in tables}
    return {key: table.rows(_labelled(table, n_rows, last=last)) for key, table in different.items()}


def _labelled(table: Table, n_rows: int, *, last: bool) -> Tensor:
    """Return a row with a label of each task, the first that has one, and the first rows besides."""
    order = torch.arange(min(len(table), N_LOOKED_THROUGH), device=table.stored_weight.device)
    order = len(table) - 1 - order if last else order
    weight = table.stored_weight[table.blocks.place(order)]
    first = (weight > 0).to(torch.uint8).argmax(0).unique().tolist()
    chosen = list(dict.fromkeys([*first, *range(n_rows)]))[:n_rows]
    return order[chosen]


def _no_rows(batch: Batch) -> Batch:
    return Batch({name: block[:0] for name, block in batch.inputs.items()}, batch.y[:0], batch.weight[:0])


def stacked_rows_to_try(
    rows: Mapping[int, Batch],
    tables: Sequence[int],
    masks: Sequence[Sequence[Tensor]],
    device: torch.device,
) -> tuple[Batch, list[Tensor]]:
    """Return the rows and masks of all nets' own steps, and empty rows, with a leading network axis.

    Parameters
    ----------
    rows : mapping of int to Batch
        The rows of each table, as `rows_to_try` returns them.
    tables : sequence of int
        For each net, the id of its table.
    masks : sequence of sequence of tensor
        For each net, the masks of its dropout layers.
    device : torch.device
        Device of the rows and the masks.
    """
    of_tables, of_nets = Assignment(tables, device), Assignment(range(len(masks)), device)
    batches = [rows[tables[first]] for first in of_tables.first]
    longer = [
        Batch({name: _longer(block) for name, block in inputs.items()}, _longer(y), _longer(weight))
        for inputs, y, weight in batches
    ]
    layers = zip(*([_longer(mask) for mask in of_net] for of_net in masks), strict=True)
    return stacked_batch(longer, of_tables), [of_nets.expand(layer) for layer in layers]


def _longer(tensor: Tensor) -> Tensor:
    return torch.cat([tensor, tensor.new_zeros((N_EMPTY, *tensor.shape[1:]))])
