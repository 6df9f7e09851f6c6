"""Planned nets trained: those of one structure as one, the others alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from torch import Tensor

from sklearn_mtl.network.torch_state import each_in_default_modes, release_memory
from sklearn_mtl.recipes import fingerprint
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.runs import NetPlan, ReadyNet, finish, finish_interrupted, make_ready, train_alone
from sklearn_mtl.training.stacking.arrangement import losses_key
from sklearn_mtl.training.stacking.check import leave_out_misfits, why_alone
from sklearn_mtl.training.stacking.limits import fewest_members, is_out_of_memory, members_at_once
from sklearn_mtl.training.stacking.lockstep import Lockstep
from sklearn_mtl.training.stacking.outcome import Outcome
from sklearn_mtl.training.stacking.step import first_line
from sklearn_mtl.training.stacking.structure import Structures

# Nets that are built ahead of their training, to see which can be stacked.
PLANS_AHEAD = 512

# Told after each epoch: nets done so far, nets in all, epochs of the stack in training.
Watch = Callable[[int, int, int], None]
# Runs jobs that can be sent to other processes, and returns what they do, in order.
RunJobs = Callable[[Iterable[Callable[[], Outcome]]], Iterable[Outcome]]
# Deals with a net that is in no stack: its place, itself, and the reason.
TrainAlone = Callable[[int, ReadyNet, str], Iterator[tuple[int, Outcome]]]


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
        Told after each epoch how many nets are done, of how many, and the epochs of this stack.
    run_jobs : callable, optional
        Trains the nets that are in no stack; here, one after the other, by default.

    Yields
    ------
    position : int
        Of a plan, not in order.
    outcome : Outcome
        What became of it. Of nets that Ctrl-C has interrupted too, before it is raised.
    """
    progress = _Progress(len(plans), watch)
    for start in range(0, len(plans), PLANS_AHEAD):
        window = range(start, min(start + PLANS_AHEAD, len(plans)))
        of_window = {place: plans[place] for place in window}
        for outcome in _of_window(of_window, max_members, progress, run_jobs):
            progress.n_done += 1
            yield outcome
    for device in {plan.settings.device for plan in plans}:
        release_memory(device)


@dataclass
class _Progress:
    """How far a training has come.

    Parameters
    ----------
    n_all : int
        Nets in all.
    watch : callable or None
        Told of it.
    n_done : int
        Nets that are done.
    """

    n_all: int
    watch: Watch | None
    n_done: int = 0

    def epoch(self, done_of_stack: int, number: int) -> None:
        """Tell of an epoch that is over."""
        if self.watch is not None:
            self.watch(self.n_done + done_of_stack, self.n_all, number)


def _of_window(
    plans: Mapping[int, NetPlan],
    max_members: int | None,
    progress: _Progress,
    run_jobs: RunJobs | None,
) -> Iterator[tuple[int, Outcome]]:
    """Train nets that are all built at once."""
    statistics = FitStatistics()
    jobs: dict[int, Callable[[], Outcome]] = {}

    def alone(place: int, one: ReadyNet, reason: str) -> Iterator[tuple[int, Outcome]]:
        if run_jobs is None:
            yield from _handed_over({place: _alone(one, reason)})
        else:
            # The plan is sent; the net is built where it is trained, under the same seed.
            jobs[place] = partial(_alone_from, one.plan, statistics.of(one.plan), reason)

    yield from _stacked(plans, statistics, max_members, progress, alone)
    if run_jobs is None or len(jobs) < 2:
        # For a single one no process is worth its start.
        results: Iterable[Outcome] = (job() for job in jobs.values())
    else:
        results = run_jobs(jobs.values())
    for place, outcome in zip(jobs, results, strict=True):
        yield from _handed_over({place: outcome})


def _stacked(
    plans: Mapping[int, NetPlan],
    statistics: FitStatistics,
    max_members: int | None,
    progress: _Progress,
    alone: TrainAlone,
) -> Iterator[tuple[int, Outcome]]:
    groups: dict[Hashable, dict[int, ReadyNet]] = {}
    structures = Structures()
    for place, plan in plans.items():
        try:
            one = make_ready(plan, statistics.of(plan))
        except Exception as error:
            yield place, Outcome(None, error, "it could not be built", 0.0)
            continue
        reason = why_alone(one)
        if reason is None:
            groups.setdefault(structures.of(one), {})[place] = one
        else:
            yield from alone(place, one, reason)
    for group in groups.values():
        fewest = fewest_members(next(iter(group.values())).plan.settings.device)
        if len(group) < fewest:
            for place, one in group.items():
                yield from alone(place, one, f"a stack of fewer than {fewest} nets is no faster")
            continue
        for chunk in _chunks(group, max_members or members_at_once(next(iter(group.values())))):
            yield from _stack(chunk, statistics, progress, alone)


