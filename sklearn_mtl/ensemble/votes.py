"""The votes of models on one task, by its kind: numbers, class probabilities, or those of labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from sklearn_mtl.ensemble.losses import LogLoss, SquaredError, VoteLoss
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column
from sklearn_mtl.tasks import KINDS, TaskKind
from sklearn_mtl.tasks.log_odds import log_of


class Votes(ABC):
    """How models vote on a task of a kind, and what a vote becomes.

    Votes on a task are one array for each model, of shape (n_rows, n_votes). A single model learns one target
    column of a task, of numbers: a label, or the place of a class.
    """

    @abstractmethod
    def kind_of(self, kind: TaskKind) -> TaskKind:
        """Return the kind that a vote is of: the given one, with the loss of its predictions."""

    @abstractmethod
    def targets(self, task: Any, column: Column) -> np.ndarray:
        """Return what single models learn, float64 of shape (n_rows, n_columns), NaN where missing."""

    @abstractmethod
    def by_models(self, task: Any, models: Sequence[Any], X: Any) -> np.ndarray:
        """Return the votes of single models, one for each target column."""

    @abstractmethod
    def by_task(self, task: Any, of_member: Any, response: np.ndarray) -> np.ndarray:
        """Return the votes of a multi-task estimator.

        Parameters
        ----------
        task : Task
            The task that is voted on.
        of_member : Task
            The same task as the estimator knows it.
        response : ndarray
            What the estimator responds.
        """

    @abstractmethod
    def columns(self, task: Any) -> dict[str, int]:
        """Return the places of the votes that do not follow from the others, by what each is of."""

    @abstractmethod
    def response(self, task: Any, votes: np.ndarray) -> np.ndarray:
        """Return votes as a response of the task, shape (n_rows, n_columns, loss.width)."""

    @abstractmethod
    def log_response(self, response: np.ndarray) -> np.ndarray:
        """Return what the task makes log-probabilities and log-odds of; empty where it has none."""

    @abstractmethod
    def loss(self, targets: np.ndarray, weight: np.ndarray, votes: np.ndarray) -> VoteLoss:
        """Return the loss of several members' votes: squared error, or log-loss.

        Parameters
        ----------
        targets : ndarray of float64, shape (n_rows, n_columns)
            As `targets` returns them.
        weight : ndarray of float64, shape (n_rows,)
            Weights of the rows.
        votes : ndarray of float64, shape (n_members, n_rows, n_votes)
            Votes of each member.
        """

    @property
    @abstractmethod
    def is_classification(self) -> bool:
        """Whether single models are classifiers."""

    @property
    @abstractmethod
    def of_no_label(self) -> Any:
        """A model for a target column without any label."""


class NumberVotes(Votes):
    """Votes on a regression: predicted numbers, in the units of the labels."""

    is_classification = False

    def kind_of(self, kind: TaskKind) -> TaskKind:
        """Return a regression by squared error, whose prediction is the mean of those of the models."""
        return KINDS["regression"]()

    def targets(self, task: Any, column: Column) -> np.ndarray:
        """Return the labels."""
        found: np.ndarray = task.encode(column) * task.scale + task.loc
        return found

    def by_models(self, task: Any, models: Sequence[Any], X: Any) -> np.ndarray:
        """Return the predictions side by side."""
        return np.column_stack([np.asarray(model.predict(X), dtype=np.float64).ravel() for model in models])

    def by_task(self, task: Any, of_member: Any, response: np.ndarray) -> np.ndarray:
        """Return the predictions, of several outputs side by side."""
        found: np.ndarray = of_member.predict(response)
        return found.reshape(len(found), -1)

    def columns(self, task: Any) -> dict[str, int]:
        """Return the outputs by their numbers."""
        return {str(i): i for i in range(task.n_columns)} if task.two_dimensional else {"": 0}

    def response(self, task: Any, votes: np.ndarray) -> np.ndarray:
        """Return the scaled numbers."""
        found: np.ndarray = ((votes - task.loc) / task.scale)[..., None]
        return found

    def log_response(self, response: np.ndarray) -> np.ndarray:
        """Return nothing: numbers are no probabilities."""
        return response[:, :0]

    def loss(self, targets: np.ndarray, weight: np.ndarray, votes: np.ndarray) -> VoteLoss:
        """Return the squared error, of each output in its standard deviations."""
        known = ~np.isnan(targets)
        mass = np.where(known, weight[:, None], 0.0)
        total = np.maximum(mass.sum(axis=0), np.finfo(np.float64).tiny)
        filled = np.where(known, targets, 0.0)
        mean = (mass * filled).sum(axis=0) / total
        scale = np.sqrt((mass * (filled - mean) ** 2).sum(axis=0) / total)
        scale = np.where(scale > 0, scale, 1.0)
        scaled = np.moveaxis((votes - mean) / scale, 0, -1)
        return SquaredError(scaled[known], ((filled - mean) / scale)[known], _shares(mass[known]), 1.0)

    @property
    def of_no_label(self) -> Any:
        """Zero."""
        return DummyRegressor(strategy="constant", constant=0.0).fit(np.zeros((1, 1)), [0.0])


class ClassVotes(Votes):
    """Votes on a class: the probability of each, in the order of ``classes``."""

    is_classification = True

    def kind_of(self, kind: TaskKind) -> TaskKind:
        """Return the kind itself if it is ordinal, or else a classification without class weights."""
        return kind if kind.kind == "ordinal" else KINDS["classification"]()

    def targets(self, task: Any, column: Column) -> np.ndarray:
        """Return the place of each class among the sorted ones."""
        places, codes = np.argsort(task.codes(task.classes)), task.encode(column)
        known = ~np.isnan(codes)
        found = np.full(codes.shape, np.nan)
        found[known] = places[codes[known].astype(np.intp)]
        return found

    def by_models(self, task: Any, models: Sequence[Any], X: Any) -> np.ndarray:
        """Return the probabilities of the one model; classes that it has not seen have 0."""
        (model,) = models
        found = model.predict_proba(X)
        votes = np.zeros((len(found), len(task.classes)))
        votes[:, np.asarray(model.classes_).astype(np.intp)] = found
        return votes

    def by_task(self, task: Any, of_member: Any, response: np.ndarray) -> np.ndarray:
        """Return the probabilities; classes that the estimator has not seen have 0."""
        found = of_member.predict_proba(response)
        votes = np.zeros((len(found), len(task.classes)))
        votes[:, np.argsort(task.codes(task.classes))[task.codes(of_member.classes)]] = found
        return votes

    def columns(self, task: Any) -> dict[str, int]:
        """Return all classes; of two the second, as in scikit-learn's stacking."""
        return {str(label): i for i, label in enumerate(task.classes) if i > 0 or len(task.classes) != 2}

    def response(self, task: Any, votes: np.ndarray) -> np.ndarray:
        """Return the probabilities by code; of two classes, where the loss has one number, of the second."""
        by_code = np.empty_like(votes)
        by_code[:, task.codes(task.classes)] = votes
        return by_code[:, None, by_code.shape[1] - task.loss.width :]

    def log_response(self, response: np.ndarray) -> np.ndarray:
        """Return the logarithms of the probabilities of all classes."""
        return log_of_both(response) if response.shape[-1] == 1 else log_of(response)

    def loss(self, targets: np.ndarray, weight: np.ndarray, votes: np.ndarray) -> VoteLoss:
        """Return the log-loss, relative to that of the shares of the classes."""
        known = np.flatnonzero(~np.isnan(targets[:, 0]))
        places, share = targets[known, 0].astype(np.intp), _shares(weight[known])
        reference = _entropy(np.bincount(places, share))
        return LogLoss(votes[:, known, places].T, np.ones(len(known)), share, reference)

    @property
    def of_no_label(self) -> Any:
        """The class at the first place: there is always a label."""
        return DummyClassifier().fit(np.zeros((1, 1)), [0.0])


