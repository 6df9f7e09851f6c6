"""Prediction: large batches, no gradient, and each row's result its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.tasks import TaskLosses
from sklearn_mtl.training.module import MultiTaskModule

# Below this many rows the matrix product takes another path, and the numbers left over by a whole number
# of vectors are computed one at a time, both with other rounding: inputs are padded to a multiple of it,
# so that a row's prediction never depends on the rows beside it.
FEWEST_ROWS = 64
# Bounds the memory of a chunk's largest activation, in numbers.
NUMBERS_AT_ONCE = 2**24

Inputs = Mapping[str, Tensor]


def raw_outputs(module: MultiTaskModule, inputs: Inputs, *, calibrated: bool = True) -> Tensor:
    """Return the raw outputs of all rows, shape (rows, members, raw_width).

    Parameters
    ----------
    module : MultiTaskModule
        The network, put into evaluation mode.
    inputs : mapping of str to tensor
        Encoded rows, on the module's device.
    calibrated : bool, default=True
        Whether to divide by the temperatures.
    """
    forward = module.calibrated if calibrated else module
    return by_chunk(module, inputs, lambda chunk: [forward(chunk)])[0]


def mean_responses(module: MultiTaskModule, losses: TaskLosses, inputs: Inputs) -> list[Tensor]:
    """Return what each group predicts, averaged over members, as float64 on the CPU.

    Parameters
    ----------
    module : MultiTaskModule
        The network, put into evaluation mode.
    losses : TaskLosses
        Turns raw outputs into responses.
    inputs : mapping of str to tensor
        Encoded rows, on the module's device.

    Returns
    -------
    list of tensor of shape (rows, group.n_columns, loss.width)
    """
    return by_chunk(module, inputs, lambda chunk: losses.responses(module.calibrated(chunk).cpu().double()))


def representations(module: MultiTaskModule, inputs: Inputs) -> Tensor:
    """Return the shared representation of all rows, shape (rows, width)."""
    return by_chunk(module, inputs, lambda chunk: [module.represent(chunk)])[0]


@torch.no_grad()
def by_chunk(
    module: MultiTaskModule, inputs: Inputs, forward: Callable[[Inputs], list[Tensor]]
) -> list[Tensor]:
    """Run rows through the network in chunks of bounded memory.

    Parameters
    ----------
    module : MultiTaskModule
        The network, put into evaluation mode.
    inputs : mapping of str to tensor
        Encoded rows, on the module's device.
    forward : callable
        From rows to tensors with as many rows.
    """
    module.eval()
    chunks = _chunks(inputs, rows_at_once(module, inputs))
    parts = [[part[:n_rows] for part in forward(_padded(chunk))] for chunk, n_rows in chunks]
    return [torch.cat(of_all) for of_all in zip(*parts, strict=True)]


@torch.no_grad()
def rows_at_once(module: MultiTaskModule, inputs: Inputs) -> int:
    """Return how many rows the memory bound allows, by the largest activation of a few; multiples of 64.

    Parameters
    ----------
    module : MultiTaskModule
        The network, put into evaluation mode.
    inputs : mapping of str to tensor
        Encoded rows, on the module's device.
    """
    if len(next(iter(inputs.values()))) <= FEWEST_ROWS:
        return FEWEST_ROWS
    largest = 1

    def measure(_part: nn.Module, _given: Any, output: Any) -> None:
        nonlocal largest
        if isinstance(output, Tensor):
            largest = max(largest, output.numel())

    hooks = [part.register_forward_hook(measure) for part in module.modules()]
    try:
        few, n_rows = next(_chunks(inputs, FEWEST_ROWS))
        module.eval()(few)
    finally:
        for hook in hooks:
            hook.remove()
    return max(NUMBERS_AT_ONCE * n_rows // largest // FEWEST_ROWS, 1) * FEWEST_ROWS


def _chunks(inputs: Inputs, size: int) -> Iterator[tuple[dict[str, Tensor], int]]:
    total = len(next(iter(inputs.values())))
    for start in range(0, total, size):
        stop = min(start + size, total)
        # Copied: a tensor may share the user's memory, and a module may work in place.
        yield {name: block[start:stop].clone() for name, block in inputs.items()}, stop - start


def _padded(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the inputs with zero rows added up to a multiple of the fewest."""
    n_rows = len(next(iter(inputs.values())))
    short = max(-n_rows % FEWEST_ROWS, FEWEST_ROWS - n_rows)
    if short <= 0:
        return inputs
    return {
        name: torch.cat([block, block.new_zeros((short, *block.shape[1:]))]) for name, block in inputs.items()
    }