def _chunks(group: dict[int, ReadyNet], size: int) -> Iterator[dict[int, ReadyNet]]:
    """Take stacks of nearly equal size from a group, what goes together next to each other."""
    places = _sorted(group)
    n_chunks = -(-len(places) // max(size, 1))
    for number in range(n_chunks):
        start, stop = (len(places) * (number + i) // n_chunks for i in (0, 1))
        yield {place: group.pop(place) for place in places[start:stop]}


def _sorted(group: Mapping[int, ReadyNet]) -> list[int]:
    """Return places so that nets of equal losses, and of equal optimizer settings, are neighbours."""
    ranks: dict[Hashable, int] = {}

    def rank(place: int) -> tuple[int, int]:
        one = group[place]
        losses = losses_key(one.net.criterion_.losses)
        settings = (losses, one.plan.settings.lr, one.plan.settings.weight_decay)
        return ranks.setdefault(losses, len(ranks)), ranks.setdefault(settings, len(ranks))

    return sorted(group, key=rank)


def _stack(
    chunk: dict[int, ReadyNet], statistics: FitStatistics, progress: _Progress, alone: TrainAlone
) -> Iterator[tuple[int, Outcome]]:
    """Train nets stacked, those that turn out not to fit alone; in halves where memory is short."""
    if len(chunk) == 1:
        ((place, one),) = chunk.items()
        yield from alone(place, one, "no other net of its structure is trained with it")
        return
    plans = {place: one.plan for place, one in chunk.items()}
    found = _tried(chunk, progress)
    if found is None:
        # Nobody else has these nets: with them goes the stack, which their weights are views of.
        chunk.clear()
        anew = {place: make_ready(plan, statistics.of(plan)) for place, plan in plans.items()}
        for half in _chunks(anew, -(-len(anew) // 2)):
            yield from _stack(half, statistics, progress, alone)
        return
    outcomes, unfit = found
    yield from _handed_over(outcomes)
    for place, reason in unfit.items():
        yield from alone(place, make_ready(plans[place], statistics.of(plans[place])), reason)


def _tried(
    chunk: Mapping[int, ReadyNet], progress: _Progress
) -> tuple[dict[int, Outcome], dict[int, str]] | None:
    """Return what `_train_stack` does, or None where memory is short."""
    try:
        return _train_stack(chunk, progress)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    return None


def _train_stack(
    chunk: Mapping[int, ReadyNet], progress: _Progress
) -> tuple[dict[int, Outcome], dict[int, str]]:
    """Return what became of the nets of a stack, and why others must be trained alone."""
    start = perf_counter()
    places = list(chunk)
    try:
        lockstep = Lockstep(list(chunk.values()))
    # A user's module may raise anything, and does so again when its net is trained.
    except Exception as failure:
        if is_out_of_memory(failure):
            raise
        return {}, dict.fromkeys(places, f"its step fails: {first_line(failure)}")
    unfit = leave_out_misfits(lockstep)
    ended: dict[int, Exception | KeyboardInterrupt | None] = {}
    try:
        lockstep.run(ended.__setitem__, lambda epoch: progress.epoch(len(ended), epoch))
    except KeyboardInterrupt as interrupt:
        ended = {slot: ended.get(slot, interrupt) for slot in range(len(places)) if slot not in unfit}
    outcomes = {}
    for slot, error in ended.items():
        net = _ended(chunk[places[slot]], error)
        outcomes[places[slot]] = Outcome(net, error, None, (perf_counter() - start) / len(ended))
    return outcomes, {places[slot]: reason for slot, reason in unfit.items()}


def _alone(one: ReadyNet, reason: str) -> Outcome:
    start = perf_counter()
    try:
        net = train_alone(one)
    except (Exception, KeyboardInterrupt) as error:
        return Outcome(_ended(one, error), error, reason, perf_counter() - start)
    return Outcome(net, None, reason, perf_counter() - start)


def _ended(one: ReadyNet, error: BaseException | None) -> MultiTaskNet | None:
    """Return what is left of a net: all of it, what it was before Ctrl-C, or, after an error, nothing."""
    if error is None:
        return finish(one)
    return finish_interrupted(one) if isinstance(error, KeyboardInterrupt) else None


def _handed_over(outcomes: Mapping[int, Outcome]) -> Iterator[tuple[int, Outcome]]:
    """Yield outcomes; raise the Ctrl-C that has ended some of them after that."""
    yield from outcomes.items()
    for outcome in outcomes.values():
        if outcome.interrupted:
            assert outcome.error is not None
            raise outcome.error


def _alone_from(plan: NetPlan, statistics: Mapping[str, Tensor] | None, reason: str) -> Outcome:
    return _alone(make_ready(plan, statistics), reason)


class FitStatistics:
    """Fit statistics of trunks, computed once for nets that share rows and trunk."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Mapping[str, Tensor]] = {}

    def of(self, plan: NetPlan) -> Mapping[str, Tensor] | None:
        """Return what ``plan.fit_statistics`` does; None for a net that is trained on."""
        if plan.before is not None:
            return None
        trunk = plan.blueprint.trunk
        key = (id(plan.train), plan.seed, type(trunk), fingerprint(trunk.get_params()))
        if key not in self._known:
            self._known[key] = plan.fit_statistics()
        return self._known[key]
