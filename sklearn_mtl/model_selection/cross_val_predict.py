"""Out-of-fold predictions of all tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.base import clone
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed

from sklearn_mtl.estimators.predictions import intervals
from sklearn_mtl.estimators.scikit_learn_private import n_rows_of, params_of_rows, take_rows
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.features import splittable_inputs
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection.all_targets import AllTargets
from sklearn_mtl.model_selection.splitting.splitter import splittable
from sklearn_mtl.targets import Column, MultiTaskTarget, read_targets
from sklearn_mtl.tasks import TaskKind

Method = Literal["predict", "predict_proba", "predict_log_proba", "decision_function", "predict_interval"]
METHODS = get_args(Method)
# What a class has that the training part did not have, by the methods that have columns for classes.
ABSENT = {
    "predict_proba": 0.0,
    "predict_log_proba": np.finfo(np.float64).min,
    "decision_function": np.finfo(np.float64).min,
}


def cross_val_predict_tasks(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    cv: Any = None,
    method: Method = "predict",
    groups: Any = None,
    n_jobs: int | None = None,
    params: Mapping[str, Any] | None = None,
    coverage: float = 0.9,
    verbose: int = 0,
    pre_dispatch: int | str = "2*n_jobs",
) -> MultiTaskTarget:
    """Predict each row by an estimator that was fitted without it, and return the tasks by name.

    ``cross_val_predict`` of scikit-learn does so too, but has probabilities for a y of one task only.

    Parameters
    ----------
    estimator : estimator
        A multi-task estimator, or a Pipeline or search around one; cloned for each fold.
    X : DataFrame or array-like of shape (n_rows, ...)
        Features, as the estimator takes them.
    y : mapping, DataFrame or array-like
        Labels by task.
    cv : int, splitter, iterable or None, default=None
        As in ``cross_val_predict`` of scikit-learn; every row must be in exactly one test part. A number
        stands for so many folds in the order of the rows; they are stratified for a classifier whose y is one
        column without missing labels, and for no other.
    method : {"predict", "predict_proba", "predict_log_proba", "decision_function", "predict_interval"}
        "predict" by default. Method of the estimator; tasks that do not have it are left out.
    groups : array-like of shape (n_rows,), optional
        Group of each row, which the splitter is given.
    n_jobs : int, optional
        Number of folds that are fitted at the same time.
    params : mapping, optional
        Further arguments of the estimator's ``fit``, such as ``sample_weight``; those with a value for each
        row are split. With metadata routing the splitter is given what it asks for, too.
    coverage : float, default=0.9
        Share of the labels that an interval should cover, where ``method="predict_interval"``.
    verbose : int, default=0
        As in joblib's ``Parallel``.
    pre_dispatch : int or str, default="2*n_jobs"
        As in joblib's ``Parallel``.

    Returns
    -------
    MultiTaskTarget
        Predictions by task: numbers as float64, labels in their own dtype. Probabilities have a column for
        each class in all of y, sorted, with 0 where the training part did not have the class; those of a
        multilabel task have a column for each label. Their logarithms and log-odds are the smallest float64
        there, as in scikit-learn; log-odds of two classes in all of y are those of the second. Intervals have
        a column for the lower and one for the upper end. Where a task has no label in the training part, its
        predictions of the test part are missing.

    Raises
    ------
    ValueError
        If the test parts are no partition of the rows, if no task has the method, or if a task is of
        different kinds in different folds, which can be where an estimator sets its own ``tasks``.
    TypeError
        If there is no multi-task estimator within, or something around it may change its predictions.

    Warns
    -----
    UserWarning
        If a training part has no label of a task.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.model_selection import cross_val_predict_tasks
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> Y = {"price": X[:, 0], "type": np.where(X[:, 1] > 0, "flat", "house")}
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=3, random_state=0)
    >>> cross_val_predict_tasks(est, X, Y, cv=2)
    MultiTaskTarget of 60 rows
      price: float64, 60
      type: <U5, 60
    >>> cross_val_predict_tasks(est, X, Y, cv=2, method="predict_proba")["type"].shape
    (60, 2)
    """
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {list(METHODS)}. Found {shown(method)}.")
    innermost(estimator)
    X = splittable_inputs(X)
    targets = read_targets(y, n_rows=n_rows_of(X))
    X, y, groups = indexable(X, splittable(y), groups)
    all_targets = AllTargets(y)
    cv = all_targets.splitter(cv, estimator)
    fit_params, split_params = _routed(estimator, cv, params, groups)
    splits = list(cv.split(X, y, **split_params))
    order = _check_partition(np.concatenate([test for _, test in splits]), n_rows_of(X))
    clones = [clone(estimator) for _ in splits]
    for number, one in enumerate(clones, start=1):
        all_targets.prepare(one, f"fold {number} of {len(splits)}")
    jobs = (
        delayed(_fold)(one, X, y, rows, fit_params, method, coverage)
        for one, rows in zip(clones, splits, strict=True)
    )
    folds = Parallel(n_jobs=n_jobs, verbose=verbose, pre_dispatch=pre_dispatch)(jobs)
    joined = _joined(folds, [len(test) for _, test in splits], targets.columns, method)
    return joined[np.argsort(order)]


# Each task's kind, the task as it was seen in the training part, and its predictions of the test part.
Fold = dict[str, tuple[TaskKind, Any, Any]]


def _fold(
    estimator: Any,
    X: Any,
    y: Any,
    rows: tuple[np.ndarray, np.ndarray],
    params: Mapping[str, Any],
    method: Method,
    coverage: float,
) -> Fold:
    """Fit to the training rows, and return each task with its predictions of the test rows."""
    train, test = rows
    params = params_of_rows(X, dict(params), train)
    estimator.fit(take_rows(X, train), take_rows(y, train), **params)
    found, X_test = innermost(estimator, take_rows(X, test))
    of_logs = method in ("predict_log_proba", "decision_function")
    parts = found._log_responses(X_test) if of_logs else found._responses(X_test)[0]
    if method == "predict_interval":
        predictions = intervals(found.tasks_, parts, coverage)
    else:
        predictions = {
            name: getattr(task, method)(parts[name])
            for name, task in found.tasks_.items()
            if method == "predict" or task.has_probabilities
        }
    kinds = found._fitted.kinds
    return {name: (kinds[name], found.tasks_[name], predicted) for name, predicted in predictions.items()}


def _joined(
    folds: list[Fold], sizes: list[int], columns: Mapping[str, Column], method: Method
) -> MultiTaskTarget:
    names = [name for name in columns if any(name in fold for fold in folds)]
    if not names:
        needed = "a task with classes, such as a classification"
        if method == "predict_interval":
            needed = "a regression task with a quantile or Gaussian loss"
        raise ValueError(f"`method`={shown(method)} needs {needed}. Found none.")
    by_fold = [{name: predicted for name, (*_, predicted) in fold.items()} for fold in folds]
    for name in names:
        _check_one_kind(name, [fold[name][1].kind for fold in folds if name in fold])
        kind, task, predicted = next(fold[name] for fold in folds if name in fold)
        # A list of classes is of several labels, which have a column each.
        if method in ABSENT and task.has_classes and isinstance(task.classes, np.ndarray):
            predicted = _over_all_classes(name, kind, folds, by_fold, columns[name], method)
        for found, size in zip(by_fold, sizes, strict=True):
            if name not in found:
                found[name] = _missing(predicted, size)
    joined: Any = np.concatenate([MultiTaskTarget({name: fold[name] for name in names}) for fold in by_fold])
    return cast(MultiTaskTarget, joined)


def _check_one_kind(name: str, kinds: list[str]) -> None:
    if len(set(kinds)) > 1:
        raise ValueError(
            f"A task must be of the same kind in every fold; say it with `tasks=`. Found {kinds} for task "
            f"{shown(name)}."
        )


def _over_all_classes(
    name: str,
    kind: TaskKind,
    folds: list[Fold],
    by_fold: list[dict[str, Any]],
    column: Column,
    method: Method,
) -> np.ndarray:
    """Give what each fold has by class a column for each class of y; return that of one fold."""
    every: Any = kind.bind(column, np.ones(len(column)))
    classes = pd.Index(every.classes)
    wide = np.empty((0, len(classes)))
    for fold, predicted in zip(folds, by_fold, strict=True):
        if name in fold:
            _, task, found = fold[name]
            wide = found
            if not classes.equals(pd.Index(task.classes)):
                # Log-odds of two classes are those of the second, and those of one class its negative.
                by_class = found if found.ndim == 2 else np.stack([-found, found], axis=1)
                wide = np.full((len(found), len(classes)), ABSENT[method])
                wide[:, classes.get_indexer(pd.Index(task.classes))] = by_class[:, : len(task.classes)]
                if method == "decision_function" and len(classes) == 2:
                    wide = wide[:, 1]
            predicted[name] = wide
    return wide


def _missing(like: Any, n_rows: int) -> Any:
    """Return so many missing predictions, that can be joined with others."""
    if not isinstance(like, np.ndarray):
        return pd.array([None] * n_rows, dtype=like.dtype)
    shape = (n_rows, *like.shape[1:])
    return np.full(shape, np.nan) if like.dtype.kind == "f" else np.full(shape, None, dtype=object)


def _check_partition(tested: np.ndarray, n_rows: int) -> np.ndarray:
    if not np.array_equal(np.sort(tested), np.arange(n_rows)):
        times = np.bincount(tested, minlength=n_rows)
        raise ValueError(
            "`cv` must be a partition: cross_val_predict_tasks only works for partitions, where every row "
            f"is tested once. Found {int((times == 0).sum())} rows never tested and "
            f"{int((times > 1).sum())} tested more than once."
        )
    return tested


def _routed(
    estimator: Any, cv: Any, params: Mapping[str, Any] | None, groups: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what ``fit`` and what ``split`` is given."""
    given = {name: _by_row(name, value) for name, value in (params or {}).items()}
    if not get_config()["enable_metadata_routing"]:
        return given, {"groups": groups}
    router = MetadataRouter(owner="cross_val_predict_tasks")
    router.add(splitter=cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
    router.add(estimator=estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
    if groups is not None:
        given["groups"] = groups
    routed = process_routing(router, "fit", **given)
    return routed.estimator.fit, routed.splitter.split


def _by_row(name: str, value: Any) -> Any:
    """Return sample weights by task such that they are split."""
    return splittable(value) if name.endswith("sample_weight") else value
