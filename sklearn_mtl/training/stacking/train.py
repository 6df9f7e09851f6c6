"""Planned nets trained: those of one structure as one stack, the others alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import torch
from torch import Tensor

from sklearn_mtl.messages import first_line
from sklearn_mtl.network import collect_circles, each_in_default_modes, is_out_of_memory, memory_given_back
from sklearn_mtl.training.looking_on import looked_on
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.runs import NetPlan, ReadyNet, finish, finish_interrupted, make_ready, train_alone
from sklearn_mtl.training.stacking.comparison import remove_mismatches
from sklearn_mtl.training.stacking.grouping import (
    FitStatistics,
    Structures,
    halves,
    in_words,
    members_at_once,
    stacks,
    why_alone,
    why_not_batched,
)
from sklearn_mtl.training.stacking.trainer import StackedTrainer

# Nets that are built ahead of their training, to see which can be stacked.
PLANS_AHEAD = 512
# Batching by vmap costs about a millisecond a step, which few nets don't win back: two of 256 columns took
# 1.4 times as long as one after the other, four as long, eight 0.9 times.
FEWEST_ON_CPU = 4
# Where launches are what costs, two win.
FEWEST_ON_GPU = 2
NOT_BUILT = "it could not be built"

# Called after an epoch of a stack, or a net alone: nets done, nets in all, nets in the stack, its epochs.
Watch = Callable[[int, int, int, int], None]
# Trains a net that is in no stack; can be sent to another process.
Job = Callable[[], "Outcome"]
# Runs jobs, maybe in other processes, and returns what they do, in order.
RunJobs = Callable[[Iterable[Job]], Iterable["Outcome"]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a planned net.

    Parameters
    ----------
    net : MultiTaskNet or None
        Trained and finished; None where training failed. If Ctrl-C has interrupted it, as of the epochs
        that are over, and None where none is.
    error : Exception, KeyboardInterrupt or None
        The error by which training failed, or the interrupt; None where there was none.
    not_stacked_because : str or None
        Why it was trained by itself; None where it was one of a stack.
    seconds : float
        Its share of the time that training took.
    """

    net: MultiTaskNet | None
    error: Exception | KeyboardInterrupt | None
    not_stacked_because: str | None
    seconds: float

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C has ended its training."""
        return isinstance(self.error, KeyboardInterrupt)

    def trained(self) -> MultiTaskNet:
        """Return the net; the error is raised where there is one."""
        if self.net is None:
            raise self.error or RuntimeError("The net was not trained.")
        return self.net


@each_in_default_modes
def train_nets(
    plans: Sequence[NetPlan],
    *,
    max_members: int | None = None,
    watch: Watch | None = None,
    run_jobs: RunJobs | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """Train nets, those of one structure stacked as one network.

    Parameters
    ----------
    plans : sequence of NetPlan
        The nets.
    max_members : int, optional
        Most nets in one stack; as many as pay by default.
    watch : callable, optional
        Given how many nets are done, and of how many, how many train as a stack, and its epoch; 0 for none.
    run_jobs : callable, optional
        Trains the nets that are in no stack; here, one after the other, by default.

    Yields
    ------
    position : int
        The place of a plan; they do not come in order.
    outcome : Outcome
        What became of it. Outcomes of nets that Ctrl-C has interrupted come too, before it is raised.
    """
    progress = _Progress(len(plans), watch)
    with memory_given_back({plan.settings.device for plan in plans}):
        for start in range(0, len(plans), PLANS_AHEAD):
            window = {place: plans[place] for place in range(start, min(start + PLANS_AHEAD, len(plans)))}
            for outcome in _train_window(window, max_members, progress, run_jobs):
                progress.n_done += 1
                if outcome[1].not_stacked_because is not None:
                    progress.tell(0, 0, 0)
                yield outcome


def train_bag(plans: Sequence[NetPlan]) -> Iterator[tuple[int, Outcome]]:
    """Train the nets of one fit as `train_nets` does, with whoever looks on.

    Parameters
    ----------
    plans : sequence of NetPlan
        The nets, of equal settings.
    """
    with looked_on(plans) if plans[0].settings.is_looked_on else nullcontext(plans) as observed:
        yield from train_nets(observed)


@dataclass
class _Progress:
    """How far a training has come.

    Parameters
    ----------
    n_all : int
        Number of all nets.
    watch : callable or None
        Called with how far it has come, as in `train_nets`.
    n_done : int
        Number of nets that are done.
    """

    n_all: int
    watch: Watch | None
    n_done: int = 0

    def tell(self, done_of_stack: int, n_training: int, epoch: int) -> None:
        """Tell of an epoch that is over, of a stack of which so many nets are done and in training."""
        if self.watch is not None:
            self.watch(self.n_done + done_of_stack, self.n_all, n_training, epoch)


def _train_window(
    plans: Mapping[int, NetPlan],
    max_members: int | None,
    progress: _Progress,
    run_jobs: RunJobs | None,
) -> Iterator[tuple[int, Outcome]]:
    """Train nets, as many as are built at once: stacks first, then what is in none."""
    fewest = fewest_members(next(iter(plans.values())).settings.device)
    if len(plans) < fewest:
        # A fit of one table ends here: nothing of its nets need be known to see that no stack would pay.
        jobs: dict[int, Job] = {
            place: partial(_train_alone, plan, None, _too_few(fewest)) for place, plan in plans.items()
        }
    else:
        of_stacks = _Stacks(plans, fewest, max_members, progress)
        yield from of_stacks.train()
        jobs = of_stacks.jobs
    if run_jobs is None or len(jobs) < 2:
        # For a single one no process is worth its start.
        results: Iterable[Outcome] = (job() for job in jobs.values())
    else:
        results = run_jobs(jobs.values())
    for place, outcome in zip(jobs, results, strict=True):
        yield from _handed_over({place: outcome})


def fewest_members(device: torch.device) -> int:
    """Return how many nets a stack must have to pay."""
    return FEWEST_ON_CPU if device.type == "cpu" else FEWEST_ON_GPU


def _too_few(fewest: int) -> str:
    return f"a stack of fewer than {fewest} nets is no faster"


def _train_alone(plan: NetPlan, statistics: Mapping[str, Tensor] | None, reason: str) -> Outcome:
    """Train one net by itself: in this process, or in the one to which this was sent."""
    start = perf_counter()
    try:
        ready = make_ready(plan, statistics)
    except Exception as error:
        return Outcome(None, in_words(error, plan), NOT_BUILT, 0.0)
    try:
        net = train_alone(ready)
    except KeyboardInterrupt as interrupt:
        return Outcome(_ended(ready, interrupt), interrupt, reason, perf_counter() - start)
    except Exception as error:
        return Outcome(None, in_words(error, plan), reason, perf_counter() - start)
    return Outcome(net, None, reason, perf_counter() - start)


def _ended(ready: ReadyNet, error: BaseException | None) -> MultiTaskNet | None:
    """Return what is left of a net: all of it, what it was before Ctrl-C, or, after an error, nothing."""
    if error is None:
        return finish(ready)
    return finish_interrupted(ready) if isinstance(error, KeyboardInterrupt) else None


def _handed_over(outcomes: Mapping[int, Outcome]) -> Iterator[tuple[int, Outcome]]:
    """Yield outcomes; raise the Ctrl-C that has ended some of them after that."""
    yield from outcomes.items()
    for outcome in outcomes.values():
        if outcome.interrupted:
            assert outcome.error is not None
            raise outcome.error


class _Stacks:
    """Nets that are trained in stacks as far as they can be.

    Parameters
    ----------
    plans : mapping of int to NetPlan
        The nets.
    fewest : int
        Fewest nets in a stack.
    max_members : int or None
        Most nets in a stack; None for as many as pay.
    progress : _Progress
        Told of each epoch.

    Attributes
    ----------
    jobs : dict of int to callable
        What trains the nets that turned out to be in no stack.
    """

    def __init__(
        self, plans: Mapping[int, NetPlan], fewest: int, max_members: int | None, progress: _Progress
    ) -> None:
        self.jobs: dict[int, Job] = {}
        self._plans = plans
        self._fewest = fewest
        self._max_members = max_members
        self._progress = progress
        self._statistics = FitStatistics()

    def train(self) -> Iterator[tuple[int, Outcome]]:
        """Train the stacks, and yield what became of their nets."""
        groups: dict[Hashable, dict[int, ReadyNet]] = {}
        structures = Structures()
        for place, plan in self._plans.items():
            try:
                reason = why_alone(plan)
                if reason is not None:
                    self._leave_alone(place, reason)
                    continue
                ready = self._ready(place)
            except Exception as error:
                yield place, Outcome(None, error, NOT_BUILT, 0.0)
                continue
            reason = why_not_batched(ready.net.network)
            if reason is not None:
                self._leave_alone(place, reason)
                continue
            groups.setdefault(structures.of(ready), {})[place] = ready
        for group in groups.values():
            yield from self._train_group(group)

    def _train_group(self, group: dict[int, ReadyNet]) -> Iterator[tuple[int, Outcome]]:
        """Train nets of one structure in as many stacks as it takes."""
        if len(group) < self._fewest:
            for place in group:
                self._leave_alone(place, _too_few(self._fewest))
            return
        size = self._max_members or members_at_once(next(iter(group.values())))
        for stack in stacks(group, size):
            yield from self._train_stack(stack)

    def _train_stack(self, stack: dict[int, ReadyNet]) -> Iterator[tuple[int, Outcome]]:
        """Train a stack, in halves where memory is short; nets that do not fit in are left alone."""
        places = list(stack)
        if len(places) == 1:
            self._leave_alone(places[0], "no other net of its structure is trained with it")
            return
        found = self._attempt(stack)
        if found is None:
            # Nobody else has these nets: with them goes the stack, which their weights are views of.
            stack.clear()
            collect_circles()
            anew = {place: self._ready(place) for place in places}
            for half in halves(anew):
                yield from self._train_stack(half)
            return
        outcomes, reasons = found
        yield from _handed_over(outcomes)
        for place, reason in reasons.items():
            self._leave_alone(place, reason)

    def _attempt(self, stack: Mapping[int, ReadyNet]) -> tuple[dict[int, Outcome], dict[int, str]] | None:
        """Return what `_run` does, or None where memory is short."""
        try:
            return self._run(stack)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _run(self, stack: Mapping[int, ReadyNet]) -> tuple[dict[int, Outcome], dict[int, str]]:
        """Return what became of the nets of a stack, and why others must be trained alone."""
        start, places = perf_counter(), list(stack)
        try:
            trainer = StackedTrainer(list(stack.values()))
        # A user's module may raise anything, and does so again when its net is trained.
        except Exception as failure:
            if is_out_of_memory(failure):
                raise
            return {}, dict.fromkeys(places, f"its step fails: {first_line(failure)}")
        mismatched = remove_mismatches(trainer)
        ended: dict[int, Exception | KeyboardInterrupt | None] = {}
        try:
            trainer.run(ended.__setitem__, lambda n: self._progress.tell(len(ended), len(trainer.members), n))
        except KeyboardInterrupt as interrupt:
            ended = {
                position: ended.get(position, interrupt)
                for position in range(len(places))
                if position not in mismatched
            }
        outcomes = {}
        for position, error in ended.items():
            net = _ended(stack[places[position]], error)
            seconds = (perf_counter() - start) / len(ended)
            outcomes[places[position]] = Outcome(net, error, None, seconds)
        return outcomes, {places[position]: reason for position, reason in mismatched.items()}

    def _ready(self, place: int) -> ReadyNet:
        return self._statistics.ready(self._plans[place])

    def _leave_alone(self, place: int, reason: str) -> None:
        # The plan is kept, not the net: it is sent where it is trained, and built there under the same seed.
        plan = self._plans[place]
        self.jobs[place] = partial(_train_alone, plan, self._statistics.of(plan), reason)
