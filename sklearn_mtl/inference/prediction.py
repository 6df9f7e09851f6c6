"""Rows through a network: in chunks of bounded memory, each row rounded as it is among any others."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from sklearn_mtl.data.rows import DeviceRows, InputRows, cut
from sklearn_mtl.inference.padding import (
    ENOUGH_ROWS,
    Forward,
    pad_to_multiple,
    run_padded,
    widths_for_vectors,
)
from sklearn_mtl.inference.to_host import CHUNKS_BEHIND, sent
from sklearn_mtl.network import MultiTaskModule, in_default_modes, is_out_of_memory
from sklearn_mtl.tasks import TaskLosses
from sklearn_mtl.tasks.losses.positions import NO_POSITION

# Largest activation of a chunk, in numbers: a core's caches are small, a GPU needs much to do at once.
NUMBERS_AT_ONCE = 2**18
NUMBERS_AT_ONCE_ON_GPU = 2**25
# Torch gives a thread at least so many numbers of an activation. Two threads share whole vectors; three or
# more may split one, the numbers of which are then computed singly.
NUMBERS_OF_A_THREAD = 2**15
# In chunks of fewer rows, launching the operations costs more than the caches save.
FEWEST_ROWS_AT_ONCE = 3 * ENOUGH_ROWS

Inputs = Mapping[str, Tensor] | InputRows

# The largest activation of a row, by network.
_numbers_per_row: WeakKeyDictionary[MultiTaskModule, int] = WeakKeyDictionary()


def raw_outputs(module: MultiTaskModule, inputs: Inputs, *, calibrated: bool = True) -> Tensor:
    """Return the raw outputs of all rows, shape (rows, members, raw_width).

    Parameters
    ----------
    module : MultiTaskModule
        The network, put into evaluation mode.
    inputs : mapping of str to tensor, or InputRows
        Encoded rows, on the module's device.
    calibrated : bool, default=True
        Whether they are those by which tasks predict. Otherwise they are those of the heads, to which
        temperatures and the share of a linear model apply.
    """
    forward = module.calibrated if calibrated else module.of_heads
    # Nobody compares them with those of other rows: they need no padding.
    return in_chunks(module, inputs, lambda chunk: [forward(chunk)], padded=False)[0]


def mean_responses(
    modules: Sequence[MultiTaskModule], losses: Sequence[TaskLosses], inputs: Inputs
) -> list[Tensor]:
    """Return the responses of each group of tasks, averaged over members and networks.

    Parameters
    ----------
    modules : sequence of MultiTaskModule
        Networks of equal shape, put into evaluation mode.
    losses : sequence of TaskLosses
        The losses of each network, which turn its raw outputs into responses.
    inputs : mapping of str to tensor, or InputRows
        Encoded rows, on the modules' device.

    Returns
    -------
    list of tensor of shape (rows, group.n_columns, loss.width)
        One for each group, float64 on the CPU.
    """
    return _by_networks(modules, losses, inputs, lambda means: means)


def mean_log_responses(
    modules: Sequence[MultiTaskModule], losses: Sequence[TaskLosses], inputs: Inputs
) -> list[Tensor]:
    """Return the logarithms of the `mean_responses`, as far as these are probabilities.

    Parameters
    ----------
    modules, losses, inputs
        The same as in `mean_responses`.

    Returns
    -------
    list of tensor of shape (rows, group.n_columns, loss.width or more)
        One for each group, float64 on the CPU; see `RowLoss.log_response`.
    """
    return _by_networks(modules, losses, inputs, lambda means: means, TaskLosses.log_responses, _log_mean)


def mean_decisions(
    modules: Sequence[MultiTaskModule], losses: Sequence[TaskLosses], inputs: Inputs
) -> list[Tensor]:
    """Return the decisions by the `mean_responses`, which are in memory for one chunk of rows at a time.

    Parameters
    ----------
    modules, losses, inputs
        The same as in `mean_responses`.

    Returns
    -------
    list of tensor of shape (rows, group.n_columns)
        One for each group: float64 numbers, class codes, or whether it is the second class.
    """
    return _by_networks(modules, losses, inputs, losses[0].decisions)


def _mean(of_nets: Sequence[Tensor]) -> Tensor:
    total: Any = sum(of_nets)
    return total / len(of_nets)


def _log_mean(of_nets: Sequence[Tensor]) -> Tensor:
    return torch.stack(tuple(of_nets)).logsumexp(0) - math.log(len(of_nets))


def _by_networks(
    modules: Sequence[MultiTaskModule],
    losses: Sequence[TaskLosses],
    inputs: Inputs,
    then: Callable[[list[Tensor]], list[Tensor]],
    responses: Callable[[TaskLosses, Tensor], list[Tensor]] = TaskLosses.responses,
    mean: Callable[[Sequence[Tensor]], Tensor] = _mean,
) -> list[Tensor]:
    on_host = not _decides(modules[0].raw_scale.device)

    def forward(chunk: Mapping[str, Tensor]) -> list[Tensor]:
        # Several networks are given copies: one may work in place, and the next takes the same rows.
        each = [
            _whole_vectors(
                partial(responses, loss),
                _padded(module, chunk if len(modules) == 1 else _copied(chunk), on_host=on_host),
            )
            for module, loss in zip(modules, losses, strict=True)
        ]
        return then(each[0] if len(each) == 1 else [mean(of_nets) for of_nets in zip(*each, strict=True)])

    for module in modules:
        _in_evaluation_mode(module)
    return in_chunks(modules[0], inputs, forward, to_host=True)


def _decides(device: torch.device) -> bool:
    """Whether a device computes in float64, as responses and decisions are."""
    return device.type in {"cpu", "cuda"}


def _copied(chunk: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: block.clone() for name, block in chunk.items()}


def representations(module: MultiTaskModule, inputs: Inputs) -> Tensor:
    """Return the shared representation of all rows, shape (rows, width)."""
    return in_chunks(module, inputs, lambda chunk: [module.represent(chunk)])[0]


@in_default_modes
@torch.no_grad()
def in_chunks(
    module: MultiTaskModule,
    inputs: Inputs,
    forward: Forward,
    *,
    padded: bool = True,
    to_host: bool = False,
) -> list[Tensor]:
    """Run rows through the network in chunks of bounded memory.

    Parameters
    ----------
    module : MultiTaskModule
        The network, put into evaluation mode.
    inputs : mapping of str to tensor, or InputRows
        Encoded rows, on the module's device.
    forward : callable
        Takes the input blocks of some rows, and returns tensors with as many rows.
    padded : bool, default=True
        Whether each row is to be rounded as among any others.
    to_host : bool, default=False
        Whether the tensors of all rows are to be on the CPU, brought there while the device goes on.
    """
    _in_evaluation_mode(module)
    rows = DeviceRows(dict(inputs)) if isinstance(inputs, Mapping) else inputs
    run = partial(run_padded, module, forward=forward) if padded else lambda chunk, _n_rows: forward(chunk)
    return _in_chunks_of(rows_at_once(module, rows), rows, run, module.raw_scale.device, to_host=to_host)


def _in_chunks_of(
    size: int,
    rows: InputRows,
    run: Callable[[dict[str, Tensor], int], list[Tensor]],
    device: torch.device,
    *,
    to_host: bool,
) -> list[Tensor]:
    """Run rows in chunks of a size; a chunk for which memory is short in halves of it."""
    total, start = len(rows), 0
    results: list[Tensor] = []
    behind: deque[tuple[Callable[[], list[Tensor]], int, int]] = deque()
    for chunk in rows.iterate([rows.place(slice(None))]) if total <= size else _chunks(rows, size):
        stop = min(start + size, total)
        parts = _attempt(run, chunk, stop - start)
        if parts is None:
            half = -(-(stop - start) // 2 // ENOUGH_ROWS) * ENOUGH_ROWS
            # Read again: the network may have worked in place before memory was short.
            again = rows.take(torch.arange(start, stop, device=device))
            parts = _in_chunks_of(half, again, run, device, to_host=to_host)
        if stop - start == total:
            return [part.cpu() for part in parts] if to_host else parts
        behind.append((sent(parts) if to_host else partial(list, parts), start, stop))
        if len(behind) > (CHUNKS_BEHIND if to_host else 0):
            results = _with(results, total, *behind.popleft())
        start = stop
    for chunk_behind in behind:
        results = _with(results, total, *chunk_behind)
    return results


def _with(
    results: list[Tensor], total: int, arrived: Callable[[], list[Tensor]], start: int, stop: int
) -> list[Tensor]:
    """Return the results for all rows with those for some, once these have arrived."""
    parts = arrived()
    results = results or [part.new_empty((total, *part.shape[1:])) for part in parts]
    return [_written(result, part, start, stop) for result, part in zip(results, parts, strict=True)]


def _attempt(
    run: Callable[[dict[str, Tensor], int], list[Tensor]], chunk: dict[str, Tensor], n_rows: int
) -> list[Tensor] | None:
    """Return what is made of some rows, or None where memory is short and fewer may do."""
    try:
        return run(chunk, n_rows)
    except (MemoryError, RuntimeError) as error:
        if n_rows <= ENOUGH_ROWS or not is_out_of_memory(error):
            raise
    return None


def _written(result: Tensor, part: Tensor, start: int, stop: int) -> Tensor:
    """Return the result for all rows with that for some; where rows have more positions, it is wider."""
    if part.shape[1:] != result.shape[1:]:
        n_positions = max(part.shape[1], result.shape[1])
        result, part = (_of_positions(tensor, n_positions) for tensor in (result, part))
    result[start:stop] = part
    return result


def _of_positions(tensor: Tensor, n_positions: int) -> Tensor:
    """Return a tensor of responses or decisions with more positions, which no row has."""
    missing = n_positions - tensor.shape[1]
    nothing = torch.nan if tensor.is_floating_point() else NO_POSITION
    return pad(tensor, (*(0, 0) * (tensor.ndim - 2), 0, missing), value=nothing) if missing else tensor


def _chunks(rows: InputRows, size: int) -> Iterator[dict[str, Tensor]]:
    """Iterate over the rows in chunks; those that are encoded on the way are read some chunks at a time."""
    everything = rows.place(slice(None))
    stretch = max(rows.at_once // size, 1) * size
    for read in rows.iterate(cut(everything, _bounds(len(rows), stretch))):
        of_stretch = DeviceRows(read)
        if len(of_stretch) <= size:
            yield read
        else:
            yield from of_stretch.iterate(slice(*pair) for pair in _bounds(len(of_stretch), size))


def _bounds(total: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, total)) for start in range(0, total, size)]


def rows_at_once(module: MultiTaskModule, rows: InputRows) -> int:
    """Return how many rows fit the memory bound, a multiple of 64.

    The largest activation of a few rows is measured once for each network.

    Parameters
    ----------
    module : MultiTaskModule
        The network, put into evaluation mode.
    rows : InputRows
        Encoded rows, on the module's device.
    """
    if len(rows) <= ENOUGH_ROWS:
        return ENOUGH_ROWS
    if module not in _numbers_per_row:
        largest = _largest_activation(_in_evaluation_mode(module), _few(rows))
        _numbers_per_row[module] = -(-largest // ENOUGH_ROWS)
    n_threads, fewest = torch.get_num_threads(), FEWEST_ROWS_AT_ONCE
    if module.raw_scale.device.type != "cpu":
        numbers = NUMBERS_AT_ONCE_ON_GPU
    elif n_threads > 2 and widths_for_vectors(module, lambda: _few(rows)):
        numbers, fewest = 2 * NUMBERS_OF_A_THREAD, ENOUGH_ROWS
    else:
        numbers = NUMBERS_AT_ONCE * n_threads
    return max(numbers // _numbers_per_row[module] // ENOUGH_ROWS * ENOUGH_ROWS, fewest)


def _few(rows: InputRows) -> dict[str, Tensor]:
    return next(iter(rows.iterate([rows.place(slice(ENOUGH_ROWS))])))


@torch.no_grad()
def _largest_activation(module: MultiTaskModule, rows: Mapping[str, Tensor]) -> int:
    largest = 1

    def measure(_part: nn.Module, _given: Any, output: Any) -> None:
        nonlocal largest
        if isinstance(output, Tensor):
            largest = max(largest, output.numel())

    hooks = [part.register_forward_hook(measure) for part in module.modules()]
    try:
        module(rows)
    finally:
        for hook in hooks:
            hook.remove()
    return largest


def _padded(module: MultiTaskModule, chunk: Mapping[str, Tensor], *, on_host: bool) -> Tensor:
    raw = module.calibrated(chunk)
    # Rows beyond a whole number of vectors would be computed one at a time, and rounded in another way.
    return pad_to_multiple((raw.cpu() if on_host else raw).double())


def _whole_vectors(respond: Callable[[Tensor], list[Tensor]], raw: Tensor) -> list[Tensor]:
    """Return what is made of raw outputs, by three threads or more in pieces that no two of them share."""
    on_cpu = raw.device.type == "cpu"
    if not on_cpu or torch.get_num_threads() < 3 or raw.numel() <= NUMBERS_OF_A_THREAD:
        return respond(raw)
    n_rows = max(NUMBERS_OF_A_THREAD // raw[0].numel() // ENOUGH_ROWS, 1) * ENOUGH_ROWS
    return [torch.cat(parts) for parts in zip(*map(respond, raw.split(n_rows)), strict=True)]


def _in_evaluation_mode(module: MultiTaskModule) -> MultiTaskModule:
    """Return the module in evaluation mode; the mode is asked first, since setting it visits every layer."""
    return module.eval() if module.training else module
