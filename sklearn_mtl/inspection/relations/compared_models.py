"""The models that a sharing report compares, fitted to the folds and scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from sklearn.base import clone

from sklearn_mtl.ensemble.members import trees
from sklearn_mtl.estimators.scikit_learn_private import take_rows
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.inspection.relations.fits_anew import alone, fitted, network_within, planned
from sklearn_mtl.model_selection.all_targets import AllTargets
from sklearn_mtl.model_selection.search.folds import Fold
from sklearn_mtl.model_selection.search.trials import Trial
from sklearn_mtl.targets import MultiTaskTarget

# The models, as the columns of the scores name them.
JOINT, ALONE, BOOSTING = "joint", "alone", "boosting"


def _scores(model: Any, fold: Fold, metrics: dict[str, Any] | None) -> pd.Series:
    """Return the scores of a fitted model on the test rows of a fold; ``attrs`` names the metrics."""
    within, X = innermost(model, take_rows(fold.X, fold.test))
    y = take_rows(fold.y, fold.test)
    if metrics is None:
        return within.score_tasks(X, y)
    found = within.score_tasks(X, y, metrics={name: metrics[name] for name in y})
    named = dict(found.index)
    found = found.droplevel("metric").rename_axis(None)
    found.attrs["metrics"] = named
    return found


def scores_of_trees(
    template: Any, targets: AllTargets, folds: Sequence[Fold], metrics: dict[str, Any] | None
) -> list[pd.Series]:
    """Return the scores of gradient boosting for each task, by fold.

    Parameters
    ----------
    template : object
        The estimator, whose kinds of tasks count.
    targets : AllTargets
        All rows of y.
    folds : sequence of Fold
        The rows to train on and to score.
    metrics : dict of str to metric, or None
        The metric of each task; None for its default.
    """
    # The kinds of the tasks are those that the network has: numbers that it takes for classes are classes.
    like = clone(template)
    targets.prepare(like, "all rows")
    found = []
    for number, fold in enumerate(folds, start=1):
        model = trees().set_params(tasks=network_within(like).tasks)
        targets.prepare(model, _name(number, folds))
        found.append(_scores(model.fit(*fold.fit_call.args), fold, metrics))
    return found


def scores_of_networks(
    template: Any,
    targets: AllTargets,
    folds: Sequence[Fold],
    metrics: dict[str, Any] | None,
    n_jobs: int | None,
) -> dict[str, list[pd.Series]]:
    """Return the scores of the joint network and of those for single tasks, by fold.

    Parameters
    ----------
    template, targets, folds, metrics
        As in `scores_of_trees`.
    n_jobs : int or None
        Number of networks that are trained at the same time, of those that are in no stack.
    """
    names = list(targets.columns)
    trials: list[Trial] = []
    places: list[tuple[str, int]] = []
    for number, fold in enumerate(folds):
        name = _name(number + 1, folds)
        trials.append(planned(clone(template), fold, targets, name))
        places.append((JOINT, number))
        for task in names:
            # A task without a label to learn from has no network.
            if targets.columns[task].take(fold.train).has_label.any():
                only = MultiTaskTarget({task: targets.y[task]})
                of_task = Fold(fold.X, only, {}, fold.train, fold.test)
                trials.append(planned(alone(template, task, names), of_task, AllTargets(only), name))
                places.append((ALONE, number))
    found: dict[str, list[list[pd.Series]]] = {model: [[] for _ in folds] for model in (JOINT, ALONE)}
    for place, one in fitted(trials, n_jobs):
        model, number = places[place]
        found[model][number].append(_scores(one, trials[place].fold, metrics))
    return {model: [_joined(of_fold) for of_fold in of_folds] for model, of_folds in found.items()}


def _joined(scores: Sequence[pd.Series]) -> pd.Series:
    joined = pd.concat(scores)
    joined.attrs["metrics"] = {name: metric for of in scores for name, metric in of.attrs["metrics"].items()}
    return joined


def _name(number: int, folds: Sequence[Fold]) -> str:
    return f"fold {number} of {len(folds)}"
