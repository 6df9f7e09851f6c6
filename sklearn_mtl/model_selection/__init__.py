"""Searches that train all candidates at once, and scores, splits and out-of-fold predictions of single tasks.

`StackedGridSearchCV` and `StackedRandomizedSearchCV` are the searches of scikit-learn, but for how they
train: the networks of all candidates and folds together. `StackedHalvingGridSearchCV` also drops the worse
candidates while they train. `ManifoldSearchCV` trains one network for all weightings of two to four tasks.
The rest goes with scikit-learn's own tools:

- `task_scorer` scores one task by any metric of scikit-learn, `multitask_scorer` several as one number, and
  `multitask_scoring` makes the mapping that a search over several metrics takes. Missing labels are left out.
- `score_tasks` and `task_view` reach the tasks of a Pipeline or a search.
- `TaskStratifiedKFold`, `TaskStratifiedGroupKFold` and `TaskStratifiedShuffleSplit` spread the labels of one
  task or several evenly.
- `cross_val_predict_tasks` predicts each row by an estimator that has not seen it.

Tools of scikit-learn that split y need one that they can split: a DataFrame, an array, or a `MultiTaskTarget`
around a mapping.

Examples
--------
>>> import numpy as np
>>> from sklearn.model_selection import cross_validate
>>> from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
>>> from sklearn_mtl.model_selection import TaskStratifiedKFold, multitask_scorer, task_scorer
>>> X = np.random.default_rng(0).normal(size=(90, 3))
>>> Y = MultiTaskTarget({"price": X.sum(axis=1), "type": np.where(X[:, 0] > 0, "flat", "house")})
>>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=3, random_state=0)
>>> scoring = {
...     "error": task_scorer("price", "neg_mean_absolute_error"),
...     "both": multitask_scorer({"price": "r2", "type": "balanced_accuracy"}, weights={"type": 2.0}),
... }
>>> scores = cross_validate(est, X, Y, cv=TaskStratifiedKFold(3, task="type"), scoring=scoring)
>>> sorted(scores)
['fit_time', 'score_time', 'test_both', 'test_error']
"""

from sklearn_mtl.model_selection.cross_val_predict import cross_val_predict_tasks
from sklearn_mtl.model_selection.scoring import (
    multitask_scorer,
    multitask_scoring,
    score_tasks,
    task_scorer,
    task_view,
)
from sklearn_mtl.model_selection.search import (
    ManifoldSearchCV,
    StackedGridSearchCV,
    StackedHalvingGridSearchCV,
    StackedRandomizedSearchCV,
)
from sklearn_mtl.model_selection.splitting import (
    TaskStratifiedGroupKFold,
    TaskStratifiedKFold,
    TaskStratifiedShuffleSplit,
)

__all__ = [
    "ManifoldSearchCV",
    "StackedGridSearchCV",
    "StackedHalvingGridSearchCV",
    "StackedRandomizedSearchCV",
    "TaskStratifiedGroupKFold",
    "TaskStratifiedKFold",
    "TaskStratifiedShuffleSplit",
    "cross_val_predict_tasks",
    "multitask_scorer",
    "multitask_scoring",
    "score_tasks",
    "task_scorer",
    "task_view",
]
