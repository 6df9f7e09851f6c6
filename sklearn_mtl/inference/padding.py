"""Rows that are added to few, so that each row is rounded as it is among many others.

How a product rounds a row depends on the number of rows, and on whether the row begins at an address of
whole vectors. The package's own layers see to the second (`trunks.layers.aligned`); how many rows it takes is
tried once for each network.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sklearn_mtl.network import MultiTaskModule, is_known
from sklearn_mtl.network.torch_private import MODULE_STATE, is_batched
from sklearn_mtl.recipes import fingerprint
from sklearn_mtl.trunks.layers import linear

# In a multiple of so many rows each row is rounded alike. With fewer, a matrix product may take another path,
# and rows beyond a whole number of vectors, or of a product's tiles, are computed unlike the rest.
ENOUGH_ROWS = 64
# Smaller numbers of rows that are tried, since fewer are faster. A single row always takes another path.
SIZES_TO_TRY = (4, 8, 16, 32)
# Activations are computed for so many numbers at a time, twice the widest vector, and what is left singly.
NUMBERS_IN_A_LOOP = 32
# Numbers by which it is seen whether an activation rounds a single one as it does in a vector.
NUMBERS_TO_TRY = 2**14
_OF_TORCH = "torch.nn.modules."
# Bytes of the widest vector: how a product goes about its weights may depend on where they begin.
WIDEST_VECTOR = 64
MOST_STRUCTURES = 256

Forward = Callable[[Mapping[str, Tensor]], list[Tensor]]


T = TypeVar("T")
# What was found by trying, by network and number of threads.
Known = WeakKeyDictionary[MultiTaskModule, dict[int, T]]
_alike_at_every_place: Known[bool] = WeakKeyDictionary()
_sizes_that_round_alike: Known[list[int]] = WeakKeyDictionary()
_widths_for_vectors: Known[set[int]] = WeakKeyDictionary()
# The same as `_sizes_that_round_alike`, by what networks of the package's own layers are built of.
_sizes_of_structures: dict[Hashable, list[int]] = {}


def run_padded(
    module: MultiTaskModule, inputs: dict[str, Tensor], n_rows: int, forward: Forward
) -> list[Tensor]:
    """Return what a function makes of some rows, each rounded as among any others.

    Parameters
    ----------
    module : MultiTaskModule
        The network that the function runs, in evaluation mode.
    inputs : dict of str to tensor
        Rows on the module's device.
    n_rows : int
        Number of the rows.
    forward : callable
        Takes the input blocks of some rows, and returns tensors with as many rows.
    """
    with aligned_where_it_matters(module, inputs):
        if n_rows % ENOUGH_ROWS == 0:
            return forward(inputs)
        return [part[:n_rows] for part in forward(pad_rows(module, inputs))]


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
    return F.pad(block, (0, 0) * (block.ndim - 1) + (0, missing)) if missing else block


def sizes_that_round_alike(module: MultiTaskModule, inputs: Mapping[str, Tensor]) -> list[int]:
    """Return the numbers of rows, ascending, in which the network rounds each row as it does in many.

    They are found once, by trying random rows, since they depend on the shapes of the products, the
    processor and the number of threads. Networks that are built alike, of the package's own layers, share
    what was found.

    Parameters
    ----------
    module : MultiTaskModule
        The network, in evaluation mode.
    inputs : mapping of str to tensor
        Rows of the shapes and dtypes that it takes.
    """
    return _once(_sizes_that_round_alike, module, lambda: _sizes_of_alike(module, inputs), [ENOUGH_ROWS])


def aligned_where_it_matters(
    module: MultiTaskModule, inputs: Mapping[str, Tensor]
) -> AbstractContextManager[Any]:
    """Return a context in which the network rounds a row alike at every place among others.

    The package's own layers do anywhere. A user's module is tried once: if it does not, its linear layers are
    computed as the package's own are.

    Parameters
    ----------
    module, inputs
        The same as in `sizes_that_round_alike`.
    """
    alike = _once(
        _alike_at_every_place, module, lambda: _is_own(module) or _try_places(module, inputs), True
    )
    return nullcontext() if alike else _AlignedLinears()


def _once(known: Known[T], module: MultiTaskModule, attempt: Callable[[], T], on_gpu: T) -> T:
    """Return what an attempt has found for a network with this number of threads; it is made once."""
    # Prediction asks at every call: asking by `setdefault` would make a reference and a dict each time.
    if (of_module := known.get(module)) is None:
        of_module = known[module] = {}
    n_threads = torch.get_num_threads()
    if n_threads not in of_module:
        of_module[n_threads] = attempt() if module.raw_scale.device.type == "cpu" else on_gpu
    return of_module[n_threads]


def _is_own(module: MultiTaskModule) -> bool:
    """Whether all products of a network are those of the package's own layers."""
    parts = (part for part in module.modules() if not is_known(part))
    # What torch has without weights, such as an activation, is no product.
    return all(
        type(part).__module__.startswith(_OF_TORCH) and next(part.parameters(recurse=False), None) is None
        for part in parts
    )


