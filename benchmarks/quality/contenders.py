"""Who takes part: this package for all tasks at once, and a model for each task alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from benchmarks.quality import peers
from benchmarks.quality.kinds import Kind, Prediction
from benchmarks.quality.problem import Problem
from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget


@dataclass(frozen=True, eq=False)
class Answer:
    """What a contender predicted for one task, and what that took.

    Parameters
    ----------
    prediction : Prediction
        Of those test rows whose label of the task is there.
    fit_seconds, predict_seconds : float
        CPU time; of a joint fit its share, so that the sum over tasks is the whole.
    note : str
        Why the contender could not be fitted, where means or frequencies stand for it.
    """

    prediction: Prediction
    fit_seconds: float
    predict_seconds: float
    note: str = ""


class Contender(ABC):
    """Something that learns all tasks of a problem."""

    @abstractmethod
    def missing(self) -> str | None:
        """Return the name of the package to install, or None where all is there."""

    @abstractmethod
    def answers(
        self, problem: Problem, asked: Sequence[str], train: np.ndarray, test: np.ndarray, seed: int
    ) -> dict[str, Answer]:
        """Learn from training rows, and predict tasks of test rows.

        Parameters
        ----------
        problem : Problem
            The table and the labels.
        asked : sequence of str
            Tasks to predict; what a model for each task learns.
        train, test : ndarray of int
            Rows, of which only the first may be learned from.
        seed : int
            Seed of the model.
        """


class Joint(Contender):
    """A model for all tasks at once."""

    def missing(self) -> str | None:
        """Return None."""
        return None

    @abstractmethod
    def model(self, problem: Problem, seed: int) -> Any:
        """Return a model that is not fitted: an estimator of this package, or a search over one."""

    def answers(
        self, problem: Problem, asked: Sequence[str], train: np.ndarray, test: np.ndarray, seed: int
    ) -> dict[str, Answer]:
        """Fit all tasks at once; a row that is not labelled for a task counts for the others."""
        kinds = {task: problem.kind(task) for task in problem.kinds}
        model = self.model(problem, seed)
        y_train = MultiTaskTarget({task: y[train] for task, y in problem.Y.items()})
        start = process_time()
        model.fit(problem.X.iloc[train], y_train)
        fitted = process_time()
        of_all_rows = _Predicted.of(model, problem.X.iloc[test], kinds)
        fit_seconds, predict_seconds = fitted - start, process_time() - fitted
        return {
            task: Answer(
                kind.predict(of_all_rows[task], np.isin(test, problem.labelled(task, test))),
                fit_seconds / len(asked),
                predict_seconds / len(asked),
            )
            for task, kind in kinds.items()
            if task in asked
        }


class Together(Joint):
    """One estimator of this package for all tasks.

    Parameters
    ----------
    **parameters
        What differs from the defaults.
    """

    def __init__(self, **parameters: Any) -> None:
        self.parameters = parameters

    def model(self, problem: Problem, seed: int) -> MultiTaskClassifierRegressor:
        """Return the estimator."""
        return joint_estimator(problem, random_state=seed, **self.parameters)


def joint_estimator(problem: Problem, **parameters: Any) -> MultiTaskClassifierRegressor:
    """Return this package's estimator for all tasks of a problem, told their kinds."""
    kinds = {task: problem.kind(task).package_kind for task in problem.kinds}
    return MultiTaskClassifierRegressor(tasks=kinds, **parameters)


