"""Whether it pays to learn each task together with the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import indexable

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.estimators.scikit_learn_private import n_rows_of
from sklearn_mtl.features import splittable_inputs
from sklearn_mtl.inspection.relations.compared_models import (
    ALONE,
    BOOSTING,
    JOINT,
    scores_of_networks,
    scores_of_trees,
)
from sklearn_mtl.inspection.relations.fits_anew import by_task, to_fit_anew
from sklearn_mtl.inspection.relations.resampled_t import corrected_resampled_t
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection.all_targets import AllTargets
from sklearn_mtl.model_selection.search.folds import Fold
from sklearn_mtl.targets import read_targets

# Differences that chance makes in one of twenty comparisons are not told from it.
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class SharingReport:
    """The scores of a network for all tasks, and of others for each task alone, on the same folds.

    Parameters
    ----------
    scores : DataFrame
        Its index has ``fold`` and ``task``, its columns are ``"joint"``, ``"alone"`` and, where baselines
        were asked for, ``"boosting"``. A fold without enough labels of a task is nan.
    differences : DataFrame
        Its index has ``task`` and ``against``, the model that the joint network is compared with. Columns are
        the ``metric``, the mean scores ``joint`` and ``other``, their ``difference`` (above 0 where the joint
        network is better), its standard deviation over folds ``std``, ``n_folds`` with both scores, the
        ``p_value`` of the corrected resampled t-test, and the ends ``low`` and ``high`` of the 95 %
        confidence interval by the same test. What one fold can't tell is nan.

    See Also
    --------
    sharing_report : Makes one.
    SharingReportDisplay : The differences as a figure.
    """

    scores: pd.DataFrame
    differences: pd.DataFrame

    def summary(self) -> str:
        """Return what to do with each task, a sentence a line.

        A difference counts where its p-value is below 0.05. It is not corrected for the number of tasks: of
        twenty tasks, chance makes about one such difference.
        """
        tasks = self.differences.index.get_level_values("task").unique()
        return "\n".join(self._sentence(task) for task in tasks)

    def __repr__(self) -> str:
        """Return how much was compared."""
        n_folds, n_tasks = (self.scores.index.get_level_values(name).nunique() for name in ("fold", "task"))
        return f"SharingReport({n_tasks} tasks, {n_folds} folds, {list(self.scores.columns)})"

    def _sentence(self, task: str) -> str:
        of_task = self.differences.loc[task]
        networks = of_task.loc[ALONE]
        if networks["n_folds"] == 0:
            return f"{task}: no fold has enough labels to compare, so nothing can be said."
        joint, single = (f"{networks[name]:.3f}" for name in ("joint", "other"))
        scores = f"{networks['metric']} {joint} together, {single} alone"
        verdict = _verdict(networks)
        if BOOSTING not in of_task.index or of_task.loc[BOOSTING, "n_folds"] == 0:
            return f"{task}: {verdict} ({scores}, {_chance(networks)})."
        boosting = of_task.loc[BOOSTING]
        scores = f"{scores}, {boosting['other']:.3f} by gradient boosting"
        if boosting["difference"] < 0 and boosting["p_value"] < LEVEL:
            verdict = f"use gradient boosting, which is better than the network of all tasks; else {verdict}"
        return f"{task}: {verdict} ({scores}; {_chance(networks)})."


def _verdict(found: pd.Series) -> str:
    if found["n_folds"] == 1:
        return "score it on more than one fold before you choose, as one does not tell chance from more"
    if not found["p_value"] < LEVEL:
        return "learn it with the others or alone, as the difference is within chance"
    if found["difference"] > 0:
        return "learn it with the others, which is better than alone"
    return "learn it alone or with fewer tasks, as the others harm it"


def _chance(found: pd.Series) -> str:
    if found["n_folds"] == 1:
        return f"difference {found['difference']:+.3f} on one fold"
    return (
        f"difference {found['difference']:+.3f} ± {found['std']:.3f} over {found['n_folds']} folds, "
        f"p = {found['p_value']:.2g}"
    )


def sharing_report(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    cv: Any = None,
    baselines: bool = False,
    metrics: Any = None,
    groups: Any = None,
    n_jobs: int | None = None,
) -> SharingReport:
    """Compare one network for all tasks with the same network for each task alone, on the same folds.

    All networks of all folds are trained in one go: those of one structure as one stacked network, as in
    `StackedGridSearchCV`.

    Parameters
    ----------
    estimator : estimator
        A multi-task network, or a Pipeline or search around one, fitted or not. It is left as it is: clones
        are fitted. Alone, a task has the same trunk, settings and seed.
    X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
        Features, as the estimator takes them.
    y : mapping, DataFrame or array-like
        Labels of at least two tasks; missing ones are left out.
    cv : int, splitter, iterable or None, default=None
        As in scikit-learn; None stands for 5 folds in the order of the rows. Rows in an order that means
        something need a splitter that shuffles, such as ``TaskStratifiedKFold(5, shuffle=True)``.
    baselines : bool, default=False
        Whether each task is also learned by scikit-learn's ``HistGradientBoosting``; X must be a table.
    metrics : str, callable or mapping of str to these, optional
        For all tasks or for each by name, as in `score_tasks`. The default is R² or accuracy by the kind of
        the task. Scores must be better the higher they are, as scorers are.
    groups : array-like of shape (n_rows,), optional
        Group of each row, for a splitter that keeps groups together.
    n_jobs : int, optional
        Number of networks that are trained at the same time, of those that are in no stack.

    Returns
    -------
    SharingReport
        The scores, the differences by task with a paired test, and a ``summary()`` in words.

    Raises
    ------
    ValueError
        If there is one task only, or ``metrics`` names another.
    TypeError
        If there is no network in the estimator.

    Warns
    -----
    UserWarning
        If there is one fold only, or a task has no fold with enough labels.

    See Also
    --------
    task_affinity : Which tasks belong together.
    SharingReportDisplay : The same as a figure.

    Notes
    -----
    The test is the corrected resampled t-test of Nadeau & Bengio (2003) [1]_: folds share training rows, so
    that the variance of the mean difference is larger than that of independent ones, by the share of test
    rows. For the usual 5 folds the test has 4 degrees of freedom: small differences need more folds or
    ``RepeatedKFold``.

    References
    ----------
    .. [1] Nadeau & Bengio (2003), "Inference for the Generalization Error" (Machine Learning 52), section 3.

    Examples
    --------
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.datasets import make_multitask
    >>> from sklearn_mtl.inspection import sharing_report
    >>> X, Y = make_multitask(120, n_regression=2, random_state=0)
    >>> est = MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=3, random_state=0)
    >>> report = sharing_report(est, X, Y, cv=3)
    >>> report.scores.shape
    (6, 2)
    >>> report.differences.loc[("regression0", "alone"), "n_folds"]
    np.int64(3)
    """
    template, X = to_fit_anew(estimator), splittable_inputs(X)
    names = list(read_targets(y, n_rows=n_rows_of(X)).columns)
    if len(names) < 2:
        raise ValueError(f"y must have at least two tasks, of which each is learned alone. Found {names}.")
    labels = by_task(y)
    metrics = metric_of_each(metrics, names)
    X, labels, groups = indexable(X, labels, groups)
    targets = AllTargets(labels)
    splits = list(targets.splitter(cv, template).split(X, labels, groups))
    folds = [Fold(X, labels, {}, train, test) for train, test in splits]
    if len(folds) == 1:
        warn_caller("One fold does not tell differences from chance: the test and the spread are missing.")

    # Trees first: what they can't take is found before any network is trained.
    of_trees = {BOOSTING: scores_of_trees(template, targets, folds, metrics)} if baselines else {}
    found = scores_of_networks(template, targets, folds, metrics, n_jobs) | of_trees
    scores = scores_by_fold(found, names)
    named = {name: metric for of in found[JOINT] for name, metric in of.attrs["metrics"].items()}
    test_share = float(np.mean([len(fold.test) / len(fold.train) for fold in folds]))
    return SharingReport(scores, differences_of(scores, named, test_share))


def metric_of_each(metrics: Any, names: Sequence[str]) -> dict[str, Any] | None:
    """Return the metric of each task; None for the default of each.

    Parameters
    ----------
    metrics : str, callable, mapping of str to these, or None
        What the user gave.
    names : sequence of str
        The tasks.

    Raises
    ------
    ValueError
        If a mapping names an unknown task, or leaves one out.
    """
    if metrics is None:
        return None
    given = dict(metrics) if isinstance(metrics, Mapping) else dict.fromkeys(names, metrics)
    if set(given) != set(names) or any(isinstance(of, list | tuple) for of in given.values()):
        raise ValueError(
            f"`metrics` must be one metric, or one for each of the tasks {shown(list(names))} by name. Found "
            f"{shown(metrics)}."
        )
    return {name: given[name] for name in names}


def scores_by_fold(found: Mapping[str, Sequence[pd.Series]], names: Sequence[str]) -> pd.DataFrame:
    """Return all scores, a row for each fold and task, and a column for each model.

    Parameters
    ----------
    found : mapping of str to sequence of Series
        For each model the scores by task of each fold.
    names : sequence of str
        The tasks, in the order of the rows; one that has no score is nan.
    """
    n_folds = len(next(iter(found.values())))
    rows = pd.MultiIndex.from_product([range(n_folds), names], names=["fold", "task"])
    columns = {
        model: np.concatenate([of_fold.reindex(names).to_numpy() for of_fold in of_folds])
        for model, of_folds in found.items()
    }
    return pd.DataFrame(columns, index=rows)


def differences_of(scores: pd.DataFrame, metrics: Mapping[str, Any], test_share: float) -> pd.DataFrame:
    """Return how much better the joint network is than each other model, for each task.

    Parameters
    ----------
    scores : DataFrame
        As `SharingReport` has them.
    metrics : mapping of str to str
        The name of the metric of each task.
    test_share : float
        Number of test rows over that of training rows.
    """
    rows = {}
    for task in scores.index.get_level_values("task").unique():
        of_task = scores.xs(task, level="task")
        for other in scores.columns.drop(JOINT):
            both = of_task[[JOINT, other]].dropna()
            test = corrected_resampled_t((both[JOINT] - both[other]).to_numpy(), test_share, LEVEL)
            means = {"joint": both[JOINT].mean(), "other": both[other].mean()}
            rows[task, other] = {"metric": metrics.get(task, "score"), **means, **test}
    index = pd.MultiIndex.from_tuples(rows, names=["task", "against"])
    return pd.DataFrame(list(rows.values()), index=index)
