"""One task of a fitted estimator as an ordinary scikit-learn estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_mtl.estimators.label_warnings import warn_of_other_order, warn_of_unknown_labels
from sklearn_mtl.estimators.scikit_learn_private import check_sample_weight
from sklearn_mtl.estimators.task_estimator import TaskEstimator
from sklearn_mtl.estimators.wrapped import held_by, innermost
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import MultiTaskTarget, read_column


class TaskView(BaseEstimator):
    """One task of a multi-task estimator.

    ``est.task("price")`` makes a fitted one, which predicts with the network of ``est``. ``fit`` fits a
    clone of the estimator to this task alone, so that tools which refit, such as cross-validation,
    measure what the task would be worth by itself.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor, MultiTaskClassifier or MultiTaskRegressor
        The estimator, or a Pipeline, a search or a FrozenEstimator around it.
    name : str
        The task.

    Attributes
    ----------
    estimator_ : object
        The fitted estimator that predicts.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, where X had names.
    """

    def __init__(self, estimator: Any, name: str) -> None:
        self.estimator = estimator
        self.name = name

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit a clone of the estimator to this task alone.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Labels of this task.
        sample_weight : array-like of shape (n_rows,), optional
            Weights of the rows.
        """
        whole = clone(self.estimator)
        alone, _ = innermost(whole)
        # A frozen estimator is not cloned: it is the user's, and fits nothing.
        if not hasattr(alone, "_fitted"):
            alone._of_one_task(self.name, self._kinds(y))
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        # A search splits it.
        return self._around(whole.fit(X, MultiTaskTarget({self.name: y}), **weights))

    def predict(self, X: Any) -> Any:
        """Return this task's predictions, shape (n_rows,) or (n_rows, n_outputs)."""
        task, response = self._response(X)
        return task.predict(response)

    @available_if(lambda view: view._task.has_survival)
    def predict_survival(self, X: Any, times: Any = None) -> np.ndarray:
        """Return the survival curves of a survival task.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.
        times : array-like of shape (n_times,), optional
            In the units of the labels; by default ``ends`` of the task, where its intervals end.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_times)
            Probability to be without the event at each time.
        """
        task, response = self._response(X)
        found: np.ndarray = task.survival(response, times)
        return found

    def __call__(self, X: Any) -> Any:
        """Return what explainers that take a function, such as SHAP's, explain: the predictions."""
        return self.predict(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the task's default score, as ``score_tasks`` of the estimator has it.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Labels of this task; missing ones are left out.
        sample_weight : array-like of shape (n_rows,), optional
            Weights of the rows.
        """
        warn_of_other_order(X, {"y": y, "sample_weight": sample_weight})
        task, response = self._response(X)
        column = read_column(self.name, y)
        task.check_shape(column)
        weight = check_sample_weight(sample_weight, column.values, dtype=np.float64)
        score = float(task.score(column, response, weight))
        warn_of_unknown_labels([(task, column, weight)])
        return score

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is a fitted estimator to predict with."""
        return hasattr(self, "estimator_")

    def _around(self, fitted: Any) -> Self:
        """Take over a fitted estimator, to predict with."""
        self.estimator_ = fitted
        # Plain attributes, as scikit-learn's own: explainers set the names on a copy.
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))
            elif hasattr(self, name):
                delattr(self, name)
        return self

    def _kinds(self, y: Any) -> dict[str, str]:
        """Return the kind of the task, where ``tasks`` need not name it; by its name."""
        return {}

    @property
    def _task(self) -> Any:
        check_is_fitted(self)
        found, _ = innermost(self.estimator_)
        return self._task_of(found._as_of_now())

    def _task_of(self, found: TaskEstimator) -> Any:
        if self.name not in found.tasks_:
            raise NotFittedError(
                f"The estimator of a view must have its task, {shown(self.name)}. Found the tasks "
                f"{shown(list(found.tasks_))} of a later `fit`."
            )
        return found.tasks_[self.name]

    def _response(self, X: Any) -> tuple[Any, np.ndarray]:
        """Return the task, and its averaged response to X."""
        found, X = self._within(X)
        return self._task_of(found), found._responses(X)[0][self.name]

    def _log_response(self, X: Any) -> tuple[Any, np.ndarray]:
        """Return the task, and the logarithms of its averaged response to X."""
        found, X = self._within(X)
        return self._task_of(found), found._log_responses(X)[self.name]

    def _within(self, X: Any) -> tuple[TaskEstimator, Any]:
        """Return the estimator that predicts, as it is now, and X as its methods take it."""
        check_is_fitted(self)
        names = getattr(self.estimator_, "feature_names_in_", None)
        taken_away = names is not None and getattr(self, "feature_names_in_", None) is None
        if taken_away and not hasattr(X, "columns"):
            # Who takes the names away, as SHAP does, passes the columns by position.
            X = pd.DataFrame(X, columns=names)
        found, X = innermost(self.estimator_, X)
        return found._as_of_now(), X

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the estimator."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags = self.estimator.__sklearn_tags__().input_tags
        return tags


