"""Searches that train the networks of all candidates and folds at once.

Examples
--------
>>> from sklearn_mtl import MultiTaskClassifierRegressor
>>> from sklearn_mtl.model_selection.search import StackedGridSearchCV
>>> est = MultiTaskClassifierRegressor(n_bags=1)
>>> StackedGridSearchCV(est, {"lr": [0.001, 0.01]}, cv=3).max_members is None
True
"""

from sklearn_mtl.model_selection.search.grid_search import StackedGridSearchCV
from sklearn_mtl.model_selection.search.halving_search import StackedHalvingGridSearchCV
from sklearn_mtl.model_selection.search.randomized_search import StackedRandomizedSearchCV

__all__ = [
    "StackedGridSearchCV",
    "StackedHalvingGridSearchCV",
    "StackedRandomizedSearchCV",
]
