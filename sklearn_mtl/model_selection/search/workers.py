"""The trials of a search dealt over the workers of joblib: each plans, trains and scores a part of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from sklearn.utils.parallel import Parallel, delayed

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.fitting import PlannedFit
from sklearn_mtl.messages import first_line
from sklearn_mtl.model_selection.search.folds import Fold
from sklearn_mtl.model_selection.search.trials import Trial, last_step
from sklearn_mtl.recipes import fingerprint
from sklearn_mtl.training import NetPlan, Outcome, train_nets

# A part that ends its worker so often would do so again: it takes more memory than there is, for example.
MOST_ATTEMPTS = 3
# What a search varies most, and what nets of one stack may differ in.
MAY_DIFFER = ("task_weights", "lr", "weight_decay", "gradient_clip", "random_state", "max_epochs", "patience")
# By module, what the backends raise where a worker is gone.
OF_LOST_WORKERS = {
    "joblib.externals.loky.process_executor": ("TerminatedWorkerError",),
    "distributed": ("KilledWorker",),
    "ray.exceptions": ("RayActorError", "WorkerCrashedError", "ObjectLostError"),
}

Dealt = dict[int, Trial]


@dataclass(frozen=True, eq=False)
class Part:
    """Trials that one worker runs together; the rows are not in it, so that they are sent for all parts once.

    Parameters
    ----------
    trials : dict of int to Trial
        Trials by their place in the search, whose folds have no rows.
    """

    trials: Dealt

    @classmethod
    def of(cls, trials: Mapping[int, Trial]) -> Part:
        """Return the part of some trials, by their place in the search."""
        folds = {id(trial.fold): trial.fold.without_rows() for trial in trials.values()}
        return cls({place: replace(one, fold=folds[id(one.fold)]) for place, one in trials.items()})

    def with_rows(self, X: Any, y: Any, fit_params: dict[str, Any]) -> Dealt:
        """Return the trials; those of one fold have it, and the work on its rows, in common.

        Parameters
        ----------
        X, y : object
            All rows of the search.
        fit_params : dict
            What ``fit`` is given besides, for all rows.
        """
        folds: dict[int, Fold] = {}
        for trial in self.trials.values():
            rows = trial.fold.train, trial.fold.test
            folds.setdefault(id(trial.fold), Fold(X, y, fit_params, *rows))
        return {place: replace(one, fold=folds[id(one.fold)]) for place, one in self.trials.items()}


def parts_of(trials: Sequence[Trial], n_workers: int) -> list[Part]:
    """Deal trials over workers.

    Trials that can be stacked are dealt in as many parts of nearly equal size as there are workers. A part
    has whole folds as far as possible, so that few workers prepare the rows of the same one; where a fold is
    cut, candidates of equal recipes stay together. What is left to scikit-learn is dealt one by one.

    Parameters
    ----------
    trials : sequence of Trial
        All trials; those that failed before are left out.
    n_workers : int
        Number of workers.
    """
    left = {place: trial for place, trial in enumerate(trials) if trial.error is None}
    alone = [place for place, trial in left.items() if trial.left_alone is not None]
    together = sorted((place for place in left if place not in set(alone)), key=_by_fold_and_recipe(left))
    n_parts = min(n_workers, len(together))
    cuts = [len(together) * number // n_parts for number in range(n_parts + 1)] if n_parts else []
    dealt = [together[start:stop] for start, stop in pairwise(cuts)]
    return [Part.of({place: left[place] for place in places}) for places in [*dealt, *([i] for i in alone)]]


def _by_fold_and_recipe(trials: Mapping[int, Trial]) -> Any:
    """Return the key by which trials are sorted: what is prepared, or trained, together is adjacent."""
    ranks: dict[Any, int] = {}

    def rank(place: int) -> tuple[int, int]:
        trial = trials[place]
        recipe = fingerprint(_recipe(last_step(trial.estimator)))
        return ranks.setdefault(id(trial.fold), len(ranks)), ranks.setdefault(recipe, len(ranks))

    return rank


def _recipe(estimator: Any) -> dict[str, Any]:
    """Return the parameters in which the nets of one stack do not differ."""
    found = estimator.get_params(deep=False) if isinstance(estimator, BaseMultiTask) else {}
    return {name: value for name, value in found.items() if name not in MAY_DIFFER}


def train_parts(
    fits: Mapping[int, PlannedFit],
    parts: Sequence[Sequence[int]],
    *,
    epochs: int | None,
    max_members: int | None,
    **parallel: Any,
) -> Iterator[tuple[int, PlannedFit]]:
    """Train planned fits in the workers of joblib, and yield each by its place, once its part is done.

    A worker is sent the encoded rows, and nets that were trained before; nets come back, ready to train on.

    Parameters
    ----------
    fits : mapping of int to PlannedFit
        Fits that are new, or that train on, by place.
    parts : sequence of sequence of int
        The places of the fits that are trained together.
    epochs, max_members
        As in `train_together`.
    **parallel
        Settings of ``joblib.Parallel``.
    """
    todo = {place: fit.plans_up_to(epochs) for place, fit in fits.items()}
    yield from ((place, fits[place].with_outcomes({}, epochs)) for place in fits if not todo[place])
    to_send = [{place: todo[place] for place in part if todo[place]} for part in parts]
    for found in run_parts(_train_plans, [max_members], [one for one in to_send if one], **parallel):
        for place, outcomes in found.items():
            yield place, fits[place].with_outcomes(outcomes, epochs)


def _train_plans(
    max_members: int | None, plans: Mapping[int, Mapping[int, NetPlan]]
) -> dict[int, dict[int, Outcome]]:
    """Train the nets of some fits, in a worker; return their outcomes by fit and position."""
    places = [(fit, net) for fit, of_fit in plans.items() for net in of_fit]
    found: dict[int, dict[int, Outcome]] = {fit: {} for fit in plans}
    for place, outcome in train_nets([plans[fit][net] for fit, net in places], max_members=max_members):
        fit, net = places[place]
        found[fit][net] = outcome
    return found


def run_parts(call: Any, shared: Sequence[Any], parts: Sequence[Any], **parallel: Any) -> Iterator[Any]:
    """Call a function with each part in the workers of joblib, and yield what it returns, in no order.

    The parts of a worker that is lost are done again.

    Parameters
    ----------
    call : callable
        Takes what is shared, then a part.
    shared : sequence
        Arguments of all calls. As they are the same objects in each, backends can send them once: Dask
        scatters them, Ray puts them into its object store, and joblib's own maps large arrays.
    parts : sequence of object
        What is done, such as of each `Part`.
    **parallel
        Settings of ``joblib.Parallel``.

    Raises
    ------
    Exception
        What a call raises; or, where workers are lost again and again, what the backend raises.
    """
    left = dict(enumerate(parts))
    for attempt in range(1, MOST_ATTEMPTS + 1):
        jobs = (delayed(_numbered)(number, call, *shared, part) for number, part in left.items())
        try:
            for number, found in _parallel(**parallel)(list(jobs)):
                del left[number]
                yield found
            return
        except Exception as error:
            if attempt == MOST_ATTEMPTS or not is_of_a_lost_worker(error):
                raise
            warn_caller(
                f"A worker of the search was lost: {first_line(error)} What it had to do, or had not "
                "handed over, is done again."
            )


def _parallel(**settings: Any) -> Parallel:
    """Return what runs jobs, and hands each result over as soon as it is there if the backend can do so."""
    try:
        return Parallel(return_as="generator_unordered", **settings)
    except ValueError:
        # Ray's returns all results at the end.
        return Parallel(**settings)


def _numbered(number: int, call: Any, *args: Any) -> tuple[int, Any]:
    """Return what a call returns, with the number of its part."""
    return number, call(*args)


def is_of_a_lost_worker(error: BaseException) -> bool:
    """Whether an error says that a worker is gone, and not that what it did has failed."""
    # Only a backend that is in use can have raised it.
    loaded = {module: names for module, names in OF_LOST_WORKERS.items() if module in sys.modules}
    kinds = [getattr(sys.modules[module], name) for module, names in loaded.items() for name in names]
    return isinstance(error, tuple(kinds))
