"""What a kind of task asks for: its labels, its predictions, and how these are scored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    mean_absolute_error,
    r2_score,
    recall_score,
    roc_auc_score,
    root_mean_squared_error,
)
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor

# No probability counts as less: one certain error would outweigh all other rows.
SMALLEST_PROBABILITY = 1e-6
N_BINS = 15


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was said of the test rows of one task.

    Parameters
    ----------
    values : ndarray
        Numbers, or probabilities with a column for each class or label.
    classes : ndarray of str or None
        What the columns stand for, where they are classes.
    """

    values: np.ndarray
    classes: np.ndarray | None = None


class Kind(ABC):
    """A kind of task.

    Parameters
    ----------
    score : str
        The metric that contenders are ranked by; larger is better.
    package_kind : str
        What this package calls the kind.
    several : bool
        Whether a row has several labels of the task.
    """

    def __init__(self, score: str, package_kind: str, *, several: bool = False) -> None:
        self.score = score
        self.package_kind = package_kind
        self.several = several

    @abstractmethod
    def labels(self, y: np.ndarray) -> np.ndarray:
        """Return labels, none of them missing, as all contenders get them."""

    @abstractmethod
    def either(self, regressor: Any, classifier: Any) -> Any:
        """Return that of two models, or settings, which is for this kind."""

    @abstractmethod
    def one_by_one(self, model: Any) -> Any:
        """Return a model that fits a copy of the given one to each output, where there are several."""

    @abstractmethod
    def predict(self, model: Any, X: Any) -> Prediction:
        """Ask a fitted model."""

    @abstractmethod
    def without_features(self, y: np.ndarray, n_rows: int) -> Prediction:
        """Return the mean, or the frequencies, of training labels for each row."""

    @abstractmethod
    def metrics(self, y: np.ndarray, prediction: Prediction) -> dict[str, float]:
        """Score a prediction, ``score`` among the metrics."""


class Numbers(Kind):
    """One number a row, or several."""

    def labels(self, y: np.ndarray) -> np.ndarray:
        """Return floats."""
        return np.asarray(y, dtype=float)

    def either(self, regressor: Any, classifier: Any) -> Any:
        """Return the regressor."""
        return regressor

    def one_by_one(self, model: Any) -> Any:
        """Return the regressor, or one that fits each output alone."""
        return MultiOutputRegressor(model) if self.several else model

    def predict(self, model: Any, X: Any) -> Prediction:
        """Return predicted numbers."""
        values = np.asarray(model.predict(X), dtype=float)
        return Prediction(values if self.several else values.ravel())

    def without_features(self, y: np.ndarray, n_rows: int) -> Prediction:
        """Return the mean of each output."""
        return Prediction(np.repeat(y.mean(axis=0, keepdims=True), n_rows, axis=0))

    def metrics(self, y: np.ndarray, prediction: Prediction) -> dict[str, float]:
        """Return R² and two errors, each the mean over outputs."""
        return {
            "r2": r2_score(y, prediction.values),
            "rmse": root_mean_squared_error(y, prediction.values),
            "mae": mean_absolute_error(y, prediction.values),
        }


