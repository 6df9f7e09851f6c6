"""Torch's modes, devices and dtypes.

What is global of these, and the memory that torch caches, is left as the user has it.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache, wraps
from multiprocessing import current_process, parent_process
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch

from sklearn_mtl.messages import shown
from sklearn_mtl.network.torch_private import forked_after_cuda_started
from sklearn_mtl.recipes import is_integer

P = ParamSpec("P")
T = TypeVar("T")

# Bytes on a GPU that may stay there until Python collects what it no longer needs.
LITTLE_MEMORY = 2**25

# Fewer objects than these are set aside by nobody but Python itself.
FEW_OBJECTS = 10_000

_AUTOCAST = ("cpu", "cuda", "mps")
_END = object()
_CPU = torch.device("cpu")

PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float64": torch.float64,
    # Weights and data stay float32; products in training are autocast.
    "bf16": torch.float32,
}


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


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device, ``"auto"`` being CUDA where there is one.

    Raises
    ------
    ValueError
        If there is no such device here.
    RuntimeError
        If it is CUDA, and this process was forked from one that had started it.
    """
    if isinstance(device, str) and device == "auto":
        found = _own_gpu() if torch.cuda.is_available() else _CPU
    else:
        found = _named_device(device)
    if found.type == "cuda":
        _check_cuda(device)
    if found.type == "cpu" and not found.index:
        return _CPU
    if not _computes(found):
        raise ValueError(
            f"`device` must be a device of this machine. Found {shown(device)}, on which torch can't compute "
            "here; 'auto' takes one that is."
        )
    return found


def _named_device(device: Any) -> torch.device:
    try:
        if isinstance(device, bool):
            raise TypeError
        found = torch.device(device)
        # Of the number of a card torch keeps eight bits.
        if (number := _number_in(device)) is not None and found.index != number:
            raise ValueError
        return found
    # Torch looks at words, types and numbers in turn, each with errors of its own.
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"`device` must be 'auto' or a torch device. Found {shown(device)}.") from error


def _number_in(device: Any) -> int | None:
    """Return the number of a device as it was written; None where there is none."""
    if isinstance(device, str):
        number = device.rpartition(":")[2]
        return int(number) if number.isdigit() else None
    return int(device) if is_integer(device) else None


def _computes(device: torch.device) -> bool:
    """Whether torch computes on a device; kinds of devices have no common way to say that they are there."""
    if device.type == "cpu":
        # There is one CPU, whatever the number; torch would take any.
        return not device.index
    if device.type == "cuda":
        # Counting starts nothing on the card.
        return 0 <= (device.index or 0) < torch.cuda.device_count()
    try:
        return torch.ones(1, device=device).item() == 1
    except Exception:
        return False


def _own_gpu() -> torch.device:
    """Return a GPU: in the n-th worker of a parallel search the n-th, so that they do not all share one."""
    n_gpus = torch.cuda.device_count()
    if n_gpus < 2 or parent_process() is None:
        return torch.device("cuda")
    # Worker processes are numbered from 1 on: LokyProcess-1, ForkPoolWorker-2, SpawnProcess-1:2.
    number = re.search(r"\d+$", current_process().name)
    return torch.device("cuda", 0 if number is None else (int(number[0]) - 1) % n_gpus)


def _check_cuda(device: str | torch.device) -> None:
    if not torch.cuda.is_available():
        raise ValueError(
            f"`device` must be a device of this machine. Found {shown(device)}, and torch sees no CUDA here; "
            "'auto' falls back to the CPU."
        )
    if forked_after_cuda_started():
        raise RuntimeError(
            f"`device` must not be CUDA in a process that was forked after CUDA had started. Found "
            f"{shown(device)} in such a process, which would hang: start workers anew (joblib's default "
            "backend "
            'does, or multiprocessing with "spawn"), or set device="cpu".'
        )


def resolve_precision(precision: str) -> torch.dtype:
    """Return the dtype of weights and data; a ``ValueError`` for an unknown word."""
    if not isinstance(precision, str) or precision not in PRECISIONS:
        raise ValueError(f"`precision` must be one of {sorted(PRECISIONS)}. Found {shown(precision)}.")
    return PRECISIONS[precision]


def resolve_autocast(precision: str) -> torch.dtype | None:
    """Return the dtype in which products are computed while training; None for that of the weights."""
    return torch.bfloat16 if precision == "bf16" else None


def numpy_dtype(dtype: torch.dtype) -> type[np.floating]:
    """Return the same dtype in numpy's terms."""
    return np.float64 if dtype == torch.float64 else np.float32


def begin_going_back(device: torch.device) -> None:
    """Let the thread begin in which torch differentiates on a GPU.

    Were a matrix product the first that it does, torch would warn that no CUDA context is there yet.
    """
    if device.type == "cuda":
        _begin_going_back(device)


@cache
@in_default_modes
def _begin_going_back(device: torch.device) -> None:
    start = torch.ones(1, device=device, requires_grad=True)
    (start * start).sum().backward()


@contextmanager
def memory_given_back(devices: Iterable[torch.device]) -> Iterator[None]:
    """After the block, return what is unused of torch's memory to the GPUs: others need it.

    Parameters
    ----------
    devices : iterable of torch.device
        Where tensors are made in the block; the CPU has nothing to give back.
    """
    gpus = [device for device in devices if device.type == "cuda"]
    with _set_aside() if gpus else nullcontext():
        yield
        # A stack is held by circles until Python looks for them.
        if any(torch.cuda.memory_allocated(device) > LITTLE_MEMORY for device in gpus):
            gc.collect()
        for _ in gpus:
            torch.cuda.empty_cache()


def collect_circles() -> None:
    """Let go of what only circles hold, such as what was recorded of a stack for which memory was short."""
    gc.collect()


def give_back_unused(device: torch.device | str) -> None:
    """Return what torch keeps of a GPU's memory for tensors to come, as those of a fit that is over.

    Parameters
    ----------
    device : torch.device or str
        The device; the CPU has nothing to give back.
    """
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()


@contextmanager
def _set_aside() -> Iterator[None]:
    """Let a collection of garbage in the block look at nothing that was there before: that takes long."""
    # Who has set objects aside already, another thread too, does so for longer than this block. Python itself
    # does so with a few hundred when it starts.
    is_ours = gc.get_freeze_count() < FEW_OBJECTS
    if is_ours:
        gc.freeze()
    try:
        yield
    finally:
        if is_ours:
            gc.unfreeze()


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory is short."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        word in str(error).lower() for word in words
    )
