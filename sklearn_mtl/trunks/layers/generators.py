"""The generators that a network's layers draw from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import local
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class _Own(local):
    """The generators of the network that is built or trained in this thread; None where there is none."""

    generators: tuple[torch.Generator, torch.Generator] | None = None
    # Of a batch that several processes share, the first row of this one's part, the row after its last, and
    # the number of all; None where there is no other process.
    part: tuple[int, int, int] | None = None


_own = _Own()


def own_generators() -> tuple[torch.Generator, torch.Generator] | None:
    """Return the generators, of the CPU and of the device, of the network that this thread builds or trains.

    Outside of both there are none: what is drawn is then drawn from torch's own.
    """
    return _own.generators


def own_generator(device: torch.device | None = None) -> torch.Generator | None:
    """Return the one of `own_generators` that is on a device, the CPU by default; None where none is."""
    kind = "cpu" if device is None else device.type
    return next((one for one in _own.generators or () if one.device.type == kind), None)


@contextmanager
def drawing_from(generators: tuple[torch.Generator, torch.Generator]) -> Iterator[None]:
    """Let the layers of this package, in this thread, draw from generators of the CPU and of the device."""
    before, _own.generators = _own.generators, generators
    try:
        yield
    finally:
        _own.generators = before


@contextmanager
def part_of_batch(start: int, stop: int, n_rows: int) -> Iterator[None]:
    """Let the layers of this package, in this thread, compute a part of the rows of a batch.

    Parameters
    ----------
    start, stop : int
        The first row of the part, and the one after its last.
    n_rows : int
        Number of rows of the batch.
    """
    before, _own.part = _own.part, (start, stop, n_rows)
    try:
        yield
    finally:
        _own.part = before


def rows_to_draw_for(n_rows: int) -> tuple[int, slice | None]:
    """Return for how many rows to draw, and which of them are those that are computed; None for all.

    Parameters
    ----------
    n_rows : int
        Number of rows that a layer has before it.
    """
    if _own.part is None or _own.part[1] - _own.part[0] != n_rows:
        return n_rows, None
    start, stop, every = _own.part
    return every, slice(start, stop)


class OwnDraws(TorchFunctionMode):
    """Inside the block, what this thread draws comes from its own generators as far as torch lets one say so.

    Constructors of torch's layers, and most code that draws, name no generator: torch would take the one that
    all threads share. It still does for what takes none, such as ``torch.nn.functional.dropout``.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Name the generator where a function takes one and none is named."""
        kwargs = dict(kwargs or {})
        if func in _LIKE and own_generators():
            like = torch.empty_like(*args, **kwargs)
            getattr(like.detach(), _LIKE[func])(generator=own_generator(like.device))
            return like
        if func in _DRAWS and kwargs.get("generator") is None:
            tensors = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
            place = tensors[0].device if tensors else kwargs.get("device") or torch.get_default_device()
            kwargs["generator"] = own_generator(torch.device(place))
        return func(*args, **kwargs)


_FILLS = [f"{name}_" for name in ("uniform", "normal", "random", "bernoulli", "exponential", "cauchy")]
_KINDS = [f"{kind}_{form}_" for kind in ("xavier", "kaiming") for form in ("uniform", "normal")]
_MAKERS = ["rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "poisson"]
_LIKE = {torch.rand_like: "uniform_", torch.randn_like: "normal_"}
# Under a mode, torch's initialisations are called as wholes: what they do inside is not seen.
_DRAWS = frozenset(
    [
        *(
            getattr(Tensor, name)
            for name in [*_FILLS, "log_normal_", "geometric_", "bernoulli", "multinomial"]
        ),
        *(getattr(nn.init, name) for name in ["uniform_", "normal_", "trunc_normal_", *_KINDS]),
        *(nn.init.orthogonal_, nn.init.sparse_),
        *(getattr(torch, name) for name in _MAKERS),
    ]
)
