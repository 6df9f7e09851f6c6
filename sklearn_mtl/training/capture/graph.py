"""Work for a GPU, recorded once and replayed as a whole."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock, get_ident, local
from typing import Any, Protocol, TypeVar

import torch
from torch.nn.functional import linear

from sklearn_mtl.trunks.layers import own_generator

T = TypeVar("T")

# Kinds of devices on which launching many small kernels is what a step costs.
RECORDED_ON = frozenset({"cuda"})
# How torch's warning of a wait begins.
WAITS = "called a synchronizing"


class Recording(Protocol):
    """Records what a function does to tensors, and does it again to the same tensors."""

    def record(self, work: Callable[[], T]) -> T:
        """Return the tensors that the work returns, which hold no results before the first `replay`.

        Raises
        ------
        RuntimeError
            If the work cannot be recorded.
        """

    def replay(self) -> None:
        """Do the work, on what the tensors hold now; random numbers are drawn anew."""


class _Aside(local):
    """The streams of this thread on which it records, by device."""

    def __init__(self) -> None:
        self.streams: dict[torch.device, torch.cuda.Stream] = {}


_aside = _Aside()
# What torch says of waits, and Python of warnings, is the process's: two threads must not change it in turn.
_one_thread_notes = RLock()


def _stream_aside(device: torch.device) -> torch.cuda.Stream:
    """Return this thread's stream for recordings: torch's libraries keep memory for each stream they see."""
    if device not in _aside.streams:
        stream = _aside.streams[device] = torch.cuda.Stream(device)
        with torch.cuda.stream(stream):
            # They take it with the first product. While a graph is recorded it would be of the graph's,
            # which could then never be given back.
            weight = torch.ones(2, 2, device=device, requires_grad=True)
            linear(weight, weight, weight[0]).sum().backward()
    return _aside.streams[device]


class CudaGraph:
    """A recording as a CUDA graph: one launch for all the kernels of the work.

    What takes long on a small network is the launch of its many kernels, each from Python. Everything that
    the work reads stays where it is in memory, and Python is not asked again.

    Parameters
    ----------
    device : torch.device
        A CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._graph = torch.cuda.CUDAGraph()

    def record(self, work: Callable[[], T]) -> T:
        """Return the tensors that the work returns, which hold no results before the first `replay`."""
        own = own_generator(self._device)
        if own is not None:
            # Torch's own generator is known to every graph; with it, each replay draws what comes next.
            self._graph.register_generator_state(own)
        here = torch.cuda.current_stream(self._device)
        aside = _stream_aside(self._device)
        aside.wait_stream(here)
        torchs = torch.cuda.default_generators[here.device_index]
        # Not `torch.cuda.graph`, which collects garbage and gives memory back first: that takes longer than
        # many steps. Other threads may go on meanwhile.
        usable = _usable_after_failure(torchs, *([] if own is None else [own]))
        with usable, torch.cuda.stream(aside), _no_collection():
            self._graph.capture_begin(capture_error_mode="thread_local")
            try:
                found = work()
            finally:
                self._graph.capture_end()
        here.wait_stream(aside)
        return found

    def replay(self) -> None:
        """Do the work, on what the tensors hold now; random numbers are drawn anew."""
        self._graph.replay()


def recording_on(device: torch.device) -> Recording:
    """Return a new recording of work for a device of a kind in `RECORDED_ON`."""
    return CudaGraph(device)


@contextmanager
def _usable_after_failure(*generators: torch.Generator) -> Iterator[None]:
    """Give generators a new state, as it was before, if the block fails: a graph holds the old one."""
    states = [generator.get_state() for generator in generators]
    try:
        yield
    except BaseException:
        for generator, state in zip(generators, states, strict=True):
            fresh = torch.Generator(generator.device)
            fresh.set_state(state)
            generator.graphsafe_set_state(fresh.graphsafe_get_state())
        raise


@contextmanager
def _no_collection() -> Iterator[None]:
    """Let no graph that is no longer needed be destroyed while another one is recorded."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def noting_waits(device: torch.device) -> Iterator[list[str]]:
    """Note, inside the block, for what the host waits for the GPU: such work cannot be recorded.

    Parameters
    ----------
    device : torch.device
        The device of the work.

    Yields
    ------
    list of str
        Filled as the thread waits.
    """
    waits: list[str] = []
    if device.type != "cuda":
        yield waits
        return
    here, show, is_over = get_ident(), warnings.showwarning, False

    def note(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        *_unused: Any,
        **_more: Any,
    ) -> None:
        text = str(message)
        if WAITS not in text or is_over:
            show(message, category, filename, lineno)
        # Other threads wait as they like, and would not be told of it but for this block.
        elif get_ident() == here:
            waits.append(text.splitlines()[0])

    with _one_thread_notes, warnings.catch_warnings():
        # Of these texts alone: where the blocks of two threads overlap, filters may stay behind.
        warnings.filterwarnings("always", message=WAITS)
        # Once in a process, torch warns that the mode does not see all.
        warnings.filterwarnings("ignore", message=".*debug mode")
        warnings.showwarning = note
        before = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield waits
        finally:
            torch.cuda.set_sync_debug_mode(before)
            is_over = True