class LabelVotes(Votes):
    """Votes on labels that don't exclude each other: the probability of each."""

    is_classification = True

    def kind_of(self, kind: TaskKind) -> TaskKind:
        """Return a multilabel task without weights of labels."""
        return KINDS["multilabel"]()

    def targets(self, task: Any, column: Column) -> np.ndarray:
        """Return 0 and 1."""
        found: np.ndarray = task.encode(column)
        return found

    def by_models(self, task: Any, models: Sequence[Any], X: Any) -> np.ndarray:
        """Return the probability that each label is set, which is 0 where a model has never seen it set."""
        columns = [model.predict_proba(X)[:, np.asarray(model.classes_) == 1].sum(axis=1) for model in models]
        return np.column_stack(columns)

    def by_task(self, task: Any, of_member: Any, response: np.ndarray) -> np.ndarray:
        """Return the probability that each label is set."""
        found: np.ndarray = of_member.predict_proba(response)
        return found

    def columns(self, task: Any) -> dict[str, int]:
        """Return the labels by their numbers."""
        return {str(i): i for i in range(task.n_columns)}

    def response(self, task: Any, votes: np.ndarray) -> np.ndarray:
        """Return the probabilities."""
        return votes[..., None]

    def log_response(self, response: np.ndarray) -> np.ndarray:
        """Return the logarithms of the probabilities that each label is not set, and that it is."""
        return log_of_both(response)

    def loss(self, targets: np.ndarray, weight: np.ndarray, votes: np.ndarray) -> VoteLoss:
        """Return the log-loss of all labels, relative to that of their shares."""
        known = ~np.isnan(targets)
        mass = np.where(known, weight[:, None], 0.0)
        of_set = (mass * (targets == 1)).sum(axis=0) / np.maximum(mass.sum(axis=0), np.finfo(np.float64).tiny)
        reference = np.mean([_entropy(np.array([1 - share, share])) for share in of_set])
        given = np.moveaxis(np.where(targets == 1, votes, 1 - votes), 0, -1)[known]
        return LogLoss(given, np.ones(len(given)), _shares(mass[known]), float(reference))

    @property
    def of_no_label(self) -> Any:
        """One half."""
        return DummyClassifier().fit(np.zeros((2, 1)), [0.0, 1.0])


