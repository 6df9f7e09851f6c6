"""An estimator of several tasks around another one, which it fits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import ClassifierTags, Tags, get_tags

from sklearn_mtl.estimators.predictions import PredictsByTask
from sklearn_mtl.estimators.row_index import index_of
from sklearn_mtl.estimators.task_estimator import TaskEstimator
from sklearn_mtl.estimators.task_scores import ScoresByTask
from sklearn_mtl.estimators.task_view import ViewedByTask
from sklearn_mtl.estimators.wrapped import innermost


class MetaEstimator(PredictsByTask, ScoresByTask, ViewedByTask):
    """Fits a clone of an estimator of several tasks, and answers by it; not to be used itself.

    Tasks, classes and features are those of the fitted clone, ``estimator_``.
    """

    estimator: Any
    estimator_: Any

    @abstractmethod
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Any:
        """Fit a clone of the estimator, and keep it as ``estimator_``."""

    def predict(self, X: Any) -> Any:
        """Predict all tasks.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.

        Returns
        -------
        MultiTaskTarget, DataFrame or ndarray
            The container that y was given in; regression as float64, labels in their own dtype.
        """
        now = self._as_of_now()
        responses, index = now._responses(X)
        predictions = {name: task.predict(responses[name]) for name, task in now.tasks_.items()}
        return now._fitted.layout.restore(predictions, index=index)

    @property
    def tasks(self) -> Any:
        """The kinds of tasks that the estimator is given."""
        return innermost(self.estimator)[0].tasks

    @tasks.setter
    def tasks(self, tasks: Mapping[str, Any] | None) -> None:
        innermost(self.estimator)[0].tasks = tasks

    @property
    def _kind_rule(self) -> Any:  # type: ignore[override]
        return innermost(self.estimator)[0]._kind_rule

    @property
    def _fitted(self) -> Any:
        return self._within._fitted

    @property
    def tasks_(self) -> dict[str, Any]:  # type: ignore[override]
        """What was decided about each task."""
        return self._within.tasks_

    @property
    def classes_(self) -> Any:
        """The classes by task, in the container of y."""
        classes = {name: task.classes for name, task in self.tasks_.items() if task.has_classes}
        if not classes:
            raise AttributeError(f"{type(self).__name__} has `classes_` where a task has classes.")
        return self._fitted.layout.restore_classes(classes)

    @property
    def n_features_in_(self) -> int:
        """Number of features."""
        found: int = self._fitted_estimator.n_features_in_
        return found

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the features, where X had names."""
        found: np.ndarray = self._fitted_estimator.feature_names_in_
        return found

    @property
    def _fitted_estimator(self) -> Any:
        if "estimator_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has `estimator_` after `fit`.")
        return self.estimator_

    @property
    def _within(self) -> TaskEstimator:
        """The fitted estimator of several tasks within."""
        return innermost(self._fitted_estimator)[0]

    def _responses(self, X: Any) -> tuple[Mapping[str, np.ndarray], Any]:
        # Steps of a Pipeline may drop the index.
        index = index_of(X)
        found, X = innermost(self.estimator_, X)
        return found._as_of_now()._responses(X)[0], index

    def _log_responses(self, X: Any) -> Mapping[str, np.ndarray]:
        found, X = innermost(self.estimator_, X)
        return found._as_of_now()._log_responses(X)

    def _of_one_task(self, name: str, kinds: Mapping[str, Any]) -> None:
        innermost(self.estimator)[0]._of_one_task(name, kinds)

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the estimator: what the one within takes."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        tags.classifier_tags = ClassifierTags()
        if hasattr(self.estimator, "__sklearn_tags__"):
            tags.input_tags = get_tags(self.estimator).input_tags
        return tags
