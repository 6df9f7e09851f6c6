"""All tasks of a fitted estimator as one regressor of several outputs, for tools that explain functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.messages import shown


class TaskOutputs(RegressorMixin, BaseEstimator):
    """All tasks of a fitted estimator as one regressor, whose outputs are numbers of every task.

    Tools that explain a function of several outputs, such as SHAP and scikit-learn's partial dependence,
    explain all tasks with it while rows go through the network once. The outputs are the predictions of
    regressions, and the probabilities of classes: of each, or of the second of two. Tasks of a label for each
    position are left out.

    Parameters
    ----------
    estimator : fitted estimator
        A multi-task estimator, or a Pipeline or search around one.

    Attributes
    ----------
    outputs_ : MultiIndex
        The task and the class of each output; for a task of several outputs or labels the number of the
        output, and for a task of one number the empty text.
    names_ : list of str
        The same as text, "task" or "task: class".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.inspection import TaskOutputs
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> Y = {"price": X[:, 0], "type": np.where(X[:, 1] > 0, "flat", "house")}
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=3, random_state=0).fit(X, Y)
    >>> outputs = TaskOutputs(est)
    >>> outputs.names_
    ['price', 'type: house']
    >>> outputs(X).shape
    (60, 2)
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any = None) -> Self:
        """Do nothing: the estimator is fitted already."""
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the outputs.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, ...)
            Features of the rows, as the estimator takes them. An array is taken for a frame with the columns
            of ``fit``, where these had names: explainers make arrays of frames.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_outputs)
            One column for each of ``outputs_``.
        """
        names = getattr(self.estimator, "feature_names_in_", None)
        if names is not None and not hasattr(X, "columns"):
            X = pd.DataFrame(X, columns=names)
        found, X = innermost(self.estimator, X)
        responses, _ = found._as_of_now()._responses(X)
        return np.concatenate([_numbers(task, responses[task.name]) for task in self._tasks], axis=1)

    def __call__(self, X: Any) -> np.ndarray:
        """Return the outputs, for what takes a function."""
        return self.predict(X)

    @property
    def outputs_(self) -> pd.MultiIndex:
        """The task and the class or number of each output."""
        pairs = [(task.name, output) for task in self._tasks for output in _outputs(task)]
        return pd.MultiIndex.from_tuples(pairs, names=["task", "output"])

    @property
    def names_(self) -> list[str]:
        """The name of each output."""
        return [task if output == "" else f"{task}: {output}" for task, output in self.outputs_]

    @property
    def n_features_in_(self) -> int:
        """Number of features."""
        found: int = self.estimator.n_features_in_
        return found

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the features, where X of ``fit`` had names."""
        found: np.ndarray = self.estimator.feature_names_in_
        return found

    @property
    def _tasks(self) -> list[Any]:
        found, _ = innermost(self.estimator)
        check_is_fitted(found)
        tasks = [task for task in found.tasks_.values() if not task.position_axes]
        if not tasks:
            raise ValueError(
                "`estimator` must have a task of one label, or a fixed number of labels, for each row. Found "
                f"{shown({name: task.kind for name, task in found.tasks_.items()})}."
            )
        return tasks

    def __sklearn_is_fitted__(self) -> bool:
        """Whether the estimator within is fitted."""
        return innermost(self.estimator)[0].__sklearn_is_fitted__()

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the estimator."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags = self.estimator.__sklearn_tags__().input_tags
        return tags


def _outputs(task: Any) -> Iterator[Any]:
    """Yield what tells the outputs of a task apart."""
    if task.has_classes and isinstance(task.classes, np.ndarray):
        yield from (task.classes[1:] if len(task.classes) == 2 else task.classes).tolist()
    elif task.two_dimensional:
        yield from range(task.n_columns)
    else:
        yield ""


def _numbers(task: Any, response: np.ndarray) -> np.ndarray:
    if not task.has_probabilities:
        return np.asarray(task.predict(response), dtype=np.float64).reshape(len(response), -1)
    found: np.ndarray = task.predict_proba(response)
    two_classes = isinstance(task.classes, np.ndarray) and len(task.classes) == 2
    return found[:, 1:] if two_classes else found
