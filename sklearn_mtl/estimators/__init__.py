"""The scikit-learn contract: one base, three final estimators.

`MultiTaskClassifierRegressor` takes tasks of any kind; `MultiTaskClassifier` and `MultiTaskRegressor`
take one kind and are scikit-learn classifiers and regressors in full. What goes in as a mapping, a
DataFrame or an array comes out as one.

>>> from sklearn.datasets import load_diabetes
>>> from sklearn_mtl.estimators import MultiTaskClassifierRegressor
>>> X, disease = load_diabetes(return_X_y=True)
>>> est = MultiTaskClassifierRegressor(n_bags=1, max_epochs=5, random_state=0)
>>> est = est.fit(X, {"disease": disease, "severe": disease > 150})
>>> est.tasks_["severe"].kind
'classification'
>>> est.predict(X)["severe"].dtype
dtype('bool')

A fit goes through these values, each made of those before it::

    FitParameters  the constructor's parameters, checked and resolved                   fit_parameters
    Rows           X, labels and weights of the rows that some task can learn from      rows
    Table          the same rows as tensors on the device                               sklearn_mtl.data
    NetPlan        what one net of the bag is built from, its rows, and its settings    sklearn_mtl.training
    ReadyNet       the net, about to be trained                                         sklearn_mtl.training
    Outcome        the trained net, or the error that its training raised               sklearn_mtl.training
    Fitted         all that is kept: encoder, tasks, nets                               fitted

`fitting.plan_fit` is the way from the first to the plans. Each step is a method of `stages.Stages`: read,
split, bind the tasks, fit the encoder, encode. The fits of a search to one fold have these steps in common;
`cached_stages.CachedStages` takes each only once. `fitting.PlannedFit` holds the plans, and trains them
alone or together with those of other fits. Nothing below `base` knows an estimator's parameters: it is
handed values. Scores and views of single tasks know a `task_estimator.TaskEstimator`, which the ensembles are
too.

Seldom-used parts have modules of their own: `warm_start` trains on, `scored_rows`, `task_scores` and
`metrics` score, `task_view` makes an estimator of one task, `wrapped` finds the estimator in a Pipeline or
a search, `label_warnings` says what is hardly ever meant.
"""

from sklearn_mtl.estimators.classifier import MultiTaskClassifier
from sklearn_mtl.estimators.classifier_regressor import MultiTaskClassifierRegressor
from sklearn_mtl.estimators.regressor import MultiTaskRegressor
from sklearn_mtl.estimators.task_view import (
    TaskClassifier,
    TaskOfClasses,
    TaskRegressor,
    TaskView,
)

__all__ = [
    "MultiTaskClassifier",
    "MultiTaskClassifierRegressor",
    "MultiTaskRegressor",
    "TaskClassifier",
    "TaskOfClasses",
    "TaskRegressor",
    "TaskView",
]
