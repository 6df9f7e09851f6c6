"""Torch's global state: modes, random generators and cached memory, all left as the user has them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from threading import Lock, RLock
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
T = TypeVar("T")

_AUTOCAST = ("cpu", "cuda", "mps")
_END = object()
# Torch has one generator for all threads: one thread at a time seeds it.
_ONE_AT_A_TIME = RLock()


def in_default_modes(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function run in torch's default modes, whatever those of the caller are.

    Gradients are recorded, neither inference mode nor autocast is on, and new tensors are float32 on the
    CPU unless their maker says otherwise. The caller's modes are afterwards what they were.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.network.torch_state import in_default_modes
    >>> with torch.inference_mode():
    ...     in_default_modes(torch.is_grad_enabled)(), torch.is_grad_enabled()
    (True, False)
    """

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        if _are_default():
            return function(*args, **kwargs)
        with _default_modes():
            return function(*args, **kwargs)

    return called


def each_in_default_modes(function: Callable[P, Iterator[T]]) -> Callable[P, Iterator[T]]:
    """Make a generator compute in torch's default modes; between two of its values they are the caller's."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        values = function(*args, **kwargs)
        advance: Callable[[], Any] = in_default_modes(lambda: next(values, _END))
        while (value := advance()) is not _END:
            yield value

    return called


def _are_default() -> bool:
    # Prediction asks at every call: an empty tensor tells the dtype, the device and inference mode at once.
    new = torch.empty(0)
    return (
        torch.is_grad_enabled()
        and new.dtype == torch.float32
        and new.is_cpu
        and not new.is_inference()
        and not any(map(torch.is_autocast_enabled, _AUTOCAST))
        and not _float32.users
    )


@contextmanager
def _default_modes() -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.enable_grad())
        for device in filter(torch.is_autocast_enabled, _AUTOCAST):
            stack.enter_context(torch.autocast(device, enabled=False))
        stack.enter_context(_float32)
        if not torch.empty(0).is_cpu:
            stack.enter_context(torch.device("cpu"))
        yield


class _Float32:
    """Makes float32 the default dtype, one for all threads: the last to leave puts the caller's back."""

    def __init__(self) -> None:
        self.users = 0
        self._before = torch.float32
        self._lock = Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self.users == 0:
                self._before = torch.get_default_dtype()
                torch.set_default_dtype(torch.float32)
            self.users += 1

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self.users -= 1
            if self.users == 0:
                torch.set_default_dtype(self._before)


_float32 = _Float32()


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside the block, and put its generators back after it.

    Torch has one generator for all threads: one thread at a time is inside.

    Parameters
    ----------
    seed : int
        The seed.
    device : torch.device
        The device whose generator is seeded along with the CPU's.
    """
    devices = [device] if device.type == "cuda" else []
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=devices):
        if device.type == "cpu":
            # torch.manual_seed prepares for devices that are not there, for some milliseconds.
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)
        yield


@dataclass(frozen=True, eq=False)
class GeneratorState:
    """Where torch's generators stand.

    Parameters
    ----------
    cpu : tensor
        State of the CPU's generator.
    device : tensor or None
        State of the CUDA device's generator, where there is one.
    """

    cpu: Tensor
    device: Tensor | None

    @classmethod
    def now(cls, device: torch.device) -> GeneratorState:
        """Return the state that torch's own generators are in."""
        return cls(torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None)

    @contextmanager
    def restored(self, device: torch.device) -> Iterator[None]:
        """Go on from this state inside the block, and put torch's generators back after it."""
        with seeded(0, device):
            torch.set_rng_state(self.cpu)
            if self.device is not None:
                torch.cuda.set_rng_state(self.device, device)
            yield


def release_memory(device: torch.device) -> None:
    """Return the memory that nothing holds any more to the card, for other processes and the next fit."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
