"""Inter-task affinity: what a step for one task does to the loss of another."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from sklearn_mtl.inspection.relations.fits_anew import network_within, to_fit_anew
from sklearn_mtl.targets import read_targets
from sklearn_mtl.training import InterTaskAffinity, kept_epoch

NAME = "inter_task_affinity"


def inter_task_affinity(estimator: Any, X: Any, y: Any) -> pd.DataFrame:
    """Return how much a step on one task's gradient lowers the loss of another, as a mean over its steps.

    Fifty, Amid, Zhao, Yu, Anil & Finn (2021), "Efficiently Identifying Task Groupings for Multi-Task
    Learning" (NeurIPS), equation 1: ``1 - L_j(after) / L_j(before)``, where the shared parameters have made a
    gradient step of task i and those of the heads have not moved. The mean is over the steps up to the best
    epoch.

    Parameters
    ----------
    estimator : object
        A network, or a Pipeline or a search around one. A clone is trained.
    X, y : object
        Features and labels as ``fit`` takes them.

    Returns
    -------
    DataFrame
        Rows are the tasks whose gradient is followed, columns those whose loss changes.
    """
    every = steps_between_looks(y)
    found = watched(estimator, callbacks=[(NAME, InterTaskAffinity(every))])
    within = network_within(found.fit(X, y))
    measured = dict(within.net_.callbacks_)[NAME].mean(last_epoch(within))
    names = list(within.tasks_)
    return pd.DataFrame(measured, index=names, columns=names)


def last_epoch(within: Any) -> float:
    """Return the number of the last epoch that counts: what comes after the best one fits the noise.

    Parameters
    ----------
    within : BaseMultiTask
        The fitted estimator of one network.
    """
    return kept_epoch(within.net_, stops_early=within.early_stopping) or math.inf


def steps_between_looks(y: Any) -> int:
    """Return how many steps of a training pass between two that are looked at.

    A look costs a step for each task, so that with these looks a training takes about three times as long.

    Parameters
    ----------
    y : object
        Labels as ``fit`` takes them.
    """
    return max(1, len(read_targets(y).columns) // 2)


def watched(estimator: Any, **parameters: Any) -> Any:
    """Return a clone whose training is looked at: one network, and nothing beside it.

    Parameters
    ----------
    estimator : object
        What the user gave.
    **parameters : object
        What looks at it; callbacks are added to those that the estimator has.
    """
    found = to_fit_anew(estimator)
    within = network_within(found)
    added = [*(within.callbacks or ()), *parameters.pop("callbacks", ())]
    within.set_params(
        n_bags=1,
        linear_blend=False,
        tree_blend=False,
        calibrate=False,
        warm_start=False,
        callbacks=added or None,
        **parameters,
    )
    return found
