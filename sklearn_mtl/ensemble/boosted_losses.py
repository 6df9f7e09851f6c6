"""Losses that boosting lowers: of scores that grow by a model's predictions in every round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, log_softmax, softmax

# Shares of 0 and 1 have no log-odds.
LEAST_SHARE = 1e-6


@dataclass(frozen=True, eq=False)
class BoostedLoss(ABC):
    """The loss of a task by its scores, of shape (n_rows, n_scores), and what becomes of these.

    Targets are float64 of shape (n_rows, n_columns), as the votes on the task have them, NaN where missing.

    Parameters
    ----------
    task : Task
        The task.
    """

    task: Any

    @abstractmethod
    def constant(self, targets: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the scores of the least loss that are the same for all rows, shape (n_scores,)."""

    @abstractmethod
    def residuals(self, targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the negative gradient of each row's loss, NaN where the label is missing."""

    @abstractmethod
    def step(self, weight: np.ndarray, scores: np.ndarray, residuals: np.ndarray, grown: np.ndarray) -> float:
        """Return how far to go in the direction that a model predicts, before the learning rate.

        Parameters
        ----------
        weight : ndarray of float64, shape (n_rows,)
            Weights of the rows.
        scores, residuals : ndarray of float64, shape (n_rows, n_scores)
            Scores of the rounds before, and what the model has learned from.
        grown : ndarray of float64, shape (n_rows, n_scores)
            What it predicts.
        """

    @abstractmethod
    def cells(self, targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the loss of each target, NaN where it is missing."""

    @abstractmethod
    def votes(self, scores: np.ndarray) -> np.ndarray:
        """Return what is predicted, in the form of votes on the task: numbers or probabilities."""

    def mean(self, targets: np.ndarray, weight: np.ndarray, scores: np.ndarray) -> float:
        """Return the weighted mean of the loss over all labels; NaN where there are none."""
        cells = self.cells(targets, scores)
        mass = weight[:, None] * ~np.isnan(cells)
        total = mass.sum()
        return float((mass * np.nan_to_num(cells)).sum() / total) if total > 0 else float("nan")


class SquaredErrorLoss(BoostedLoss):
    """Half of the squared error, in standard deviations of the labels where it is reported."""

    def constant(self, targets: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the means of the outputs."""
        return _shares(targets, weight)

    def residuals(self, targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the residuals."""
        return targets - scores

    def step(self, weight: np.ndarray, scores: np.ndarray, residuals: np.ndarray, grown: np.ndarray) -> float:
        """Return 1: a model of least squares is as long as it should be (Friedman 2001, algorithm 2)."""
        return 1.0

    def cells(self, targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return half of the squared residuals."""
        found: np.ndarray = ((targets - scores) / self.task.scale) ** 2 / 2
        return found

    def votes(self, scores: np.ndarray) -> np.ndarray:
        """Return the scores."""
        return scores


class LogOddsLoss(BoostedLoss):
    """The log-loss of targets of 0 and 1, whose scores are log-odds."""

    def constant(self, targets: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the log-odds of the shares of 1."""
        shares = np.clip(_shares(targets, weight), LEAST_SHARE, 1 - LEAST_SHARE)
        return np.log(shares) - np.log1p(-shares)

    def residuals(self, targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return what the probabilities lack."""
        return targets - expit(scores)

    def step(self, weight: np.ndarray, scores: np.ndarray, residuals: np.ndarray, grown: np.ndarray) -> float:
        """Return one Newton step along the predictions (Friedman 2001, section 4.5)."""
        share = expit(scores)
        return _newton(weight, residuals, grown, share * (1 - share) * grown**2)

    def cells(self, targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the negative logarithms of the probabilities of the labels."""
        found: np.ndarray = np.logaddexp(0, scores) - targets * scores
        return found


class TwoClassesLoss(LogOddsLoss):
    """The log-loss of a task of two classes; its score is the log-odds of the second."""

    def votes(self, scores: np.ndarray) -> np.ndarray:
        """Return the probabilities of both."""
        return np.hstack([expit(-scores), expit(scores)])


class LabelsLoss(LogOddsLoss):
    """The log-losses of labels that don't exclude each other."""

    def votes(self, scores: np.ndarray) -> np.ndarray:
        """Return the probability of each label."""
        found: np.ndarray = expit(scores)
        return found


class ClassesLoss(BoostedLoss):
    """The log-loss of a task of one class of several, whose scores are logits."""

    def constant(self, targets: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the logarithms of the shares of the classes."""
        shares = _shares(self._indicators(targets), weight)
        found: np.ndarray = np.log(np.maximum(shares, LEAST_SHARE))
        return found

    def residuals(self, targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return what the probabilities lack."""
        return self._indicators(targets) - softmax(scores, axis=1)

    def step(self, weight: np.ndarray, scores: np.ndarray, residuals: np.ndarray, grown: np.ndarray) -> float:
        """Return one Newton step along the predictions."""
        shares = softmax(scores, axis=1)
        mean = (shares * grown).sum(axis=1, keepdims=True)
        return _newton(weight, residuals, grown, shares * (grown - mean) ** 2)

    def cells(self, targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the negative logarithm of the probability of the label."""
        cells = -self._indicators(targets) * log_softmax(scores, axis=1)
        return cells.sum(axis=1, keepdims=True)

    def votes(self, scores: np.ndarray) -> np.ndarray:
        """Return the probabilities of the classes."""
        found: np.ndarray = softmax(scores, axis=1)
        return found

    def _indicators(self, targets: np.ndarray) -> np.ndarray:
        """Return 1 at the place of the class and 0 elsewhere, NaN in rows without a label."""
        found = (targets == np.arange(len(self.task.classes))).astype(np.float64)
        found[np.isnan(targets[:, 0])] = np.nan
        return found


def boosted_loss(task: Any) -> BoostedLoss:
    """Return the loss that boosting lowers for a task.

    Parameters
    ----------
    task : Task
        A regression, or a task that has classes or labels.
    """
    if not task.has_classes:
        return SquaredErrorLoss(task)
    if isinstance(task.classes, list):
        return LabelsLoss(task)
    return (TwoClassesLoss if len(task.classes) == 2 else ClassesLoss)(task)


def _shares(targets: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weighted mean of each column, 0 where it has no label."""
    mass = weight[:, None] * ~np.isnan(targets)
    total = mass.sum(axis=0)
    found: np.ndarray = (mass * np.nan_to_num(targets)).sum(axis=0) / np.where(total > 0, total, 1.0)
    return found


def _newton(weight: np.ndarray, residuals: np.ndarray, grown: np.ndarray, curvature: np.ndarray) -> float:
    """Return the step to the minimum of the loss to second order; 0 where it does not fall that way."""
    mass = weight[:, None] * ~np.isnan(residuals)
    slope = (mass * np.nan_to_num(residuals) * grown).sum()
    bend = (mass * curvature).sum()
    return float(slope / bend) if slope > 0 and bend > 0 else 0.0
