"""Scores of single tasks, and of several as one number, for all that scikit-learn scores.

`task_scorer` scores one task by a metric of scikit-learn, `multitask_scorer` several by their weighted mean.
`multitask_scoring` makes the mapping of scorers that a search over several metrics takes. All leave out rows
without a label, and take Pipelines and searches around a multi-task estimator. `score_tasks` and `task_view`
reach the scores and the views of single tasks through these.

Examples
--------
>>> import numpy as np
>>> from sklearn.model_selection import cross_val_score
>>> from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
>>> from sklearn_mtl.model_selection.scoring import multitask_scoring, task_scorer
>>> X = np.random.default_rng(0).normal(size=(90, 3))
>>> Y = MultiTaskTarget({"price": X.sum(axis=1), "sold": X[:, 0] > 0})
>>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=20, random_state=0)
>>> scores = cross_val_score(est, X, Y, cv=3, scoring=task_scorer("sold", "roc_auc"))
>>> bool(scores.mean() > 0.5)
True
>>> list(multitask_scoring(["price", "sold"], {"sold": ["accuracy", "roc_auc"]}))
['price', 'sold_accuracy', 'sold_roc_auc', 'mean']
"""

from sklearn_mtl.model_selection.scoring.scorers import multitask_scorer, multitask_scoring, task_scorer
from sklearn_mtl.model_selection.scoring.wrapped import score_tasks, task_view

__all__ = [
    "multitask_scorer",
    "multitask_scoring",
    "score_tasks",
    "task_scorer",
    "task_view",
]
