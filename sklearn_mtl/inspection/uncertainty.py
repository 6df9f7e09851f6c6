"""How far the members and nets of a fitted estimator disagree about each row and task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import entr

from sklearn_mtl.estimators.fitted import FittedEstimator
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.inference import member_responses
from sklearn_mtl.messages import shown


def task_uncertainty(estimator: Any, X: Any) -> pd.DataFrame:
    """Return how far the members and nets of a fitted estimator disagree about each row, by task.

    The predictions of an estimator are averages over the members of its trunk (those of ``TabM``) and over
    the nets of its bag. Where these were trained on the same rows and yet say different things, the rows of
    training do not decide the matter: Lakshminarayanan et al. (2017), "Simple and Scalable Predictive
    Uncertainty Estimation using Deep Ensembles". For classes the share of the uncertainty that comes from
    disagreement is the mutual information of the class and the member, equation 2 of Houlsby et al. (2011),
    "Bayesian Active Learning for Classification and Preference Learning".

    Parameters
    ----------
    estimator : fitted estimator
        A multi-task estimator with several members or nets, or a Pipeline or search around one.
    X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
        Features of the rows, as ``estimator`` takes them.

    Returns
    -------
    DataFrame of float64, shape (n_rows, n_columns)
        Columns by task and measure, and the index of X where it has one. A regression has ``"std"``, the
        standard deviation of the members' predictions, in the units of the labels. A task with classes has
        ``"entropy"``, that of the averaged probabilities, and ``"mutual_information"``, this less the mean
        entropy of the members' own probabilities, both in nats: 0 where all members say the same. A task of
        several outputs or labels has these for each, as ``"std_0"``, ``"std_1"``, …. Tasks of survival, and
        of a label for each position, are left out.

    Raises
    ------
    ValueError
        If there is one member only, or no task of such a kind.
    TypeError
        If there is no multi-task estimator with networks within.

    Notes
    -----
    Disagreement says where the estimator has learned little, not how far a prediction may be off: noise in
    the labels is no part of it. Intervals with a promise are those of `ConformalTasks`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.inspection import task_uncertainty
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> Y = {"price": X[:, 0], "type": np.where(X[:, 1] > 0, "flat", "house")}
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=4, max_epochs=20, random_state=0).fit(X, Y)
    >>> found = task_uncertainty(est, X)
    >>> found.columns.to_list()
    [('price', 'std'), ('type', 'entropy'), ('type', 'mutual_information')]
    >>> far = task_uncertainty(est, 5 * X)
    >>> bool(far["price", "std"].mean() > found["price", "std"].mean())
    True
    """
    found, inputs, index = with_networks(estimator, X)
    predicts = _predicts(found)
    by_member: dict[str, list[np.ndarray]] = {name: [] for name in predicts}
    n_members = 0
    for responses in member_responses(found.nets_, found._fitted.tasks, inputs):
        n_members += 1
        for name, predicted in by_member.items():
            predicted.append(np.asarray(predicts[name](responses[name]), dtype=np.float64))
    if n_members == 1:
        raise ValueError(
            "`estimator` must have several members or nets, which may disagree: TabM as its trunk, or "
            "`n_bags` of 2 or more. Found one net of one member."
        )
    columns: dict[tuple[str, str], np.ndarray] = {}
    for name, predicted in by_member.items():
        measures = _measures(found.tasks_[name], np.stack(predicted))
        columns |= {(name, measure): values for measure, values in _each_output(measures)}
    frame = pd.DataFrame(columns, index=index)
    return frame.rename_axis(columns=["task", "measure"])


def with_networks(estimator: Any, X: Any) -> tuple[FittedEstimator, Any, Any]:
    """Return the estimator with networks within, its encoded rows, and the index of X where it has one.

    Parameters
    ----------
    estimator : object
        A fitted multi-task estimator, or a Pipeline or search around one.
    X : object
        Features as it takes them.

    Raises
    ------
    TypeError
        If there is none with networks.
    """
    found, X = innermost(estimator, X)
    found = found._as_of_now()
    if not isinstance(found, FittedEstimator):
        raise TypeError(
            f"`estimator` must be a multi-task estimator with networks. Found {type(found).__name__}."
        )
    return found, *found._encoded(X)


def _predicts(found: FittedEstimator) -> dict[str, Callable[[np.ndarray], Any]]:
    """Return, for each task whose members can be compared, what makes numbers of a response."""
    predicts: dict[str, Callable[[np.ndarray], Any]] = {}
    for name, task in found.tasks_.items():
        if task.position_axes:
            continue
        if task.has_probabilities:
            predicts[name] = task.predict_proba
        elif found._fitted.kinds[name].estimator_type == "regressor":
            predicts[name] = task.predict
    if not predicts:
        raise ValueError(
            "`estimator` must have a regression task or one with classes. Found "
            f"{shown({name: task.kind for name, task in found.tasks_.items()})}."
        )
    return predicts


def _measures(task: Any, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Return the measures of a task by the predictions of its members, shape (n_members, n_rows, ...)."""
    if not task.has_probabilities:
        return {"std": predicted.std(axis=0)}
    # Labels of a list of classes do not exclude each other: each is there or not.
    several = isinstance(task.classes, list)
    each = np.stack([predicted, 1 - predicted], axis=-1) if several else predicted
    total = entr(each.mean(axis=0)).sum(axis=-1)
    # Not negative but for rounding.
    between = np.maximum(total - entr(each).sum(axis=-1).mean(axis=0), 0.0)
    return {"entropy": total, "mutual_information": between}


def _each_output(measures: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each measure, that of several outputs one by one with the number of the output."""
    for measure, values in measures.items():
        if values.ndim == 1:
            yield measure, values
        else:
            yield from ((f"{measure}_{place}", output) for place, output in enumerate(values.T))
