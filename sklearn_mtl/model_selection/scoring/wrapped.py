"""Scores by task, and views of single tasks, of a Pipeline, a search or a view around an estimator."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklearn_mtl.estimators import TaskView
from sklearn_mtl.estimators.task_view import view_of
from sklearn_mtl.estimators.wrapped import innermost


def score_tasks(
    estimator: Any, X: Any, y: Any, sample_weight: Any = None, *, metrics: Any = None
) -> pd.Series:
    """Return the score of each task of a Pipeline, a search or a view around a multi-task estimator.

    Parameters
    ----------
    estimator : fitted estimator
        A multi-task estimator, or what passes its predictions on: a Pipeline that ends in one, a search
        of scikit-learn or of this package, a ``FrozenEstimator``, a view of a task; within each other too.
    X : DataFrame or array-like of shape (n_rows, ...)
        Features as ``estimator`` takes them.
    y, sample_weight, metrics
        As in ``score_tasks`` of the multi-task estimator.

    Returns
    -------
    pandas.Series of float64
        What ``score_tasks`` of the multi-task estimator returns.

    Raises
    ------
    TypeError
        If there is no multi-task estimator within, or something around it may change its predictions, as a
        tuned threshold does.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.model_selection import score_tasks
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> Y = {"price": X[:, 0], "type": np.where(X[:, 1] > 0, "flat", "house")}
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=3, random_state=0)
    >>> pipe = make_pipeline(StandardScaler(), est).fit(X, Y)
    >>> score_tasks(pipe, X, Y).attrs["metrics"]
    {'price': 'r2', 'type': 'accuracy'}
    >>> score_tasks(pipe, X, Y, metrics={"type": ["balanced_accuracy", "roc_auc"]}).index.tolist()
    [('type', 'balanced_accuracy'), ('type', 'roc_auc')]
    """
    found, X = innermost(estimator, X)
    return found.score_tasks(X, y, sample_weight, metrics=metrics)


def task_view(estimator: Any, name: str) -> TaskView:
    """Return one task of a Pipeline, a search or a view around a multi-task estimator.

    The view takes X as ``estimator`` does, not as the multi-task estimator within: partial dependence
    and importances are of the raw columns.

    Parameters
    ----------
    estimator : fitted estimator
        As in `score_tasks`.
    name : str
        Name of the task.

    Returns
    -------
    TaskRegressor or TaskClassifier
        What ``task`` of the multi-task estimator returns, but that ``fit`` of the view fits a clone of all of
        ``estimator``.

    Raises
    ------
    TypeError
        If there is no multi-task estimator within, or something around it may change its predictions, as a
        tuned threshold does.
    ValueError
        If there is no such task.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.model_selection import task_view
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> Y = {"price": X[:, 0], "type": np.where(X[:, 1] > 0, "flat", "house")}
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=3, random_state=0)
    >>> pipe = make_pipeline(StandardScaler(), est).fit(X, Y)
    >>> task_view(pipe, "type").predict_proba(X).shape
    (60, 2)
    """
    found, _ = innermost(estimator)
    check_is_fitted(found)
    return view_of(estimator, name)
