"""How much each task looks at each feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.inference.attention import mean_task_attention
from sklearn_mtl.inspection.uncertainty import with_networks
from sklearn_mtl.messages import shown


def task_attention(estimator: Any, X: Any) -> pd.DataFrame:
    """Return how much each task looks at each feature, as its token attends to the columns.

    The mean over rows, blocks, heads and nets, as Gorishniy et al. (2021), "Revisiting Deep Learning Models
    for Tabular Data", section 5.3, take it for the importance of a feature. What a column has read from
    others in an earlier block counts as its own.

    Parameters
    ----------
    estimator : estimator
        Fitted to a table with ``trunk=FTTransformer(task_tokens=True)``, or a Pipeline or search around one.
    X : DataFrame or array-like of shape (n_rows, n_features)
        Rows to look at.

    Returns
    -------
    DataFrame of shape (n_tasks, n_features)
        A row for each task and a column for each feature, by their names: ``x0``, ``x1``, … where X has
        none. With a transformer of one's own as ``preprocessing``, the columns are those that come out of
        it, by its ``get_feature_names_out``. Each row sums to 1. A feature that is dropped has 0.

    Raises
    ------
    ValueError
        If the trunk has no tokens of tasks.
    TypeError
        If there is no multi-task estimator with networks within.
    """
    within, inputs, _ = with_networks(estimator, X)
    fitted: Any = within._fitted
    weights = mean_task_attention(fitted.nets, inputs)
    if weights is None:
        raise ValueError(
            "`estimator` must be fitted with `trunk=FTTransformer(task_tokens=True)`. Found "
            f"{shown(fitted.blueprint.trunk)}."
        )
    places = fitted.encoder.sources
    if places is None:
        # What a user's transformer mixes has no feature of its own.
        features = list(fitted.encoder.get_feature_names_out())
        places = np.arange(len(features))
    else:
        numbered = [f"x{i}" for i in range(within.n_features_in_)]
        features = list(getattr(within, "feature_names_in_", numbered))
    found = np.zeros((len(weights), len(features)))
    for column, place in enumerate([*fitted.encoder.coded, *places]):
        found[:, place] += weights[:, column]
    tasks = [task.name for task in fitted.tasks.ordered]
    return pd.DataFrame(found, index=tasks, columns=features).loc[fitted.tasks.names]