class Alone(Contender):
    """A model for each task, which sees the rows with a label of it.

    Parameters
    ----------
    make : callable
        From a kind, the names of the categorical columns and a seed to a model that is not fitted.
    package : str or None
        The package it needs, beyond what this one needs.
    """

    def __init__(self, make: Callable[[Kind, Sequence[str], int], Any], package: str | None = None) -> None:
        self.make = make
        self.package = package

    def missing(self) -> str | None:
        """Return the package, where it can't be imported."""
        return self.package if self.package is not None and find_spec(self.package) is None else None

    def answers(
        self, problem: Problem, asked: Sequence[str], train: np.ndarray, test: np.ndarray, seed: int
    ) -> dict[str, Answer]:
        """Fit and ask one model after the other."""
        return {task: self._answer(problem, task, train, test, seed) for task in asked}

    def _answer(self, problem: Problem, task: str, train: np.ndarray, test: np.ndarray, seed: int) -> Answer:
        kind, rows = problem.kind(task), problem.labelled(task, train)
        X, y = problem.X.iloc[rows], problem.labels(task, rows)
        X_test = problem.X.iloc[problem.labelled(task, test)]
        start = fitted = process_time()
        try:
            model = self.make(kind, problem.categorical, seed).fit(X, y)
            fitted = process_time()
            prediction, note = _finite(kind.predict(model, X_test)), ""
        except ImportError:
            raise
        # Tools differ in what they refuse: a single class, a rare one, a column without values.
        except Exception as error:
            prediction = kind.without_features(y, len(X_test))
            note = f"{type(error).__name__}: {error}".splitlines()[0]
        return Answer(prediction, fitted - start, process_time() - fitted, note)


class SingleTaskNetwork(BaseEstimator):
    """The package's estimator for one task, with the interface of scikit-learn's.

    Parameters
    ----------
    kind : str
        What the package calls the kind of task.
    seed : int
        Its ``random_state``.
    parameters : mapping
        What differs from the defaults.
    """

    def __init__(self, kind: str, seed: int, parameters: Mapping[str, Any]) -> None:
        self.kind = kind
        self.seed = seed
        self.parameters = parameters

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> SingleTaskNetwork:
        """Fit the one task."""
        self.model_ = MultiTaskClassifierRegressor(
            tasks={"y": self.kind}, random_state=self.seed, **self.parameters
        ).fit(X, {"y": y})
        self.classes_ = getattr(self.model_, "classes_", {}).get("y")
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return what is predicted of the task."""
        return np.asarray(self.model_.predict(X)["y"])

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return the probabilities of the task."""
        return np.asarray(self.model_.predict_proba(X)["y"])


def network_alone(**parameters: Any) -> Alone:
    """Return this package's estimator for each task, as `Together` has it for all."""
    return Alone(lambda kind, _, seed: SingleTaskNetwork(kind.package_kind, seed, parameters))


CONTENDERS: dict[str, Contender] = {
    "joint": Together(),
    "per task": network_alone(),
    "linear": Alone(peers.linear),
    "forest": Alone(peers.forest),
    "mlp": Alone(peers.perceptron),
    "hgb": Alone(peers.hist_gradient_boosting),
    "lightgbm": Alone(peers.lightgbm, "lightgbm"),
    "catboost": Alone(peers.catboost, "catboost"),
    "realmlp": Alone(peers.pytabkit("RealMLP_TD"), "pytabkit"),
    "tabm": Alone(peers.pytabkit("TabM_D"), "pytabkit"),
}


def _finite(prediction: Prediction) -> Prediction:
    if not np.isfinite(prediction.values).all():
        raise ValueError("Predictions that are not finite.")
    return prediction


@dataclass(frozen=True, eq=False)
class _Predicted:
    """Predictions of one task by one that has all, asked by rows that are marked."""

    values: np.ndarray
    probabilities: np.ndarray | None
    classes_: np.ndarray | None

    @classmethod
    def of(cls, model: Any, X: pd.DataFrame, kinds: Mapping[str, Kind]) -> dict[str, _Predicted]:
        """Ask a joint model once for all tasks."""
        values = model.predict(X)
        classifies = any(kind.either(False, True) for kind in kinds.values())
        odds, classes = (model.predict_proba(X), model.classes_) if classifies else ({}, {})
        return {task: cls(np.asarray(values[task]), odds.get(task), classes.get(task)) for task in kinds}

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return what is predicted of the marked rows."""
        return self.values[rows]

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        """Return the probabilities of the marked rows."""
        assert self.probabilities is not None
        return np.asarray(self.probabilities)[rows]
