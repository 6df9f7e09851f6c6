"""Estimators that predict with several models, weighed task by task.

`MultiTaskVoting` predicts the weighted mean of networks and of models of single tasks, such as trees; the
weights are equal, given, or learned from rows that the members have not seen. `MultiTaskStacking` learns
models from such predictions, and `MultiTaskBoosting` fits small joint networks one after the other to what
those before lack. `PerTask` makes one estimator of scikit-learn models for single tasks, `CategoricalColumns`
prepares a table for trees.

====================  =========================================================================
`voting`              `MultiTaskVoting`
`stacking`            `MultiTaskStacking`
`boosting`            `MultiTaskBoosting`
`members`             what a member may be, and what short names stand for
`composition`         what ensembles of named members have in common
`member_fits`         fits of members to all rows, or to some of them
`out_of_fold`         predictions of members for rows that they have not seen
`final_models`        what is learned from the predictions of members
`weights`             weights that are given
`learning`, `losses`  weights that are learned, and the loss that they minimise
`rounds`              the rounds of boosting, until a task's held-out loss stops falling
`boosted_losses`      losses that boosting lowers, by the kind of the task
`per_task`            `PerTask`
`columns`             `CategoricalColumns`
`votes`               predictions that can be averaged, by the kind of task
`base`                what the estimators of this package have in common
====================  =========================================================================

Examples
--------
>>> from sklearn.datasets import load_diabetes
>>> from sklearn_mtl import MultiTaskClassifierRegressor
>>> from sklearn_mtl.ensemble import MultiTaskVoting
>>> X, disease = load_diabetes(return_X_y=True)
>>> network = MultiTaskClassifierRegressor(trunk="mlp", n_bags=2)
>>> est = MultiTaskVoting([("network", network), ("linear", "linear")], random_state=0)
>>> est = est.fit(X, {"disease": disease, "severe": disease > 150})
>>> est.weights_.sum(axis=1).tolist()
[1.0, 1.0]
"""

from sklearn_mtl.ensemble.boosting import MultiTaskBoosting
from sklearn_mtl.ensemble.columns import CategoricalColumns
from sklearn_mtl.ensemble.per_task import PerTask
from sklearn_mtl.ensemble.stacking import MultiTaskStacking
from sklearn_mtl.ensemble.voting import MultiTaskVoting

__all__ = ["CategoricalColumns", "MultiTaskBoosting", "MultiTaskStacking", "MultiTaskVoting", "PerTask"]
