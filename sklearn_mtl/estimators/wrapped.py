"""The multi-task estimator within a Pipeline, a search, or what else passes its predictions on."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_mtl.estimators.scikit_learn_private import BaseSearchCV
from sklearn_mtl.estimators.task_estimator import TaskEstimator


def innermost(estimator: Any, X: Any = None) -> tuple[TaskEstimator, Any]:
    """Return the multi-task estimator within, and the X that it sees.

    Parameters
    ----------
    estimator : object
        A multi-task estimator, or what `held_by` knows around one, within each other too.
    X : object, optional
        Features; a Pipeline's steps before the last transform them.

    Returns
    -------
    estimator : TaskEstimator
        The estimator, which may not be fitted yet.
    X : object
        Features as the methods of that estimator take them.

    Raises
    ------
    TypeError
        If there is none, or something around it that may predict otherwise.
    """
    found = estimator
    while not isinstance(found, TaskEstimator):
        if isinstance(found, Pipeline) and X is not None and len(found) > 1:
            X = found[:-1].transform(X)
        held = held_by(found)
        if held is None:
            within = "" if found is estimator else f" with {type(found).__name__} in it"
            raise TypeError(
                "`estimator` must be a multi-task estimator of sklearn_mtl, or a Pipeline, a search of "
                "scikit-learn with refit, a FrozenEstimator or a view of a task around one: others may "
                f"predict otherwise than the estimator within. Found {type(estimator).__name__}{within}; "
                "pass the estimator that it holds where that is meant."
            )
        found = held
    return found, X


@singledispatch
def held_by(wrapper: Any) -> Any:  # noqa: ARG001
    """Return the estimator whose predictions a wrapper passes on, or None where it may change them.

    A wrapper that has not been fitted holds the estimator that it will fit.

    Parameters
    ----------
    wrapper : object
        Any estimator. A kind of wrapper that passes predictions on registers what it holds.
    """
    return None


@held_by.register(Pipeline)
def _(wrapper: Pipeline) -> Any:
    return wrapper[-1]


@held_by.register(FrozenEstimator)
def _(wrapper: FrozenEstimator) -> Any:
    return wrapper.estimator


@held_by.register(BaseSearchCV)
def _(wrapper: BaseSearchCV) -> Any:
    # A search without refit has results, and nothing that predicts.
    to_fit = None if hasattr(wrapper, "cv_results_") else wrapper.estimator
    return getattr(wrapper, "best_estimator_", to_fit)
