"""The rounds of boosting: a joint model of what all tasks still lack, until held-out losses stop falling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_mtl.ensemble.base import ReadTasks, rows_of
from sklearn_mtl.ensemble.boosted_losses import BoostedLoss, boosted_loss
from sklearn_mtl.ensemble.member_fits import votes_as_they_are
from sklearn_mtl.ensemble.members import fit_arguments, multi_task_within, seed_members
from sklearn_mtl.ensemble.votes import votes_on
from sklearn_mtl.estimators.scikit_learn_private import take_rows
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.targets import MultiTaskTarget
from sklearn_mtl.tasks import KINDS


@dataclass(frozen=True, eq=False)
class Round:
    """One round: a fitted model, and how far each task goes along its predictions.

    Parameters
    ----------
    estimator : estimator
        The model of several regressions, one for each task of the round.
    steps : dict of str to float
        By task, the factor of its predictions.
    """

    estimator: Any
    steps: dict[str, float]

    def grown(self, X: Any) -> dict[str, np.ndarray]:
        """Return what the model predicts by task, shape (n_rows, n_scores), before the factors.

        Parameters
        ----------
        X : object
            Features of the rows.
        """
        within, _ = innermost(self.estimator)
        return votes_as_they_are(within.tasks_, self.estimator, X)


@dataclass(eq=False)
class BoostedTask:
    """A task while it is boosted.

    Parameters
    ----------
    loss : BoostedLoss
        What is lowered.
    targets : ndarray of float64, shape (n_rows, n_columns)
        Labels as numbers, NaN where missing.
    weight : ndarray of float64, shape (n_rows,)
        Weights of the rows.
    train : ndarray of bool, shape (n_rows,)
        Which rows are learned from; the others are held out.
    constant : ndarray of float64, shape (n_scores,)
        The scores before the first round.
    """

    loss: BoostedLoss
    targets: np.ndarray
    weight: np.ndarray
    train: np.ndarray
    constant: np.ndarray = field(init=False)
    scores: np.ndarray = field(init=False)
    lowest: float = field(init=False)
    best: int = 0
    stopped: bool = False

    def __post_init__(self) -> None:
        """Start from the constant of the rows to learn from; of all rows where these have no label."""
        known = (~np.isnan(self.targets)).any(axis=1) & (self.weight > 0)
        rows = self.train & known if (self.train & known).any() else known
        self.constant = self.loss.constant(self.targets[rows], self.weight[rows])
        self.scores = np.tile(self.constant, (len(self.targets), 1))
        self.lowest = self.mean_loss(~self.train)

    @property
    def is_judged(self) -> bool:
        """Whether held-out labels tell when to stop."""
        return not np.isnan(self.lowest)

    def residuals(self) -> np.ndarray:
        """Return what the rows to learn from still lack, NaN without a label."""
        return self.loss.residuals(self.targets[self.train], self.scores[self.train])

    def mean_loss(self, rows: np.ndarray) -> float:
        """Return the loss of some rows, NaN where they have no label."""
        return self.loss.mean(self.targets[rows], self.weight[rows], self.scores[rows])

    def grow(self, residuals: np.ndarray, grown: np.ndarray, learning_rate: float) -> float:
        """Go along the predictions of a model, and return how far.

        Parameters
        ----------
        residuals : ndarray of float64
            What it has learned from.
        grown : ndarray of float64, shape (n_rows, n_scores)
            What it predicts of all rows.
        learning_rate : float
            The share of the step that is gone.
        """
        train = self.train
        step = self.loss.step(self.weight[train], self.scores[train], residuals, grown[train])
        self.scores = self.scores + learning_rate * step * grown
        return learning_rate * step

    def judge(self, held_out: float, n_rounds: int, patience: int) -> None:
        """Note the loss of a round, and stop if it has not been the lowest for too long.

        Parameters
        ----------
        held_out : float
            The loss of the held-out rows; NaN where there are none, and no round is better than the last.
        n_rounds : int
            The number of rounds so far.
        patience : int
            How many rounds in a row may be no better than the best.
        """
        if not held_out >= self.lowest:
            self.lowest, self.best = held_out, n_rounds
        self.stopped = n_rounds - self.best >= patience


@dataclass(frozen=True, eq=False)
class BoostingPlan:
    """What is fitted in each round, and how many there are.

    Parameters
    ----------
    estimator : estimator
        A multi-task estimator that takes regressions; it is cloned.
    n_estimators, learning_rate, patience
        As in `MultiTaskBoosting`.
    random_state : RandomState
        Source of the seeds of every round.
    """

    estimator: Any
    n_estimators: int
    learning_rate: float
    patience: int
    random_state: np.random.RandomState

    def boost(
        self, read: ReadTasks, train: np.ndarray, groups: Any
    ) -> tuple[list[Round], dict[str, BoostedTask], list[dict[str, float]]]:
        """Return the rounds, the tasks after them, and the losses of each round.

        Tasks without held-out labels go on as long as others do, and have as many rounds as one of these.

        Parameters
        ----------
        read : ReadTasks
            What ``fit`` was given, read.
        train : ndarray of bool, shape (n_rows,)
            Which of the labelled rows are learned from.
        groups : array-like or None
            Groups of all rows of X.
        """
        places = read.rows.places(np.arange(len(read.rows)))
        X = take_rows(read.rows.X, places)
        X_train = take_rows(X, np.flatnonzero(train))
        arguments = {"groups": None if groups is None else rows_of(groups, places[train])}
        tasks = _tasks(read, train)
        judging = {name for name in _left(tasks) if tasks[name].is_judged}
        rounds: list[Round] = []
        records: list[dict[str, float]] = []
        for number in range(1, self.n_estimators + 1):
            residuals = _left(tasks)
            if not residuals or (judging and judging.isdisjoint(residuals)):
                break
            if read.rows.weighted:
                weights = {name: tasks[name].weight[train] for name in residuals}
                arguments["sample_weight"] = MultiTaskTarget(weights)
            found = Round(self._fitted(X_train, residuals, arguments), {})
            grown = found.grown(X)
            for name, of_task in residuals.items():
                found.steps[name] = tasks[name].grow(of_task, grown[name], self.learning_rate)
            rounds.append(found)
            records.append(self._judged({name: tasks[name] for name in residuals}, found, number))
        if judging:
            # Others know no better than the task that needs most rounds.
            most = max(tasks[name].best for name in judging)
            for task in tasks.values():
                task.best = min(task.best, most)
        last = max((task.best for task in tasks.values()), default=0)
        return rounds[:last], tasks, records

    def _fitted(self, X: Any, residuals: Mapping[str, np.ndarray], arguments: Mapping[str, Any]) -> Any:
        one = clone(self.estimator)
        seed_members([("estimator", one)], self.random_state)
        within = multi_task_within(one)
        if within is not None:
            within.tasks = {name: KINDS["regression"]() for name in residuals}
        return one.fit(X, MultiTaskTarget(residuals), **fit_arguments(one, arguments))

    def _judged(self, tasks: Mapping[str, BoostedTask], found: Round, number: int) -> dict[str, float]:
        record: dict[str, float] = {}
        for name, task in tasks.items():
            held_out = task.mean_loss(~task.train)
            task.judge(held_out, number, self.patience)
            record |= {
                f"train_loss_{name}": task.mean_loss(task.train),
                f"valid_loss_{name}": held_out,
                f"step_{name}": found.steps[name],
            }
        return record


def scores_after(
    rounds: Sequence[Round],
    n_rounds: Mapping[str, int],
    constants: Mapping[str, np.ndarray],
    X: Any,
    n_rows: int,
) -> dict[str, np.ndarray]:
    """Return the scores of rows by task, after as many rounds as each task has.

    Parameters
    ----------
    rounds : sequence of Round
        All rounds.
    n_rounds : mapping of str to int
        The number of rounds of each task.
    constants : mapping of str to ndarray
        The scores before the first round.
    X : object
        Features of the rows.
    n_rows : int
        The number of rows.
    """
    scores = {name: np.tile(constant, (n_rows, 1)) for name, constant in constants.items()}
    for number, one in enumerate(rounds):
        steps = {name: step for name, step in one.steps.items() if number < n_rounds[name] and step != 0}
        if steps:
            grown = one.grown(X)
            scores |= {name: scores[name] + step * grown[name] for name, step in steps.items()}
    return scores


def _tasks(read: ReadTasks, train: np.ndarray) -> dict[str, BoostedTask]:
    found = {}
    for place, (name, column) in enumerate(read.rows.columns.items()):
        task = read.fitted.by_name[name]
        targets = votes_on(task).targets(task, column)
        found[name] = BoostedTask(boosted_loss(task), targets, read.rows.of_task(place), train)
    return found


def _left(tasks: Mapping[str, BoostedTask]) -> dict[str, np.ndarray]:
    """Return the residuals of the tasks that go on: those that are not all 0, and of some row."""
    found = {name: task.residuals() for name, task in tasks.items() if not task.stopped}
    return {
        name: of_task
        for name, of_task in found.items()
        if (np.nan_to_num(of_task) * (tasks[name].weight[tasks[name].train] > 0)[:, None]).any()
    }
