"""Rows, padded: each must round as it does among any others."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn.functional import pad

from sklearn_mtl.network.module import MultiTaskModule

# With multiples of so many rows each is rounded alike. With fewer a matrix product may take another path, and
# what is left over by a whole number of vectors, or of a product's tiles, another than the rest.
ENOUGH_ROWS = 64
# Numbers of rows that are tried, since fewer are faster. A single row always takes another path.
TRIED = (4, 8, 16, 32)

# By network and number of threads.
_found: WeakKeyDictionary[MultiTaskModule, dict[int, list[int]]] = WeakKeyDictionary()


def padded(module: MultiTaskModule, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the inputs with rows of zeros added, so that a row's result doesn't depend on their number.

    Parameters
    ----------
    module : MultiTaskModule
        The network they are for, in evaluation mode.
    inputs : dict of str to tensor
        Rows on the module's device.
    """
    n_rows = len(next(iter(inputs.values())))
    if n_rows >= ENOUGH_ROWS:
        return {name: whole_rows(block) for name, block in inputs.items()}
    sizes = sizes_that_round_alike(module, inputs)
    missing = sizes[bisect_left(sizes, n_rows)] - n_rows
    return {name: _longer(block, missing) for name, block in inputs.items()}


def whole_rows(block: Tensor) -> Tensor:
    """Return a tensor with rows of zeros added, up to the next multiple of 64."""
    return _longer(block, -len(block) % ENOUGH_ROWS)


def _longer(block: Tensor, missing: int) -> Tensor:
    # Pairs of paddings, the last axis first.
    return pad(block, (0, 0) * (block.ndim - 1) + (0, missing)) if missing else block


def sizes_that_round_alike(module: MultiTaskModule, inputs: Mapping[str, Tensor]) -> list[int]:
    """Return numbers of rows, ascending, with which the network rounds each row as with enough of them.

    It is found out once, by trying random rows: it depends on the shapes of the products, the processor
    and the number of threads.

    Parameters
    ----------
    module : MultiTaskModule
        The network, in evaluation mode.
    inputs : mapping of str to tensor
        Rows such as it takes.
    """
    known, n_threads = _found.get(module, {}), torch.get_num_threads()
    if n_threads not in known:
        on_cpu = module.raw_scale.device.type == "cpu"
        known = _found.setdefault(module, {})
        known[n_threads] = _try_sizes(module, inputs) if on_cpu else [ENOUGH_ROWS]
    return known[n_threads]


@torch.no_grad()
def _try_sizes(module: MultiTaskModule, inputs: Mapping[str, Tensor]) -> list[int]:
    rows = {name: _random_rows(block) for name, block in inputs.items()}
    expected = _results(module, rows)
    return [*(size for size in TRIED if _rounds_alike(module, rows, expected, size)), ENOUGH_ROWS]


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
    """Return all that prediction makes of rows; of copies, since a module may work in place."""
    return [
        forward({name: block.clone() for name, block in rows.items()})
        for forward in (module.represent, module.calibrated)
    ]


def _random_rows(block: Tensor) -> Tensor:
    """Return as many rows as are enough: noise, or the first row again and again where it holds codes."""
    if not block.is_floating_point():
        return block[:1].expand(ENOUGH_ROWS, *block.shape[1:]).contiguous()
    # A generator of its own: the global one is the user's.
    generator = torch.Generator().manual_seed(0)
    return torch.randn((ENOUGH_ROWS, *block.shape[1:]), generator=generator, dtype=block.dtype)
