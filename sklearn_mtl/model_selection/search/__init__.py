"""Searches that train the networks of all candidates and folds together.

A search runs in this order; each step has a module::

    StackedSearch.fit    reads y, routes metadata, splits the rows          stacked_search
      Fold               rows to train on, rows to score, shared work       folds
      TrialRunner.plan   a Trial for each candidate and fold: the steps     runner, trials
                         before the estimator fitted, its own fit planned
      TrialRunner.run    all networks trained, as stacks where they can be; dealt over
                         workers where joblib has some                 workers
      Trial.scored       a TrialResult: what GridSearchCV collects of a     trials, results
                         fit, and the score of each task
      SearchResults      cv_results_ and stacked_                           results
      task_results       task_results_ and pareto_front_                    pareto
    and the best candidate is fitted to all rows.

`StackedGridSearchCV` and `StackedRandomizedSearchCV` say which candidates there are.
`StackedHalvingGridSearchCV` runs the trials several times, up to more epochs and with fewer candidates.
`ManifoldSearchCV` runs one trial for each fold, and scores it at every preference among the tasks.

Examples
--------
>>> import numpy as np
>>> from sklearn_mtl import MultiTaskRegressor
>>> from sklearn_mtl.model_selection.search import StackedGridSearchCV
>>> X = np.random.default_rng(0).normal(size=(60, 2))
>>> est = MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=3, linear_blend=False, random_state=0)
>>> grid = {"lr": [0.001, 0.01], "task_weights__y0": [0.5, 2.0]}
>>> search = StackedGridSearchCV(est, grid, cv=3).fit(X, X @ [[1.0, 0.0], [1.0, 2.0]])
>>> search.stacked_[["n_nets", "stacked"]].sum().tolist()
[12, 4]
>>> search.best_params_["lr"]
0.01
"""

from sklearn_mtl.model_selection.search.grid_search import StackedGridSearchCV
from sklearn_mtl.model_selection.search.halving_search import StackedHalvingGridSearchCV
from sklearn_mtl.model_selection.search.manifold_search import ManifoldSearchCV
from sklearn_mtl.model_selection.search.randomized_search import StackedRandomizedSearchCV

__all__ = [
    "ManifoldSearchCV",
    "StackedGridSearchCV",
    "StackedHalvingGridSearchCV",
    "StackedRandomizedSearchCV",
]