# By the kind of the task.
VOTES: dict[str, Votes] = {
    "regression": NumberVotes(),
    "classification": ClassVotes(),
    "ordinal": ClassVotes(),
    "multilabel": LabelVotes(),
}


def votes_on(kind: Any) -> Votes:
    """Return how models vote on a task.

    Parameters
    ----------
    kind : Task or TaskKind
        The task, or its kind.
    """
    return VOTES[kind.kind]


def kinds_of_votes(owner: str, kinds: Mapping[str, TaskKind]) -> dict[str, TaskKind]:
    """Return the kind that the vote on each task is of; a ``ValueError`` for a kind that has no votes.

    Parameters
    ----------
    owner : str
        Class of the estimator, for messages.
    kinds : mapping of str to TaskKind
        The kind of each task.
    """
    others = {name: kind for name, kind in kinds.items() if kind.kind not in VOTES}
    if others:
        raise ValueError(
            f"`tasks` of {owner} must be of the kinds {sorted(VOTES)}, whose predictions can be averaged. "
            f"Found {shown(others)}."
        )
    return {name: votes_on(kind).kind_of(kind) for name, kind in kinds.items()}


def _shares(mass: np.ndarray) -> np.ndarray:
    found: np.ndarray = mass / mass.sum()
    return found


def _entropy(shares: np.ndarray) -> float:
    """Return the log-loss of shares that are their own predictions; 1 where there is one class only."""
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum()) or 1.0


def log_of_both(probabilities: np.ndarray) -> np.ndarray:
    """Return the logarithms of the counter-probabilities, and of the probabilities, side by side."""
    return np.concatenate([log_of(1 - probabilities), log_of(probabilities)], axis=-1)
