"""Many fits, whose nets are trained at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.checks import check_pair
from sklearn_mtl.estimators.fitting import Prepared, prepare
from sklearn_mtl.estimators.once import Once
from sklearn_mtl.training import NetPlan, Outcome, RunJobs, has_ended, names_of_writers, train_nets


@dataclass(frozen=True, eq=False)
class PlannedFit:
    """One fit: planned, on its way, or done.

    Parameters
    ----------
    estimator : BaseMultiTask
        Not fitted.
    prepared : Prepared
        All that precedes training.
    outcomes : tuple of Outcome
        Of each net so far; empty before any training.
    epochs : int or None
        How many epochs the nets were given so far; None for all of ``max_epochs``.
    """

    estimator: BaseMultiTask
    prepared: Prepared
    outcomes: tuple[Outcome, ...] = ()
    epochs: int | None = 0

    @classmethod
    def of(
        cls,
        estimator: BaseMultiTask,
        once: Once,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        groups: Any = None,
    ) -> PlannedFit:
        """Return what ``estimator.fit`` would train, estimator being new.

        Parameters
        ----------
        estimator : BaseMultiTask
            Its parameters are read; the number and names of its features are set.
        once : MadeOnce
            Shared by fits to the same data.
        X, y, sample_weight, X_val, y_val, groups
            As of ``fit``.
        """
        check_pair(X_val, y_val)
        found = names_of_writers(estimator.callbacks)
        if found:
            raise ValueError(
                "`callbacks` of an estimator in a search must not write to one place, which all fits would "
                f"share. Found {found}; leave them out, and set them for the fit of the best candidate."
            )
        prepared = prepare(estimator, (X, y, sample_weight), (X_val, y_val), groups, once=once)
        return cls(estimator, prepared)

    @property
    def n_nets(self) -> int:
        """Number of nets."""
        return len(self.prepared.plans)

    @property
    def max_epochs(self) -> int:
        """Most epochs of each net."""
        return self.prepared.plans[0].settings.max_epochs

    @property
    def alone(self) -> list[str]:
        """Why some nets were not part of a stack, each reason once."""
        return list(dict.fromkeys(found.alone for found in self.outcomes if found.alone is not None))

    @property
    def error(self) -> Exception | None:
        """The first error of a net."""
        return next((found.error for found in self.outcomes if isinstance(found.error, Exception)), None)

    def plans(self, epochs: int | None) -> dict[int, NetPlan]:
        """Return what is to be trained up to a number of epochs, by position in the bag.

        Parameters
        ----------
        epochs : int or None
            In all; None for ``max_epochs``.
        """
        if not self.outcomes:
            return {i: replace(plan, epochs=epochs) for i, plan in enumerate(self.prepared.plans)}
        upto = self.max_epochs if epochs is None else epochs
        return {
            i: replace(plan, before=found.net, epochs=upto - len(found.net.history))
            for i, (plan, found) in enumerate(zip(self.prepared.plans, self.outcomes, strict=True))
            if found.net is not None and self._goes_on(plan, found, upto)
        }

    def trained(self, found: dict[int, Outcome], epochs: int | None) -> PlannedFit:
        """Return this with what has become of some of its nets.

        Parameters
        ----------
        found : dict of int to Outcome
            By position in the bag.
        epochs : int or None
            How many epochs they were given in all.
        """
        before = dict(enumerate(self.outcomes))
        every = tuple(_after(before.get(i), found.get(i)) for i in range(self.n_nets))
        return replace(self, outcomes=every, epochs=epochs)

    def fitted(self) -> BaseMultiTask:
        """Return a fitted copy of the estimator; the error of a net is raised."""
        nets = [outcome.trained() for outcome in self.outcomes]
        found: BaseMultiTask = copy(self.estimator)._keep(self.prepared.with_nets(nets))
        return found

    def _goes_on(self, plan: NetPlan, found: Outcome, upto: int) -> bool:
        assert found.net is not None
        given = self.max_epochs if self.epochs is None else self.epochs
        patience = None if plan.valid is None else plan.settings.patience
        return len(found.net.history) < upto and not has_ended(found.net, given, patience)


def train_together(
    fits: Sequence[PlannedFit],
    *,
    epochs: int | None = None,
    max_members: int | None = None,
    watch: Callable[[int, int, int], None] | None = None,
    run_jobs: RunJobs | None = None,
) -> Iterator[tuple[int, PlannedFit]]:
    """Train the nets of all fits at once, and yield each fit with its position once it is done.

    Parameters
    ----------
    fits : sequence of PlannedFit
        New ones, or such that train on.
    epochs : int, optional
        Most epochs of a net in all; ``max_epochs`` by default.
    max_members, watch, run_jobs
        As of `train_nets`.
    """
    todo = [fit.plans(epochs) for fit in fits]
    places = [(fit, net) for fit, plans in enumerate(todo) for net in plans]
    found: list[dict[int, Outcome]] = [{} for _ in fits]
    for fit, of_fit in enumerate(todo):
        if not of_fit:
            yield fit, fits[fit].trained({}, epochs)
    plans = [todo[fit][net] for fit, net in places]
    for position, outcome in train_nets(plans, max_members=max_members, watch=watch, run_jobs=run_jobs):
        fit, net = places[position]
        if outcome.interrupted:
            # What is not trained to its end is no result of a search.
            continue
        found[fit][net] = outcome
        if len(found[fit]) == len(todo[fit]):
            yield fit, fits[fit].trained(found[fit], epochs)
            found[fit] = {}


def _after(before: Outcome | None, found: Outcome | None) -> Outcome:
    if found is None or before is None:
        outcome = before or found
        assert outcome is not None
        return outcome
    return replace(
        found,
        seconds=before.seconds + found.seconds,
        alone=before.alone if found.alone is None else found.alone,
    )
