"""Timing contestants in turn, so that what slows the machine slows all of them."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time
from typing import Any

import torch
from threadpoolctl import threadpool_limits

Contestant = Callable[[], Any]

CLOCKS: dict[str, Callable[[], float]] = {"wall": perf_counter, "cpu": process_time}
# Shorter runs are repeated within one timing: the clock and the collector would be part of the result.
SHORTEST_TIMING = 0.05


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Parameters
    ----------
    rounds : int or None
        How often each contestant is measured; None for the suite's own number.
    threads : tuple of int
        Threads to measure with, one after the other.
    quick : bool
        Tiny data and one round, only to see that everything runs.
    clock : {"wall", "cpu"}
        ``"cpu"`` counts this process's time alone: for one thread on a machine that others use.
    """

    rounds: int | None = None
    threads: tuple[int, ...] = (1, 2)
    quick: bool = False
    clock: str = "wall"

    def rounds_or(self, default: int) -> int:
        """Return the rounds asked for, or the suite's own number of them."""
        if self.rounds is not None:
            return self.rounds
        return 1 if self.quick else default


@dataclass(frozen=True)
class Result:
    """What one contestant took in one case.

    Parameters
    ----------
    case : str
        Data and task, the same for all its contestants.
    threads : int
        Threads that each contestant could use.
    contestant : str
        Name of the contestant.
    values : tuple of float
        What each round has measured.
    ratios : tuple of float
        Ratio to the reference, round by round.
    unit : str
        Unit of the values.
    note : str
        What else there is to say.
    """

    case: str
    threads: int
    contestant: str
    values: tuple[float, ...]
    ratios: tuple[float, ...]
    unit: str = "s"
    note: str = ""

    @property
    def value(self) -> float:
        """The median over rounds."""
        return median(self.values)

    @property
    def ratio(self) -> float:
        """The median over rounds of the ratio to the reference."""
        return median(self.ratios)


def compare(
    case: str,
    contestants: Mapping[str, Contestant],
    options: Options,
    *,
    threads: int,
    rounds: int,
    warm_up: bool = True,
    describe: Callable[[str, Mapping[str, Any]], str] = lambda *_: "",
) -> list[Result]:
    """Time contestants in turn; the first is the reference.

    Parameters
    ----------
    case : str
        What they are given.
    contestants : mapping of str to callable
        Each does the whole of the work when called.
    options : Options
        Options, of which the rounds and the clock are used.
    threads : int
        Threads that each may use.
    rounds : int
        How often each is timed, where ``options`` does not say.
    warm_up : bool, default=True
        Whether each runs untimed before.
    describe : callable, optional
        From a contestant's name, and what all of them returned, to a note.
    """
    with limited_to(threads):
        seconds, returned = race(
            contestants,
            options.rounds_or(rounds),
            CLOCKS[options.clock],
            warm_up=warm_up,
            shortest=0.0 if options.quick else SHORTEST_TIMING,
        )
    reference = next(iter(seconds.values()))
    return [
        Result(case, threads, name, tuple(taken), _ratios(taken, reference), note=describe(name, returned))
        for name, taken in seconds.items()
    ]


def race(
    contestants: Mapping[str, Contestant],
    rounds: int,
    clock: Callable[[], float] = perf_counter,
    *,
    warm_up: bool = True,
    shortest: float = SHORTEST_TIMING,
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Return the seconds of each contestant in each round, and what it returned last.

    Parameters
    ----------
    contestants : mapping of str to callable
        Run in turn, a round beginning one contestant later than the last.
    rounds : int
        Number of rounds.
    clock : callable, optional
        Returns the time in seconds.
    warm_up : bool, default=True
        Whether each runs once or twice before, untimed.
    shortest : float, optional
        Seconds; runs that were shorter in the warm-up are repeated within each timing.
    """
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    returned: dict[str, Any] = {}
    repeats = {name: _repeats(contestants[name], clock, shortest) if warm_up else 1 for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            taken, returned[name] = _timed(contestants[name], repeats[name], clock)
            seconds[name].append(taken)
    return seconds, returned


@contextmanager
def limited_to(threads: int) -> Iterator[None]:
    """Let torch, BLAS and OpenMP use so many threads, and put torch's generator back afterwards."""
    before = torch.get_num_threads()
    with threadpool_limits(limits=threads), torch.random.fork_rng(devices=()):
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def usable_threads(wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Return the numbers of threads for which this process has cores, saying which it left out."""
    cores = usable_cores()
    for threads in wanted:
        if threads > cores:
            print(f"Threads {threads} left out: this process may use {cores} core(s).")
    return tuple(threads for threads in wanted if threads <= cores)


def usable_cores() -> int:
    """Return the number of cores this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _repeats(contestant: Contestant, clock: Callable[[], float], shortest: float) -> int:
    """Return how many runs make one timing, told by the second run: the first brings in code and pools."""
    first, _ = _timed(contestant, 1, clock)
    if first >= 10 * shortest:
        return 1
    taken, _ = _timed(contestant, 1, clock)
    return max(1, math.ceil(shortest / max(taken, 1e-6)))


def _timed(contestant: Contestant, repeats: int, clock: Callable[[], float]) -> tuple[float, Any]:
    """Return the seconds of one run, and what it returned."""
    gc.collect()
    start = clock()
    for _ in range(repeats):
        returned = contestant()
    return (clock() - start) / repeats, returned


def _ratios(taken: list[float], reference: list[float]) -> tuple[float, ...]:
    return tuple(own / other for own, other in zip(taken, reference, strict=True))
