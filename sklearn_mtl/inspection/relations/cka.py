"""Similarity of what networks for single tasks have learned to see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.estimators.scikit_learn_private import n_rows_of
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.features import splittable_inputs
from sklearn_mtl.inspection.relations.fits_anew import (
    alone,
    by_task,
    fitted,
    network_within,
    planned,
    to_fit_anew,
)
from sklearn_mtl.model_selection.all_targets import AllTargets
from sklearn_mtl.model_selection.search.folds import Fold
from sklearn_mtl.targets import MultiTaskTarget


def representation_similarity(estimator: Any, X: Any, y: Any) -> pd.DataFrame:
    """Return the linear CKA of the representations that networks for each task alone have of the rows.

    Kornblith, Norouzi, Lee & Hinton (2019), "Similarity of Neural Network Representations Revisited" (ICML),
    equation 2 with linear kernels. The networks have the same recipe and seed, and those of one structure
    are trained as one stacked network.

    Parameters
    ----------
    estimator : object
        A network, or a Pipeline or a search around one. Clones are trained.
    X, y : object
        Features and labels as ``fit`` takes them.

    Returns
    -------
    DataFrame
        Symmetric, from 0 to 1, with 1 on the diagonal.
    """
    template, X = to_fit_anew(estimator), splittable_inputs(X)
    network_within(template).set_params(n_bags=1, linear_blend=False, tree_blend=False, calibrate=False)
    labels = by_task(y)
    names, rows = list(labels), np.arange(n_rows_of(X))
    trials = []
    for name in names:
        only = MultiTaskTarget({name: labels[name]})
        fold = Fold(X, only, {}, rows, rows[:0])
        trials.append(planned(alone(template, name, names), fold, AllTargets(only), "all rows"))
    found: dict[str, np.ndarray] = {}
    for place, one in fitted(trials):
        within, inputs = innermost(one, X)
        found[names[place]] = np.asarray(within.transform(inputs), dtype=np.float64)
    values = [[linear_cka(found[one], found[other]) for other in names] for one in names]
    return pd.DataFrame(values, index=names, columns=names)


def linear_cka(one: np.ndarray, other: np.ndarray) -> float:
    """Return the linear CKA of two representations of the same rows; 0 where one is constant.

    Parameters
    ----------
    one, other : ndarray of shape (n_rows, width)
        The representations, whose widths may differ.
    """
    one, other = one - one.mean(0), other - other.mean(0)
    norm = np.linalg.norm(one.T @ one) * np.linalg.norm(other.T @ other)
    return float(np.linalg.norm(one.T @ other) ** 2 / norm) if norm > 0 else 0.0
