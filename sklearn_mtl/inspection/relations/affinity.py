"""How much tasks have to do with each other, by one of four measures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pandas as pd

from sklearn_mtl.inspection.relations.cka import representation_similarity
from sklearn_mtl.inspection.relations.gradient_cosine import gradient_cosine
from sklearn_mtl.inspection.relations.inter_task_affinity import inter_task_affinity
from sklearn_mtl.inspection.relations.target_correlation import target_correlation
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import read_targets

Measure = Literal["affinity", "gradient_cosine", "target_correlation", "cka"]

MEASURES: dict[str, Callable[[Any, Any, Any], pd.DataFrame]] = {
    "affinity": inter_task_affinity,
    "gradient_cosine": gradient_cosine,
    "target_correlation": target_correlation,
    "cka": representation_similarity,
}


def task_affinity(estimator: Any, X: Any, y: Any, *, measure: Measure = "affinity") -> pd.DataFrame:
    """Return how much each two tasks have to do with each other.

    Tasks of high affinity are those to share a network, or a branch of it: `suggest_groups` makes groups of
    them.

    Parameters
    ----------
    estimator : estimator
        A multi-task network, or a Pipeline or search around one, fitted or not. It is left as it is: clones
        are trained.
    X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
        Features, as the estimator takes them.
    y : mapping, DataFrame or array-like
        Labels of at least two tasks; missing ones are left out.
    measure : {"affinity", "gradient_cosine", "target_correlation", "cka"}, default="affinity"
        What is measured.

        - ``"affinity"``: inter-task affinity (Fifty et al. 2021 [1]_, equation 1), the share by which the
          loss of one task falls after a gradient step of another in the shared parameters. One network is
          trained, and the mean over its training taken. Not symmetric.
        - ``"gradient_cosine"``: the cosine between the gradients of two tasks in the shared parameters
          [2]_, as a mean over the training of one network.
        - ``"target_correlation"``: the association of the labels, without any training. Two tasks of
          numbers are compared by Spearman's rank correlation (its absolute value), numbers and classes by
          the correlation ratio, and two tasks of classes by Cramér's V with bias correction [3]_;
          ``attrs["pairs"]`` of the result names the measure of each pair.
        - ``"cka"``: linear centred kernel alignment [4]_ of the representations that networks for each task
          alone have of X.

    Returns
    -------
    DataFrame of shape (n_tasks, n_tasks)
        Rows and columns by the names of the tasks. With ``"affinity"`` the row is the task whose gradient
        is followed, and the column the one whose loss falls. ``attrs["measure"]`` is the name of the measure.
        A pair without any row with both labels is nan.

    Raises
    ------
    ValueError
        If there is one task only, the measure is unknown, or nothing is shared where gradients in shared
        parameters are asked for.
    TypeError
        If there is no network in the estimator.

    See Also
    --------
    suggest_groups : Groups of tasks by their affinity.
    TaskAffinityDisplay : The same as a figure.
    sharing_report : Whether sharing is worth it.

    References
    ----------
    .. [1] Fifty, Amid, Zhao, Yu, Anil & Finn (2021), "Efficiently Identifying Task Groupings for Multi-Task
       Learning" (NeurIPS).
    .. [2] Yu, Kumar, Gupta, Levine, Hausman & Finn (2020), "Gradient Surgery for Multi-Task Learning"
       (NeurIPS).
    .. [3] Bergsma (2013), "A bias-correction for Cramér's V and Tschuprow's T" (Journal of the Korean
       Statistical Society 42).
    .. [4] Kornblith, Norouzi, Lee & Hinton (2019), "Similarity of Neural Network Representations Revisited"
       (ICML).

    Examples
    --------
    Two groups of tasks are made, each from factors of its own:

    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.datasets import make_multitask
    >>> from sklearn_mtl.inspection import suggest_groups, task_affinity
    >>> X, Y = make_multitask(300, n_regression=4, n_groups=2, noise=0.0, random_state=0)
    >>> est = MultiTaskRegressor(trunk="mlp", max_epochs=5, random_state=0)
    >>> affinity = task_affinity(est, X, Y)
    >>> affinity.shape
    (4, 4)
    >>> suggest_groups(affinity, 2)
    [['regression0', 'regression2'], ['regression1', 'regression3']]
    """
    if not isinstance(measure, str) or measure not in MEASURES:
        raise ValueError(f"`measure` must be one of {list(MEASURES)}. Found {shown(measure)}.")
    names = list(read_targets(y).columns)
    if len(names) < 2:
        raise ValueError(f"y must have at least two tasks to be compared. Found {names}.")
    found = MEASURES[measure](estimator, X, y)
    found.attrs["measure"] = measure
    return found
