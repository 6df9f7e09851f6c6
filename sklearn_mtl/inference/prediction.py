"""Rows through a network: in chunks of bounded memory, each row rounded as it is among any others."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from sklearn_mtl.data.rows import DeviceRows, InputRows, cut
from sklearn_mtl.network import MultiTaskModule, in_default_modes
from sklearn_mtl.tasks import TaskLosses

# In a multiple of so many rows each row is rounded alike. With fewer, a matrix product may take another path,
# and rows beyond a whole number of vectors, or of a product's tiles, are computed unlike the rest.
ENOUGH_ROWS = 64
# Smaller numbers of rows that are tried, since fewer are faster. A single row always takes another path.
SIZES_TO_TRY = (4, 8, 16, 32)
# Largest activation of a chunk, in numbers: a core's caches are small, a GPU needs much to do at once.
NUMBERS_AT_ONCE = 2**18
NUMBERS_AT_ONCE_ON_GPU = 2**24
# In chunks of fewer rows, launching the operations costs more than the caches save.
FEWEST_ROWS_AT_ONCE = 3 * ENOUGH_ROWS

Inputs = Mapping[str, Tensor] | InputRows
Forward = Callable[[Mapping[str, Tensor]], list[Tensor]]

# The largest activation of a row, by network.
_numbers_per_row: WeakKeyDictionary[MultiTaskModule, int] = WeakKeyDictionary()
# Numbers of rows that round alike, by network and number of threads.
_sizes_that_round_alike: WeakKeyDictionary[MultiTaskModule, dict[int, list[int]]] = WeakKeyDictionary()


def raw_outputs(module: MultiTaskModule, inputs: Inputs, *, calibrated: bool = True) -> Tensor:
    """Return the raw outputs of all rows, shape (rows, members, raw_width).

    Parameters
    ----------
    module : MultiTaskModule
        The network, put into evaluation mode.
    inputs : mapping of str to tensor, or InputRows
        Encoded rows, on the module's device.
    calibrated : bool, default=True
        Whether to divide by the temperatures.
    """
    forward = module.calibrated if calibrated else module
    return in_chunks(module, inputs, lambda chunk: [forward(chunk)])[0]


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
    def forward(chunk: Mapping[str, Tensor]) -> list[Tensor]:
        # Several networks are given copies: one may work in place, and the next takes the same rows.
        each = [
            responses(loss, _padded(module, chunk if len(modules) == 1 else _copied(chunk)))
            for module, loss in zip(modules, losses, strict=True)
        ]
        return then(each[0] if len(each) == 1 else [mean(of_nets) for of_nets in zip(*each, strict=True)])

    for module in modules:
        _in_evaluation_mode(module)
    return in_chunks(modules[0], inputs, forward)


def _copied(chunk: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: block.clone() for name, block in chunk.items()}


def representations(module: MultiTaskModule, inputs: Inputs) -> Tensor:
    """Return the shared representation of all rows, shape (rows, width)."""
    return in_chunks(module, inputs, lambda chunk: [module.represent(chunk)])[0]


@in_default_modes
@torch.no_grad()
def in_chunks(module: MultiTaskModule, inputs: Inputs, forward: Forward) -> list[Tensor]:
    """Run rows through the network in chunks of bounded memory.

    Parameters
    ----------
    module : MultiTaskModule
        The network, put into evaluation mode.
    inputs : mapping of str to tensor, or InputRows
        Encoded rows, on the module's device.
    forward : callable
        Takes the input blocks of some rows, and returns tensors with as many rows.
    """
    _in_evaluation_mode(module)
    rows = DeviceRows(dict(inputs)) if isinstance(inputs, Mapping) else inputs
    size, total = rows_at_once(module, rows), len(rows)
    everything = rows.place(slice(None))
    if total <= size:
        (chunk,) = rows.iterate([everything])
        return _run_chunk(module, chunk, total, forward)
    bounds = [(start, min(start + size, total)) for start in range(0, total, size)]
    results: list[Tensor] = []
    for (start, stop), chunk in zip(bounds, rows.iterate(cut(everything, bounds)), strict=True):
        parts = _run_chunk(module, chunk, stop - start, forward)
        if not results:
            results = [part.new_empty((total, *part.shape[1:])) for part in parts]
        for result, part in zip(results, parts, strict=True):
            result[start:stop] = part
    return results


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
        few = next(iter(rows.iterate([rows.place(slice(ENOUGH_ROWS))])))
        _numbers_per_row[module] = -(-_largest_activation(_in_evaluation_mode(module), few) // ENOUGH_ROWS)
    on_cpu = module.raw_scale.device.type == "cpu"
    numbers = NUMBERS_AT_ONCE * torch.get_num_threads() if on_cpu else NUMBERS_AT_ONCE_ON_GPU
    at_once = numbers // _numbers_per_row[module] // ENOUGH_ROWS * ENOUGH_ROWS
    return max(at_once, FEWEST_ROWS_AT_ONCE)


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


def _padded(module: MultiTaskModule, chunk: Mapping[str, Tensor]) -> Tensor:
    # Rows beyond a whole number of vectors would be computed one at a time, and rounded in another way.
    return pad_to_multiple(module.calibrated(chunk).cpu().double())


def _run_chunk(
    module: MultiTaskModule, chunk: dict[str, Tensor], n_rows: int, forward: Forward
) -> list[Tensor]:
    if n_rows % ENOUGH_ROWS == 0:
        return forward(chunk)
    return [part[:n_rows] for part in forward(pad_rows(module, chunk))]


def _in_evaluation_mode(module: MultiTaskModule) -> MultiTaskModule:
    """Return the module in evaluation mode; the mode is asked first, since setting it visits every layer."""
    return module.eval() if module.training else module


def pad_rows(module: MultiTaskModule, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the inputs with rows of zeros added, so that a row's result doesn't depend on their number.

    Parameters
    ----------
    module : MultiTaskModule
        The network that takes them, in evaluation mode.
    inputs : dict of str to tensor
        Rows on the module's device.
    """
    n_rows = len(next(iter(inputs.values())))
    if n_rows >= ENOUGH_ROWS:
        return {name: pad_to_multiple(block) for name, block in inputs.items()}
    sizes = sizes_that_round_alike(module, inputs)
    missing = sizes[bisect_left(sizes, n_rows)] - n_rows
    return {name: _longer(block, missing) for name, block in inputs.items()}


