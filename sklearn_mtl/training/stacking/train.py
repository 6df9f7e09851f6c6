"""Planned nets trained: those of one structure stacked, the others alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter

from sklearn_mtl.training.fit import NetPlan, begin, train_alone
from sklearn_mtl.training.stacking.outcome import Outcome


def train_nets(plans: Sequence[NetPlan]) -> Iterator[tuple[int, Outcome]]:
    for position, plan in enumerate(plans):
        yield position, _alone(plan)


def _alone(plan: NetPlan) -> Outcome:
    start = perf_counter()
    try:
        net = train_alone(begin(plan))
    except Exception as error:
        return Outcome(None, error, "x", perf_counter() - start)
    return Outcome(net, None, "x", perf_counter() - start)