@held_by.register(TaskView)
def _(view: TaskView) -> Any:
    return getattr(view, "estimator_", view.estimator)


class TaskRegressor(RegressorMixin, TaskView):
    """One regression task as a scikit-learn regressor; parameters are those of `TaskView`."""

    score = TaskView.score

    def _kinds(self, y: Any) -> dict[str, str]:
        # A part of the labels may look like another kind: that of the view stands.
        return {self.name: "regression"}


class TaskOfClasses(TaskView):
    """One task with probabilities of classes; parameters are those of `TaskView`.

    It is no classifier of scikit-learn's where a row has a class for each of its positions: what comes out
    then is an array for each row.
    """

    @property
    def classes_(self) -> Any:
        """The classes, in the order of the columns of ``predict_proba``; others while some are set."""
        return self.__dict__.get("classes_", self._task.classes)

    @classes_.setter
    def classes_(self, classes: Any) -> None:
        self.__dict__["classes_"] = classes

    @classes_.deleter
    def classes_(self) -> None:
        self.__dict__.pop("classes_", None)

    def __call__(self, X: Any) -> np.ndarray:
        """Return what explainers that take a function, such as SHAP's, explain: the probabilities."""
        return self.predict_proba(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, shape (n_rows, n_classes), or such an array for each row."""
        task, response = self._response(X)
        found: np.ndarray = task.predict_proba(response)
        return found

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of the probabilities, finite, in the shape of ``predict_proba``."""
        task, response = self._log_response(X)
        found: np.ndarray = task.predict_log_proba(response)
        return found

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the log-odds: of the second of two classes (n_rows,), else (n_rows, n_classes)."""
        task, response = self._log_response(X)
        found: np.ndarray = task.decision_function(response)
        return found


class TaskClassifier(ClassifierMixin, TaskOfClasses):
    """One classification task as a scikit-learn classifier; parameters are those of `TaskView`."""

    score = TaskView.score

    def _kinds(self, y: Any) -> dict[str, str]:
        is_block = read_column(self.name, y).values.ndim == 2
        return {self.name: "multilabel" if is_block else "classification"}


def view_of(estimator: Any, name: str) -> TaskView:
    """Return a fitted view of one task.

    Parameters
    ----------
    estimator : object
        Fitted; a multi-task estimator or something around one.
    name : str
        The task.
    """
    found = innermost(estimator)[0]._as_of_now()
    if name not in found.tasks_:
        raise ValueError(f"`name` must be one of the tasks {shown(list(found.tasks_))}. Found {shown(name)}.")
    views = {"classifier": TaskClassifier, "regressor": TaskRegressor, None: TaskView}
    view = views[found._fitted.kinds[name].estimator_type]
    if found.tasks_[name].position_axes:
        view = TaskOfClasses
    return view(estimator, name)._around(estimator)


class ViewedByTask(TaskEstimator):
    """Gives each task as an estimator of its own."""

    def task(self, name: str) -> TaskView:
        """Return one task as a fitted scikit-learn regressor or classifier.

        Parameters
        ----------
        name : str
            The task.

        Returns
        -------
        TaskRegressor, TaskClassifier, TaskOfClasses or TaskView
            A view, which predicts with this estimator. The last two are no regressors or classifiers of
            scikit-learn's: tasks with a class for each position, and those without `predict_proba`.
        """
        check_is_fitted(self)
        return view_of(self, name)
