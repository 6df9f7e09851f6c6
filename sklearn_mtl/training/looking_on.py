"""Who looks on while the nets of one fit are trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from sklearn_mtl.training.observer import SeveralObservers
from sklearn_mtl.training.progress import FitProgress
from sklearn_mtl.training.runs import NetPlan


@contextmanager
def looked_on(plans: Sequence[NetPlan]) -> Iterator[Sequence[NetPlan]]:
    """Give the plans of a fit, each with an observer of its net.

    Those among the callbacks that look on at a fit do so, its progress does where it is asked for, and those
    that the plans are observed by already.

    Parameters
    ----------
    plans : sequence of NetPlan
        The nets, of equal settings, before their training.
    """
    settings = plans[0].settings
    onlookers = [*settings.onlookers, *([FitProgress()] if settings.shows_progress else [])]
    with ExitStack() as stack:
        found = [stack.enter_context(one.observing(plans)) for one in onlookers]
        yield [
            replace(plan, observer=SeveralObservers([*([plan.observer] if plan.observer else []), *new]))
            for plan, *new in zip(plans, *found, strict=True)
        ]
