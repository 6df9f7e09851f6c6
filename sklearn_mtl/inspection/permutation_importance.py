"""How much the score of each task loses when a feature is shuffled, all tasks from the same predictions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from sklearn_mtl.estimators.scikit_learn_private import n_rows_of
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.inspection.shuffling import named_parts, shuffled, with_columns_to_shuffle
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer


def task_permutation_importance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    features: Any = None,
    metrics: Any = None,
    n_repeats: int = 5,
    sample_weight: Any = None,
    random_state: Any = None,
) -> Bunch:
    """Return how much the score of each task loses when the values of a feature are shuffled over the rows.

    Breiman (2001), "Random Forests", section 10, for all tasks at once: rows go through the network once for
    each feature and repeat, however many tasks there are. For a task that every row has a label of, the
    numbers are those of scikit-learn's ``permutation_importance`` for the view of the task, with the same
    ``random_state``.

    Parameters
    ----------
    estimator : fitted estimator
        A multi-task estimator, or a Pipeline or search around one; features are those that it takes.
    X : DataFrame, array-like, sparse matrix or mapping of inputs, of n_rows rows
        Features of rows that the estimator was not fitted to.
    y : mapping, DataFrame or array-like
        Labels of all tasks, or of some by name. Rows without a label of a task do not count for it.
    features : sequence, or mapping from name to one column or a sequence of columns, optional
        What is shuffled: columns of a frame by name, those of an array by position, and of a group in a
        mapping all together, so that rows keep what is joint in them. Of several inputs each is shuffled as
        a whole, or a pair such as ``("table", "area")`` is a column of one. By default every column or
        input; texts, images and sequences that are the only input are shuffled as a whole, "X".
    metrics : str, callable, sequence of these, or mapping from task to these, optional
        As in ``score_tasks`` of the estimator; higher must be better. By default R², accuracy and the like.
    n_repeats : int, default=5
        How often each feature is shuffled.
    sample_weight : array-like of shape (n_rows,), or mapping or DataFrame by task, optional
        Weights of the rows.
    random_state : int, RandomState or None, default=None
        Draws the orders of rows, the same for all features.

    Returns
    -------
    Bunch
        ``importances_mean`` and ``importances_std``, DataFrames with a row for each feature and a column for
        each task, or task and metric: mean and standard deviation over the repeats of the score of the rows
        as they are less the score with the feature shuffled. ``importances``, a DataFrame with a row for each
        feature and repeat. ``scores``, a Series, the score of the rows as they are, as ``score_tasks``
        returns it. A task without a score is NaN in all, with a warning. ``tasks``, the names of all tasks of
        the estimator.

    Raises
    ------
    ValueError
        If ``features`` names a column that X does not have, or ``n_repeats`` is no positive number.
    TypeError
        If there is no multi-task estimator within.

    Notes
    -----
    Of two columns that say the same, each seems unimportant, as the network reads the other: shuffle such
    columns together. Importance is that for this estimator, not that for the labels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.inspection import task_permutation_importance
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> Y = {"price": X[:, 0], "type": np.where(X[:, 1] > 0, "flat", "house")}
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=30, random_state=0).fit(X, Y)
    >>> found = task_permutation_importance(est, X, Y, random_state=0)
    >>> found.importances_mean.idxmax().to_dict()
    {'price': 'x0', 'type': 'x1'}
    >>> rest = task_permutation_importance(est, X, Y, features={"first two": [0, 1], "last": 2})
    >>> rest.importances_std.shape
    (2, 2)
    """
    if not is_integer(n_repeats) or n_repeats < 1:
        raise ValueError(f"`n_repeats` must be a positive whole number. Found {shown(n_repeats)}.")
    X = with_columns_to_shuffle(X)
    parts = named_parts(X, features)

    def score_tasks(rows: Any) -> pd.Series:
        found, rows = innermost(estimator, rows)
        return found.score_tasks(rows, y, sample_weight, metrics=metrics)

    scores = score_tasks(X)
    orders = _orders(n_rows_of(X), n_repeats, random_state)
    lost = {}
    with warnings.catch_warnings():
        # The rows as they are have said what there is to say about labels and columns.
        warnings.simplefilter("ignore", UserWarning)
        for name, of_feature in parts.items():
            for repeat, order in enumerate(orders):
                lost[name, repeat] = scores - score_tasks(shuffled(X, of_feature, order))
    importances = pd.DataFrame(list(lost.values()), columns=scores.index)
    importances.index = pd.MultiIndex.from_tuples(lost, names=["feature", "repeat"])
    by_feature = importances.groupby(level="feature", sort=False)
    mean, std = by_feature.mean(), by_feature.std(ddof=0)
    mean.attrs = dict(scores.attrs)
    return Bunch(
        importances_mean=mean,
        importances_std=std,
        importances=importances,
        scores=scores,
        tasks=list(innermost(estimator)[0].tasks_),
    )


def _orders(n_rows: int, n_repeats: int, random_state: Any) -> list[np.ndarray]:
    """Return the order of rows of each repeat, drawn as scikit-learn's ``permutation_importance`` does."""
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max + 1)
    draws, places = np.random.RandomState(seed), np.arange(n_rows)
    order, orders = np.arange(n_rows), []
    for _ in range(n_repeats):
        draws.shuffle(places)
        # There the column that was shuffled before is shuffled again.
        order = order[places]
        orders.append(order)
    return orders
