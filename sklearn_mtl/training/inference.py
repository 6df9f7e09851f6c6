"""Prediction: large batches, no gradient, and each row's result its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from sklearn_mtl.training.module import MultiTaskModule

# Below this many rows the matrix product takes another path, with other rounding; smaller inputs are
# padded to it, so that a row's prediction never depends on the rows beside it.
FEWEST_ROWS = 64
# Bounds the memory of the widest layer, in numbers.
NUMBERS_AT_ONCE = 2**24


def raw_outputs(module: MultiTaskModule, inputs: Mapping[str, Tensor], *, calibrated: bool = True) -> Tensor:
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
    return _by_chunk(module, inputs, module.calibrated if calibrated else module)


def representations(module: MultiTaskModule, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return the shared representation of all rows, shape (rows, width)."""
    return _by_chunk(module, inputs, module.represent)


@torch.no_grad()
def _by_chunk(
    module: MultiTaskModule, inputs: Mapping[str, Tensor], forward: Callable[[Mapping[str, Tensor]], Tensor]
) -> Tensor:
    module.eval()
    widest = max((p.shape[-1] for p in module.parameters() if p.ndim), default=1)
    size = max(FEWEST_ROWS, NUMBERS_AT_ONCE // (module.sharing.members * widest))
    parts = [forward(_padded(chunk))[:n_rows] for chunk, n_rows in _chunks(inputs, size)]
    return torch.cat(parts)


def _chunks(inputs: Mapping[str, Tensor], size: int) -> Iterator[tuple[dict[str, Tensor], int]]:
    total = len(next(iter(inputs.values())))
    for start in range(0, total, size):
        stop = min(start + size, total)
        yield {name: block[start:stop] for name, block in inputs.items()}, stop - start


def _padded(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the inputs with zero rows added up to the fewest."""
    short = FEWEST_ROWS - len(next(iter(inputs.values())))
    if short <= 0:
        return inputs
    return {
        name: torch.cat([block, block.new_zeros((short, *block.shape[1:]))]) for name, block in inputs.items()
    }
