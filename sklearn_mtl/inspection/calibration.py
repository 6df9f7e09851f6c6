"""How far the probabilities of each task with classes are those with which things come true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.estimators.position_views import PositionsView
from sklearn_mtl.estimators.scored_rows import ScoredRows
from sklearn_mtl.estimators.task_view import view_of
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer
from sklearn_mtl.tasks.class_task import class_codes

STRATEGIES = ("uniform", "quantile")


def calibration_report(
    estimator: Any, X: Any, y: Any, *, n_bins: int = 10, strategy: str = "uniform"
) -> Bunch:
    """Return how far the probabilities of each task with classes are those with which they come true.

    Rows are put into bins by a probability. Of two classes, and of each label of a multilabel task, it is
    that of the second class, or of the label; what comes true is that class. Of more classes it is that of
    the most probable one, the confidence, and what comes true is that the label is this class: Guo et al.
    (2017), "On Calibration of Modern Neural Networks", equations 2 and 3.

    Parameters
    ----------
    estimator : fitted estimator
        A multi-task estimator, or a Pipeline or search around one.
    X : DataFrame or array-like of shape (n_rows, ...)
        Features of rows that the estimator was not fitted to.
    y : mapping, DataFrame or array-like
        Labels of all tasks, or of some by name; missing ones are left out, and so are tasks without classes.
    n_bins : int, default=10
        Number of bins.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or of equally many labels.

    Returns
    -------
    Bunch
        ``summary``, a DataFrame with a row for each task: ``ece``, the expected calibration error, which is
        the mean over bins, by their number of labels, of the distance between the two columns of the curve;
        ``brier``, the mean squared error of the probabilities, for more than two classes the sum over these,
        as in ``brier_score_loss``; and ``n_labels``. ``curves``, a DataFrame with a row for each task and bin
        that holds a label: ``predicted``, the mean probability, ``observed``, the share that came true, and
        ``n_labels``. ``tasks``, the names of all tasks of the estimator.

    Raises
    ------
    ValueError
        If no task of y has classes, or a parameter is not what it must be.

    Warns
    -----
    UserWarning
        If a task has no label in these rows; its numbers are NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.inspection import calibration_report
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 2))
    >>> Y = {"price": X[:, 0], "type": np.where(X[:, 1] > rng.normal(size=400), "flat", "house")}
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=20, random_state=0).fit(X, Y)
    >>> report = calibration_report(est, X, Y, n_bins=5)
    >>> report.summary.index.tolist(), report.summary.columns.tolist()
    (['type'], ['ece', 'brier', 'n_labels'])
    >>> report.curves.loc["type"].columns.tolist()
    ['predicted', 'observed', 'n_labels']
    """
    if not is_integer(n_bins) or n_bins < 1:
        raise ValueError(f"`n_bins` must be a positive whole number. Found {shown(n_bins)}.")
    if not isinstance(strategy, str) or strategy not in STRATEGIES:
        raise ValueError(f"`strategy` must be one of {list(STRATEGIES)}. Found {shown(strategy)}.")
    found, X = innermost(estimator, X)
    rows = ScoredRows.read(found, X, y, None)
    rows.check_known()
    tasks = [name for name in rows.targets.columns if _has_classes(rows, name)]
    if not tasks:
        raise ValueError(f"y must hold a task with classes. Found {shown(list(rows.targets.columns))}.")
    summary, curves = {}, {}
    for name in tasks:
        probability, came_true, brier = _compared(rows, name)
        curve = _curve(probability, came_true, n_bins, strategy)
        distance = (curve["predicted"] - curve["observed"]).abs()
        n_labels = len(probability)
        ece = float((distance * curve["n_labels"]).sum() / n_labels) if n_labels else np.nan
        summary[name] = {"ece": ece, "brier": brier, "n_labels": n_labels}
        curves[name] = curve
    rows.warn_of_unknown_labels(tasks)
    without = [name for name, of_task in summary.items() if not of_task["n_labels"]]
    if without:
        warn_caller(f"These rows have no label of the tasks {shown(without)}: their calibration is nan.")
    return Bunch(
        summary=pd.DataFrame.from_dict(summary, orient="index").rename_axis("task"),
        curves=pd.concat(curves, names=["task", "bin"]),
        tasks=list(rows.estimator.tasks_),
    )


def _has_classes(rows: ScoredRows, name: str) -> bool:
    task: Any = rows.estimator.tasks_[name]
    return bool(task.has_classes and task.has_probabilities)


def _compared(rows: ScoredRows, name: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the probability and outcome of each label of a task, and the Brier score."""
    column = rows._labels(name)
    task, response = rows.estimator.tasks_[name], rows.responses[name]
    if isinstance(task.classes, list):
        known = ~column.missing.reshape(len(column), -1)
        probability = task.predict_proba(response)[known]
        came_true = task.encode(column)[known] > 0
        return probability, came_true, _mean((probability - came_true) ** 2)
    if task.position_axes:
        view: Any = PositionsView(view_of(rows.estimator, name), rows.X, response, column, False)
        labels, probabilities = view.labels, view.predict_proba(rows.X)
    else:
        labels = column.values[column.has_label]
        probabilities = task.predict_proba(response[column.has_label])
    codes = class_codes(labels, task.classes)
    if len(task.classes) == 2:
        came_true = codes == 1
        return probabilities[:, 1], came_true, _mean((probabilities[:, 1] - came_true) ** 2)
    is_class = codes[:, None] == np.arange(len(task.classes))
    brier = _mean(((probabilities - is_class) ** 2).sum(axis=1))
    return probabilities.max(axis=1, initial=0.0), codes == probabilities.argmax(axis=1), brier


def _curve(probability: np.ndarray, came_true: np.ndarray, n_bins: int, strategy: str) -> pd.DataFrame:
    edges = np.linspace(0, 1, n_bins + 1)
    if strategy == "quantile" and len(probability):
        edges = np.quantile(probability, edges)
    bins = np.searchsorted(edges[1:-1], probability)
    labels = pd.DataFrame({"predicted": probability, "observed": came_true.astype(np.float64), "bin": bins})
    grouped = labels.groupby("bin")
    return grouped.mean().assign(n_labels=grouped.size())


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan
