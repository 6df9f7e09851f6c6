"""Cosines between the gradients of the tasks in what they share."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sklearn_mtl.inspection.relations.fits_anew import network_within
from sklearn_mtl.inspection.relations.inter_task_affinity import last_epoch, steps_between_looks, watched
from sklearn_mtl.messages import shown


def gradient_cosine(estimator: Any, X: Any, y: Any) -> pd.DataFrame:
    """Return the cosines between the gradients of the tasks in the parameters that they share.

    Du, Czarnecki, Jayakumar, Farajtabar, Pascanu & Lakshminarayanan (2018), "Adapting Auxiliary Losses Using
    Gradient Similarity", equation 5, and Yu et al. (2020), "Gradient Surgery for Multi-Task Learning",
    definition 1: tasks whose cosine is negative pull the network apart. The mean is over the steps up to the
    best epoch.

    Parameters
    ----------
    estimator : object
        A network, or a Pipeline or a search around one. A clone is trained.
    X, y : object
        Features and labels as ``fit`` takes them.

    Returns
    -------
    DataFrame
        Symmetric, from -1 to 1, with 1 on the diagonal.
    """
    within = network_within(watched(estimator, gradient_conflict=steps_between_looks(y)).fit(X, y))
    by_epoch = within.gradient_conflict_
    if by_epoch.isna().all(axis=None):
        raise ValueError(
            "`estimator` must have parameters that several tasks train, for gradients to be compared. Found "
            f"`sharing` {shown(within.sharing)}."
        )
    epochs = by_epoch.index.get_level_values("epoch")
    learned = by_epoch[epochs <= last_epoch(within)]
    return learned.groupby(level="task", sort=False).mean().rename_axis(index=None)
