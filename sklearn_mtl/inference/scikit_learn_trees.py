"""Boosted trees of scikit-learn as arrays.

Its estimators of boosted trees say nothing of their trees in public: what is read here are the attributes
``_predictors`` (for each iteration and raw output a tree, whose ``nodes`` are a structured array) and
``_baseline_prediction``. If scikit-learn changes them, fitting with trees beside the network fails, and what
is fitted already goes on predicting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

# Larger steps than scikit-learn's own, of half the cost, with the penalty that the like of it have: without
# one, leaves of rows of one class have unbounded log-odds.
SETTINGS = {"learning_rate": 0.2, "max_bins": 127, "l2_regularization": 1.0, "random_state": 0}
MOST_ITERATIONS = 300
# So many iterations without a lower loss of the held-out rows end the growth.
PATIENCE = 10


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows with the labels of one target.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_columns)
        Encoded rows.
    y, weight : ndarray of shape (n_rows,)
        Numbers or class codes, and what each row weighs.
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True, eq=False)
class Nodes:
    """A tree: a row goes to the first child where its value is at most the number.

    Parameters
    ----------
    column : ndarray of int, shape (n_nodes,)
        The column that is asked about.
    number : ndarray of float64, shape (n_nodes,)
        The number that the value is compared with; of a leaf what it adds.
    children : ndarray of int, shape (n_nodes, 2)
        Where a row goes on; a leaf is its own children.
    """

    column: np.ndarray
    number: np.ndarray
    children: np.ndarray


def grown(train: Labelled, held_out: Labelled, n_classes: int | None) -> tuple[np.ndarray, list[list[Nodes]]]:
    """Return boosted trees of one target, grown until the loss of held-out rows falls no more.

    Parameters
    ----------
    train, held_out : Labelled
        Rows to learn from, and those that end the growth.
    n_classes : int or None
        Number of classes, all of which are in both; None for numbers, of which squared errors are minimised.

    Returns
    -------
    start : ndarray of shape (n_outputs,)
        The best constant: a number, the log-odds of the second of two classes, or a logit for each class.
    trees : list of list of Nodes
        For each of these outputs its trees, in the order in which they were grown.
    """
    kind = HistGradientBoostingRegressor if n_classes is None else HistGradientBoostingClassifier
    model = kind(**SETTINGS, max_iter=MOST_ITERATIONS, early_stopping=True, n_iter_no_change=PATIENCE)
    model.fit(
        train.x,
        train.y,
        _weights(train),
        X_val=held_out.x,
        y_val=held_out.y,
        sample_weight_val=_weights(held_out),
    )
    start = np.ravel(model._baseline_prediction)
    return start, [
        [_nodes(iteration[output].nodes) for iteration in model._predictors] for output in range(len(start))
    ]


def _weights(rows: Labelled) -> np.ndarray | None:
    """Return weights of 1 on average, since the penalty has no unit; None for equal ones."""
    return None if (rows.weight == rows.weight[0]).all() else rows.weight / rows.weight.mean()


def _nodes(nodes: np.ndarray) -> Nodes:
    is_leaf = nodes["is_leaf"].astype(bool)
    own = np.arange(len(nodes))
    children = np.stack([np.where(is_leaf, own, nodes[side]) for side in ("left", "right")], axis=1)
    return Nodes(
        np.where(is_leaf, 0, nodes["feature_idx"]),
        np.where(is_leaf, nodes["value"], nodes["num_threshold"]),
        children,
    )