@torch.no_grad()
def _try_places(module: MultiTaskModule, inputs: Mapping[str, Tensor]) -> bool:
    rows = {name: _random_rows(block) for name, block in inputs.items()}
    moved = {name: block.roll(1, 0) for name, block in rows.items()}
    # Wherever two places differ, some neighbours do.
    return _equal(_every_output(module, moved), [of.roll(1, 0) for of in _every_output(module, rows)])


def _sizes_of_alike(module: MultiTaskModule, inputs: Mapping[str, Tensor]) -> list[int]:
    """Return what `_try_sizes` does; networks that are built alike are not tried again."""
    structure = _structure(module, inputs) if _is_own(module) else None
    if structure in _sizes_of_structures:
        return _sizes_of_structures[structure]
    sizes, is_shown = _try_sizes(module, inputs)
    if structure is not None and is_shown:
        if len(_sizes_of_structures) >= MOST_STRUCTURES:
            _sizes_of_structures.clear()
        _sizes_of_structures[structure] = sizes
    return sizes


def _structure(module: MultiTaskModule, inputs: Mapping[str, Tensor]) -> Hashable:
    """Return all on which the paths of a network's products depend: everything but the values of tensors."""
    tensors = chain(module.named_parameters(), module.named_buffers())
    attributes = [
        {name: value for name, value in vars(part).items() if name not in MODULE_STATE}
        for part in module.modules()
    ]
    return (
        torch.get_num_threads(),
        tuple((name, block.shape[1:], block.dtype) for name, block in inputs.items()),
        tuple((name, type(part)) for name, part in module.named_modules()),
        tuple(
            (name, of.shape, of.stride(), of.dtype, of.data_ptr() % WIDEST_VECTOR) for name, of in tensors
        ),
        fingerprint(attributes),
    )


@torch.no_grad()
def _try_sizes(module: MultiTaskModule, inputs: Mapping[str, Tensor]) -> tuple[list[int], bool]:
    """Return the sizes that round alike, and whether other weights would show the same.

    Where all numbers of an output are equal, as behind weights of 0, no difference can be seen.
    """
    rows = {name: _random_rows(block) for name, block in inputs.items()}
    expected = _every_output(module, rows)
    widths = widths_for_vectors(module, lambda: inputs)
    whole = [size for size in SIZES_TO_TRY if all(size * width % NUMBERS_IN_A_LOOP == 0 for width in widths)]
    sizes = [*(size for size in whole if _rounds_alike(module, rows, expected, size)), ENOUGH_ROWS]
    return sizes, all(_varies(output) for output in expected)


def _varies(output: Tensor) -> bool:
    return bool(output.isfinite().any() and (output != output.flatten()[0]).any())


def widths_for_vectors(module: MultiTaskModule, few: Callable[[], Mapping[str, Tensor]]) -> set[int]:
    """Return the widths of the activations that round a single number otherwise than one in a vector.

    Few numbers of those of tanh, GELU and others do, so that random rows would often not show it.

    Parameters
    ----------
    module : MultiTaskModule
        The network, in evaluation mode.
    few : callable
        Returns rows of the shapes and dtypes that it takes; called once for each network.
    """
    return _once(_widths_for_vectors, module, lambda: _try_activations(module, few()), set())