def pad_to_multiple(block: Tensor) -> Tensor:
    """Return a tensor with rows of zeros added, up to the next multiple of 64."""
    return _longer(block, -len(block) % ENOUGH_ROWS)


def _longer(block: Tensor, missing: int) -> Tensor:
    # Pairs of paddings, the last axis first.
    return pad(block, (0, 0) * (block.ndim - 1) + (0, missing)) if missing else block


def sizes_that_round_alike(module: MultiTaskModule, inputs: Mapping[str, Tensor]) -> list[int]:
    """Return the numbers of rows, ascending, in which the network rounds each row as it does in many.

    They are found once, by trying random rows, since they depend on the shapes of the products, the
    processor and the number of threads.

    Parameters
    ----------
    module : MultiTaskModule
        The network, in evaluation mode.
    inputs : mapping of str to tensor
        Rows of the shapes and dtypes that it takes.
    """
    known, n_threads = _sizes_that_round_alike.get(module, {}), torch.get_num_threads()
    if n_threads not in known:
        on_cpu = module.raw_scale.device.type == "cpu"
        known = _sizes_that_round_alike.setdefault(module, {})
        known[n_threads] = _try_sizes(module, inputs) if on_cpu else [ENOUGH_ROWS]
    return known[n_threads]


@torch.no_grad()
def _try_sizes(module: MultiTaskModule, inputs: Mapping[str, Tensor]) -> list[int]:
    rows = {name: _random_rows(block) for name, block in inputs.items()}
    expected = _results(module, rows)
    return [*(size for size in SIZES_TO_TRY if _rounds_alike(module, rows, expected, size)), ENOUGH_ROWS]


def _rounds_alike(
    module: MultiTaskModule, rows: Mapping[str, Tensor], expected: list[Tensor], size: int
) -> bool:
    for start in (0, ENOUGH_ROWS - size):
        part = slice(start, start + size)
        found = _results(module, {name: block[part] for name, block in rows.items()})
        if not all(torch.equal(few, many[part]) for few, many in zip(found, expected, strict=True)):
            return False
    return True


def _results(module: MultiTaskModule, rows: Mapping[str, Tensor]) -> list[Tensor]:
    """Return all that prediction makes of rows, each time of a copy, since a module may work in place."""
    return [
        forward({name: block.clone() for name, block in rows.items()})
        for forward in (module.represent, module.calibrated)
    ]


def _random_rows(block: Tensor) -> Tensor:
    """Return enough rows: noise, or the first row again and again where it holds codes."""
    if not block.is_floating_point():
        return block[:1].expand(ENOUGH_ROWS, *block.shape[1:]).contiguous()
    # A generator of its own: the global one is the user's.
    generator = torch.Generator().manual_seed(0)
    return torch.randn((ENOUGH_ROWS, *block.shape[1:]), generator=generator, dtype=block.dtype)