class Classes(Kind):
    """One class a row, of two or more."""

    def labels(self, y: np.ndarray) -> np.ndarray:
        """Return text: some contenders would take codes for numbers."""
        return np.array([label if isinstance(label, str) else f"{label:g}" for label in y])

    def either(self, regressor: Any, classifier: Any) -> Any:
        """Return the classifier."""
        return classifier

    def one_by_one(self, model: Any) -> Any:
        """Return the classifier: there is one output."""
        return model

    def predict(self, model: Any, X: Any) -> Prediction:
        """Return the probability of each class."""
        return Prediction(
            np.asarray(model.predict_proba(X), dtype=float), self.labels(np.ravel(model.classes_))
        )

    def without_features(self, y: np.ndarray, n_rows: int) -> Prediction:
        """Return the frequency of each class."""
        classes, counts = np.unique(y, return_counts=True)
        return Prediction(np.tile(counts / len(y), (n_rows, 1)), classes)

    def metrics(self, y: np.ndarray, prediction: Prediction) -> dict[str, float]:
        """Return what the likeliest class and the probabilities are worth; a class never seen had none."""
        assert prediction.classes is not None
        odds = prediction.values / prediction.values.sum(axis=1, keepdims=True)
        likeliest = prediction.classes[odds.argmax(axis=1)]
        is_true = y[:, None] == prediction.classes
        found = {
            "accuracy": accuracy_score(y, likeliest),
            "balanced_accuracy": recall_score(
                y, likeliest, labels=np.unique(y), average="macro", zero_division=0
            ),
            "log_loss": float(-np.log(np.clip((odds * is_true).sum(axis=1), SMALLEST_PROBABILITY, 1)).mean()),
            "calibration_error": calibration_error(odds.max(axis=1), likeliest == y),
        }
        if len(prediction.classes) == 2 and len(np.unique(y)) == 2:
            found["roc_auc"] = roc_auc_score(y == prediction.classes[1], odds[:, 1])
        elif self.score == "roc_auc":  # the training rows have shown one class only
            found["roc_auc"] = 0.5
        return found


class Labels(Kind):
    """Several labels a row, each there or not."""

    def labels(self, y: np.ndarray) -> np.ndarray:
        """Return 0 and 1."""
        return np.asarray(y, dtype=int)

    def either(self, regressor: Any, classifier: Any) -> Any:
        """Return the classifier."""
        return classifier

    def one_by_one(self, model: Any) -> Any:
        """Return a classifier that fits each label alone."""
        return MultiOutputClassifier(model)

    def predict(self, model: Any, X: Any) -> Prediction:
        """Return the probability of each label, however the model lays them out."""
        odds = model.predict_proba(X)
        if isinstance(odds, list):  # a (rows, 2) array for each label
            odds = np.column_stack([of_label[:, -1] for of_label in odds])
        return Prediction(np.asarray(odds, dtype=float))

    def without_features(self, y: np.ndarray, n_rows: int) -> Prediction:
        """Return the frequency of each label."""
        return Prediction(np.tile(y.mean(axis=0), (n_rows, 1)))

    def metrics(self, y: np.ndarray, prediction: Prediction) -> dict[str, float]:
        """Return means over labels; those that all test rows share have no ROC curve."""
        odds = np.clip(prediction.values, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        differs = y.min(axis=0) < y.max(axis=0)
        return {
            "roc_auc_macro": roc_auc_score(y[:, differs], odds[:, differs], average="macro"),
            "f1_macro": f1_score(y, odds > 0.5, average="macro", zero_division=0),
            "log_loss": float(-np.where(y == 1, np.log(odds), np.log1p(-odds)).mean()),
            "calibration_error": calibration_error(odds.ravel(), y.ravel() == 1),
        }


KINDS: Mapping[str, Kind] = {
    "regression": Numbers("r2", "regression"),
    "multioutput-regression": Numbers("r2", "regression", several=True),
    "binary": Classes("roc_auc", "classification"),
    "multiclass": Classes("accuracy", "classification"),
    "multilabel": Labels("roc_auc_macro", "multilabel", several=True),
}


def calibration_error(probability: np.ndarray, happened: np.ndarray) -> float:
    """Return how far probabilities are from frequencies, the mean over rows.

    Parameters
    ----------
    probability : ndarray of float, shape (n,)
        What was said: of a class the one that was thought likeliest.
    happened : ndarray of bool, shape (n,)
        Whether it was so.

    Returns
    -------
    error : float
        Over fifteen equally wide bins of probability, the mean of the absolute difference between
        mean probability and frequency, each bin counting by its rows.
    """
    bins = np.minimum((probability * N_BINS).astype(int), N_BINS - 1)
    differences = np.bincount(bins, probability - happened, minlength=N_BINS)
    return float(np.abs(differences).sum() / len(probability))
