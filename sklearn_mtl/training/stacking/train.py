"""Planned nets trained: those of one structure stacked, the others alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from sklearn_mtl.training.fit import NetPlan, begin, train_alone
from sklearn_mtl.training.stacking.outcome import Outcome


def train_nets(
    plans: Sequence[NetPlan],
    *,
    max_members: int | None = None,  # noqa: ARG001 - nets are trained one by one for now
    watch: Callable[[int, int, int], None] | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """Train planned nets, and yield each with its position once it is done.

    Parameters
    ----------
    plans : sequence of NetPlan
        The plans.
    max_members : int, optional
        Most nets in a stack.
    watch : callable, optional
        Told how many nets are done, how many there are, and the epoch.
    """
    for position, plan in enumerate(plans):
        outcome = _alone(plan)
        if watch is not None and outcome.net is not None:
            watch(position + 1, len(plans), len(outcome.net.history))
        yield position, outcome


def _alone(plan: NetPlan) -> Outcome:
    start = perf_counter()
    try:
        net = train_alone(begin(plan))
    except Exception as error:
        return Outcome(None, error, "nets are trained one by one", perf_counter() - start)
    return Outcome(net, None, "nets are trained one by one", perf_counter() - start)
