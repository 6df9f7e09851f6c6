"""Which models are put beside trained nets, by the estimator's parameters and the size of the data."""

from __future__ import annotations

from sklearn_mtl.estimators.fit_parameters import SMALL_DATA, FitParameters
from sklearn_mtl.inference import (
    FEWEST_LABELS,
    MOST_OUTPUTS,
    MOST_WIDTHS,
    Kind,
    LinearModels,
    TreeModels,
    can_stand_beside,
)
from sklearn_mtl.training import NetPlan


def models_beside(parameters: FitParameters, plan: NetPlan) -> tuple[Kind, ...]:
    """Return the kinds of models that are put beside trained nets, in the order in which they are blended.

    Parameters
    ----------
    parameters : FitParameters
        The estimator's parameters.
    plan : NetPlan
        The plan of one of the nets.
    """
    spec, n_rows = plan.blueprint.spec, len(plan.train)
    if not can_stand_beside(spec, n_rows) or plan.blueprint.tasks.n_positions:
        return ()
    linear, trees = parameters.linear_blend, parameters.tree_blend
    if isinstance(linear, str):
        linear = n_rows < SMALL_DATA
    of_trees = TreeModels()
    if isinstance(trees, str):
        n_outputs = plan.blueprint.tasks.raw_width
        trees = n_rows >= FEWEST_LABELS and n_outputs * spec.single.shape[0] <= MOST_WIDTHS
        of_trees = TreeModels(FEWEST_LABELS, MOST_OUTPUTS)
    return (*([LinearModels()] if linear else []), *([of_trees] if trees else []))
