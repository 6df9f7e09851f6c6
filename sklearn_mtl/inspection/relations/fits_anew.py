"""Clones of what a user gives, to be fitted again: to all tasks, or to one of them with the same network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed

from sklearn_mtl.balancing import BALANCERS
from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.fitting import train_together
from sklearn_mtl.estimators.wrapped import held_by, innermost
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection.all_targets import AllTargets
from sklearn_mtl.model_selection.search.folds import Fold
from sklearn_mtl.model_selection.search.trials import Trial, last_step, why_left_to_scikit_learn
from sklearn_mtl.recipes import resolve
from sklearn_mtl.sampling import SAMPLERS
from sklearn_mtl.sharing import SHARINGS
from sklearn_mtl.targets import MultiTaskTarget, is_frame, read_targets


def to_fit_anew(estimator: Any) -> Any:
    """Return an unfitted clone of an estimator; of a search, that of its best estimator.

    Parameters
    ----------
    estimator : object
        A network for several tasks, fitted or not, or a Pipeline or a search around one.

    Raises
    ------
    TypeError
        If there is no network within.
    """
    within, _ = innermost(estimator)
    if not isinstance(within, BaseMultiTask):
        raise TypeError(
            "`estimator` must be a MultiTaskClassifierRegressor, MultiTaskClassifier or MultiTaskRegressor, "
            f"or a Pipeline or a search around one. Found {shown(within)}."
        )
    found = estimator
    while not isinstance(found, Pipeline | BaseMultiTask):
        found = held_by(found)
    found = clone(found)
    if hasattr(innermost(found)[0], "_fitted"):
        raise TypeError(
            f"`estimator` must be one that can be fitted again. Found {shown(estimator)}, which is frozen."
        )
    return found


def network_within(estimator: Any) -> Any:
    """Return the network within what `to_fit_anew` has returned, to set its parameters."""
    return innermost(estimator)[0]


def by_task(y: Any) -> MultiTaskTarget:
    """Return the labels of each task by its name, in whatever container y is.

    Parameters
    ----------
    y : mapping, DataFrame or array-like
        Labels as the user gave them.
    """
    if isinstance(y, Mapping) or is_frame(y):
        return MultiTaskTarget(y)
    names, labels = list(read_targets(y).columns), np.asarray(y)
    return MultiTaskTarget(dict(zip(names, labels.T if labels.ndim == 2 else [labels], strict=True)))


def alone(estimator: Any, task: str, names: Sequence[str]) -> Any:
    """Return an unfitted clone for one task by itself, with the same network.

    Parameters
    ----------
    estimator : object
        What `to_fit_anew` has returned.
    task : str
        The task.
    names : sequence of str
        All tasks. What the parameters say of the others is left out.
    """
    found = clone(estimator)
    within = network_within(found)
    others = [name for name in names if name != task]
    within.set_params(
        sharing=resolve(SHARINGS, within.sharing).of_tasks(names).without(others),
        balancing=resolve(BALANCERS, within.balancing).without(others),
    )
    if within.sampler is not None:
        within.set_params(sampler=resolve(SAMPLERS, within.sampler).without(others))
    within._of_one_task(task, {})
    return found


def planned(estimator: Any, fold: Fold, targets: AllTargets, name: str) -> Trial:
    """Return a fit to the training rows of a fold, planned.

    Parameters
    ----------
    estimator : object
        A clone, which will be fitted.
    fold : Fold
        The rows.
    targets : AllTargets
        All rows of the y of the fold.
    name : str
        The name of the fold, for messages.
    """
    left_alone = why_left_to_scikit_learn(last_step(estimator))
    trial = Trial(fold, estimator, left_alone=left_alone).planned(targets, name)
    if trial.error is not None:
        raise trial.error
    return trial


def fitted(trials: Sequence[Trial], n_jobs: int | None = None) -> Iterator[tuple[int, Any]]:
    """Train the networks of all fits at once, those of one structure as one stacked network.

    Parameters
    ----------
    trials : sequence of Trial
        Planned fits.
    n_jobs : int, optional
        Number of networks that are trained at the same time, of those that are in no stack.

    Yields
    ------
    place : int
        The place of a fit; they do not come in order.
    estimator : object
        The fitted estimator.
    """
    places = [place for place, trial in enumerate(trials) if trial.fit is not None]
    fits = [trial.fit for trial in trials if trial.fit is not None]
    for position, fit in train_together(fits, run_jobs=_run_jobs(n_jobs)):
        if fit.error is not None:
            raise fit.error
        yield places[position], trials[places[position]].with_fit(fit).fitted()
    for place, trial in enumerate(trials):
        if trial.fit is None:
            args, kwargs = trial.fold.fit_call
            yield place, trial.estimator.fit(*args, **kwargs)


def _run_jobs(n_jobs: int | None) -> Callable[[Iterable[Any]], Any] | None:
    if effective_n_jobs(n_jobs) == 1:
        return None
    return lambda jobs: Parallel(n_jobs=n_jobs)(delayed(job)() for job in jobs)