@torch.no_grad()
def _try_activations(module: MultiTaskModule, inputs: Mapping[str, Tensor]) -> set[int]:
    seen: dict[tuple[type, str, int], tuple[Any, tuple[int, ...], torch.dtype]] = {}

    def note(part: Any, _given: Any, output: Any) -> None:
        key = (type(part), part.extra_repr(), output[0].numel())
        seen.setdefault(key, (part, tuple(output.shape[1:]), output.dtype))

    # Those of parameters are exact, but for attention, which is no function of each number.
    activations = [part for part in module.modules() if type(part).__module__ == nn.ReLU.__module__]
    hooks = [part.register_forward_hook(note) for part in activations if not list(part.parameters())]
    try:
        module({name: _random_rows(block) for name, block in inputs.items()})
    finally:
        for hook in hooks:
            hook.remove()
    # Now, not on the way: within a part that is mapped over, numbers drawn would be those of the mapping.
    return {width for (_, _, width), one in seen.items() if not _rounds_singly_alike(*one, width)}


def _rounds_singly_alike(part: Any, shape: tuple[int, ...], dtype: torch.dtype, width: int) -> bool:
    numbers = 2 * torch.randn((-(-NUMBERS_TO_TRY // width), *shape), generator=_generator(), dtype=dtype)
    # Numbers that do not lie next to each other are computed singly.
    apart = torch.stack((numbers, numbers), dim=-1)[..., 0]
    return torch.equal(part.forward(numbers.clone()), part.forward(apart))


def _rounds_alike(
    module: MultiTaskModule, rows: Mapping[str, Tensor], expected: list[Tensor], size: int
) -> bool:
    for start in range(0, ENOUGH_ROWS, size):
        part = slice(start, start + size)
        few = _every_output(module, {name: block[part] for name, block in rows.items()})
        if not _equal(few, [output[part] for output in expected]):
            return False
    return True


def _equal(some: list[Tensor], others: list[Tensor]) -> bool:
    # NaN marks what is no position of a row.
    pairs = zip(some, others, strict=False)
    return len(some) == len(others) and all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs)


def _every_output(module: MultiTaskModule, rows: Mapping[str, Tensor]) -> list[Tensor]:
    """Return what prediction makes of rows, and each layer on the way: a later one may hide a difference."""
    found: list[Tensor] = []
    n_rows = len(next(iter(rows.values())))

    def note(_part: nn.Module, _given: Any, output: Any) -> None:
        # What a part gives that is mapped over is of no use outside of the mapping.
        plain = isinstance(output, Tensor) and not is_batched(output)
        if plain and output.ndim > 0 and len(output) == n_rows:
            # What follows may work in place.
            found.append(output.clone())

    hooks = [part.register_forward_hook(note) for part in module.modules()]
    try:
        # Each time of a copy, since a module may work in place.
        copies = [{name: block.clone() for name, block in rows.items()} for _ in range(2)]
        ends = [module.represent(copies[0]), module.calibrated(copies[1])]
    finally:
        for hook in hooks:
            hook.remove()
    return [*found, *ends]


def _random_rows(block: Tensor) -> Tensor:
    """Return enough rows: noise, or the first row again and again where it holds codes."""
    if not block.is_floating_point():
        return block[:1].expand(ENOUGH_ROWS, *block.shape[1:]).contiguous()
    return torch.randn((ENOUGH_ROWS, *block.shape[1:]), generator=_generator(), dtype=block.dtype)


def _generator() -> torch.Generator:
    """Return a generator of its own: the global one is the user's."""
    return torch.Generator().manual_seed(0)


class _AlignedLinears(TorchFunctionMode):
    """Inside the block, every linear layer is computed as those of the package are in evaluation."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace the linear layer, and nothing else."""
        kwargs = kwargs or {}
        return linear(*args, **kwargs) if func is F.linear else func(*args, **kwargs)
