"""The scikit-learn contract: one base, three final estimators.

`MultiTaskClassifierRegressor` takes tasks of any kind; `MultiTaskClassifier` and `MultiTaskRegressor`
take one kind and are scikit-learn classifiers and regressors in full. What goes in as a mapping, a
DataFrame or an array comes out as one.

Examples
--------
>>> from sklearn.datasets import load_diabetes
>>> from sklearn_mtl.estimators import MultiTaskClassifierRegressor
>>> X, disease = load_diabetes(return_X_y=True)
>>> est = MultiTaskClassifierRegressor(n_bags=1, max_epochs=5, random_state=0)
>>> est = est.fit(X, {"disease": disease, "severe": disease > 150})
>>> est.tasks_["severe"].kind
'classification'
"""

from sklearn_mtl.estimators.classifier import MultiTaskClassifier
from sklearn_mtl.estimators.classifier_regressor import MultiTaskClassifierRegressor
from sklearn_mtl.estimators.regressor import MultiTaskRegressor
from sklearn_mtl.estimators.task_view import TaskClassifier, TaskRegressor, TaskView

__all__ = [
    "MultiTaskClassifier",
    "MultiTaskClassifierRegressor",
    "MultiTaskRegressor",
    "TaskClassifier",
    "TaskRegressor",
    "TaskView",
]
