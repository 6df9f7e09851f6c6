"""Searches of every kind over a network that trains in a moment."""

from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.model_selection import (
    ManifoldSearchCV,
    StackedGridSearchCV,
    StackedHalvingGridSearchCV,
    StackedRandomizedSearchCV,
    multitask_scoring,
)
from sklearn_mtl.trunks import MLP

WEIGHT = "task_weights__binary0"
GRID = {WEIGHT: [0.1, 1.0, 10.0], "lr": [0.003, 0.01]}
TASKS = ["regression0", "binary0"]
METRICS = {"regression0": "r2", "binary0": ["accuracy", "neg_log_loss"]}


def network(**params):
    settings = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 2, "linear_blend": False, "random_state": 0}
    return MultiTaskClassifierRegressor(**{**settings, **params})


def drawn(n_samples=80):
    X, Y = make_multitask(n_samples=n_samples, n_regression=1, n_binary=1, random_state=0)
    return X, MultiTaskTarget(Y)


def search_of(kind, n_folds=2):
    """Return a fitted search by its name."""
    cv = KFold(n_folds)
    scoring = {"scoring": multitask_scoring(TASKS, METRICS), "refit": "mean"}
    in_pipeline = {f"multitaskclassifierregressor__{name}": values for name, values in GRID.items()}
    searches = {
        "stacked": lambda: StackedGridSearchCV(network(), GRID, cv=cv),
        "stacked, scoring": lambda: StackedGridSearchCV(network(), GRID, cv=cv, **scoring),
        "pipeline": lambda: StackedGridSearchCV(
            make_pipeline(StandardScaler(), network()), in_pipeline, cv=cv
        ),
        "grid": lambda: GridSearchCV(network(), GRID, cv=cv, **scoring),
        "random": lambda: RandomizedSearchCV(network(), GRID, n_iter=5, random_state=0, cv=cv, **scoring),
        "stacked random": lambda: StackedRandomizedSearchCV(network(), GRID, n_iter=5, random_state=0, cv=cv),
        "halving": lambda: StackedHalvingGridSearchCV(network(max_epochs=4), GRID, min_epochs=1, cv=cv),
        "manifold": lambda: ManifoldSearchCV(network(), 5, cv=cv),
        "no refit": lambda: StackedGridSearchCV(
            network(), GRID, cv=cv, scoring=scoring["scoring"], refit=False
        ),
    }
    return searches[kind]().fit(*drawn())
