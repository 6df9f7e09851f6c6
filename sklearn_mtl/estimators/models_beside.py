"""Which models are put beside trained nets, by the estimator's parameters and the size of the data."""

from __future__ import annotations

from sklearn_mtl.estimators.fit_parameters import SMALL_DATA, FitParameters
from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.inference import FEWEST_LABELS, MOST_WIDTHS, Kind, LinearModels, TreeModels, can_stand_beside
from sklearn_mtl.tasks import TaskSet


def models_beside(
    parameters: FitParameters, spec: FeatureSpec, tasks: TaskSet, n_rows: int
) -> tuple[Kind, ...]:
    """Return the kinds of models that are put beside trained nets, in the order in which they are blended.

    Parameters
    ----------
    parameters : FitParameters
        The estimator's parameters.
    spec : FeatureSpec
        Blocks of the input and their shapes.
    tasks : TaskSet
        The tasks.
    n_rows : int
        Number of training rows.
    """
    if not can_stand_beside(spec, n_rows):
        return ()
    linear, trees = parameters.linear_blend, parameters.tree_blend
    if isinstance(linear, str):
        linear = n_rows < SMALL_DATA
    fewest_labels = 1
    if isinstance(trees, str):
        trees = n_rows >= FEWEST_LABELS and tasks.raw_width * spec.single.shape[0] <= MOST_WIDTHS
        fewest_labels = FEWEST_LABELS
    return (*([LinearModels()] if linear else []), *([TreeModels(fewest_labels)] if trees else []))
