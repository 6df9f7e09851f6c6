"""The rounds of self-training: fit, label what is sure, fit again, and stop task by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_mtl.estimators.fitting import PlannedFit
from sklearn_mtl.estimators.rows import FitData, ReadData
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.inference import member_responses
from sklearn_mtl.messages import shown
from sklearn_mtl.semi_supervised.pseudo_labels import LABELLERS, PseudoLabels
from sklearn_mtl.semi_supervised.stages import PseudoLabelStages
from sklearn_mtl.training.runs import make_ready

# Why a task got no more labels.
NO_CHANGE, MAX_ITER, ALL_LABELED, SCORE_FELL = "no_change", "max_iter", "all_labeled", "score_not_better"


@dataclass(frozen=True, eq=False)
class Learner:
    """Fits clones of an estimator to labels and pseudo-labels.

    Parameters
    ----------
    template : BaseMultiTask
        The estimator, which is not fitted; it names the kinds of all tasks.
    data : FitData
        What ``fit`` was given.
    read : ReadData
        The same, read.
    weight : ndarray of float64, shape (n_rows_of_X, n_tasks)
        The weight of each cell of X.
    most_uncertain : mapping of str to float
        How uncertain a cell may be that is labelled, by task.
    pseudo_label_weight : float
        What a pseudo-label weighs, where a label weighs 1.
    by_spread : sequence of str
        The tasks that get pseudo-labels where members agree, which takes several members.
    """

    template: Any
    data: FitData
    read: ReadData
    weight: np.ndarray
    most_uncertain: Mapping[str, float]
    pseudo_label_weight: float
    by_spread: Sequence[str] = ()

    @property
    def names(self) -> list[str]:
        """The tasks of y."""
        return list(self.read.targets.columns)

    def fitted(
        self, hidden: Mapping[str, np.ndarray], labels: Mapping[str, PseudoLabels], n_bags: Any
    ) -> Answers:
        """Fit a clone, and let it answer for all rows of X.

        Parameters
        ----------
        hidden : mapping of str to ndarray of int
            Rows whose label of a task is not learned, by task.
        labels : mapping of str to PseudoLabels
            Pseudo-labels by task.
        n_bags : int or "auto"
            Number of nets.

        Raises
        ------
        ValueError
            If a task needs several members and there is one; that is found before any training.
        """
        estimator = clone(self.template).set_params(n_bags=n_bags)
        estimator._for_fold(self.template._fold)
        stages: Stages = PseudoLabelStages(self.read, hidden, labels, self.weight * self.pseudo_label_weight)
        planned = estimator._plan(self.data, stages)
        self._check_members(planned)
        fitted = planned.train()
        estimator._keep(fitted, self.read.reader)
        if fitted.interrupt is not None:
            raise fitted.interrupt
        return Answers(estimator, *estimator._responses(self.data.X)[:1])

    def scores(self, answers: Answers, rows: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Return the default score of tasks over some rows each."""
        found = {}
        for name, of_task in rows.items():
            column = self.read.targets.columns[name].take(of_task)
            weight = self.weight[of_task, self.names.index(name)]
            task = answers.estimator.tasks_[name]
            found[name] = float(task.score(column, answers.responses[name][of_task], weight))
        return found

    def sure(self, answers: Answers, unlabelled: Mapping[str, np.ndarray]) -> dict[str, PseudoLabels]:
        """Return labels for those unlabelled cells that are sure.

        Parameters
        ----------
        answers : Answers
            The answers of a fitted estimator.
        unlabelled : mapping of str to ndarray of bool, shape (n_rows_of_X, n_columns)
            The cells by task.
        """
        tasks = answers.estimator.tasks_
        numbers = [name for name in unlabelled if LABELLERS[tasks[name].kind].needs_spread]
        spread = self._spread(answers.estimator, numbers) if numbers else {}
        found = {}
        for name, cells in unlabelled.items():
            labeller, response = LABELLERS[tasks[name].kind], answers.responses[name]
            uncertainty = labeller.uncertainty(tasks[name], response, spread.get(name))
            sure = cells & (uncertainty <= self.most_uncertain[name])
            if sure.any():
                found[name] = labeller.labels(tasks[name], response, sure, self.read.targets.columns[name])
        return found

    def _check_members(self, planned: PlannedFit) -> None:
        if self.by_spread and planned.n_nets == 1:
            net = make_ready(planned.plans[0]).net
            if net.network.sharing.members == 1:
                raise ValueError(
                    "`estimator` must have several members or nets where a regression gets pseudo-labels, "
                    "which are sure where these agree: TabM as its trunk, or `n_bags` of 2 or more. Found "
                    f"one net of one member, and the regressions {shown(list(self.by_spread))}."
                )

    def _spread(self, estimator: Any, names: list[str]) -> dict[str, np.ndarray]:
        """Return the standard deviation of the members' predictions, in those of the labels."""
        inputs, _ = estimator._encoded(self.data.X)
        by_member: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for responses in member_responses(estimator.nets_, estimator._fitted.tasks, inputs):
            for name, predicted in by_member.items():
                values = np.asarray(estimator.tasks_[name].predict(responses[name]), dtype=np.float64)
                predicted.append(values.reshape(len(values), -1))
        return {name: np.std(of_task, axis=0) / self._scale(name) for name, of_task in by_member.items()}

    def _scale(self, name: str) -> np.ndarray:
        """Return the standard deviation of the labels of a regression, 1 where they do not vary."""
        column = self.read.targets.columns[name]
        values = np.full(column.values.shape, np.nan)
        values[~column.missing] = column.values[~column.missing].astype(np.float64)
        scale = np.nanstd(values.reshape(len(values), -1), axis=0)
        found: np.ndarray = np.where(scale > 0, scale, 1.0)
        return found


@dataclass(frozen=True, eq=False)
class Answers:
    """A fitted estimator, and what it responds to the rows of X.

    Parameters
    ----------
    estimator : BaseMultiTask
        The estimator.
    responses : mapping of str to ndarray
        Its averaged responses by task.
    """

    estimator: Any
    responses: Mapping[str, np.ndarray]


@dataclass(eq=False)
class Rounds:
    """What came of the rounds so far.

    Parameters
    ----------
    answers : Answers
        The answers of the last fit.
    labels : dict of str to PseudoLabels
        The pseudo-labels that are kept, by task.
    n_kept : dict of str to int
        The rounds of each task whose pseudo-labels are kept.
    stopped : dict of str to str
        Why tasks got no more labels.
    n_labelled : list of dict of str to int
        Number of cells that each round labelled, by task, also those that were not kept.
    scores : list of dict of str to float
        Scores over held-out labels after each fit, the first one without pseudo-labels.
    labelled_in : dict of str to ndarray of int, shape (n_rows_of_X,)
        The round in which a row got a label of a task: 0 if it was there, -1 for none.
    """

    answers: Answers
    labels: dict[str, PseudoLabels] = field(default_factory=dict)
    n_kept: dict[str, int] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    n_labelled: list[dict[str, int]] = field(default_factory=list)
    scores: list[dict[str, float]] = field(default_factory=list)
    labelled_in: dict[str, np.ndarray] = field(default_factory=dict)


def self_train(
    learner: Learner,
    unlabelled: Mapping[str, np.ndarray],
    held_out: Mapping[str, np.ndarray],
    most: Mapping[str, int],
) -> Rounds:
    """Fit, label what is sure, and fit again, until no task has a better score or more to label.

    Parameters
    ----------
    learner : Learner
        Fits, and labels.
    unlabelled : mapping of str to ndarray of bool, shape (n_rows_of_X, n_columns)
        The cells that may be labelled, by task.
    held_out : mapping of str to ndarray of int
        Rows whose labels of a task tell when to stop, by task; empty for tasks that go on.
    most : mapping of str to int
        Most rounds of each task.
    """
    hidden = {name: rows for name, rows in held_out.items() if len(rows)}
    n_bags = learner.template.n_bags
    rounds = Rounds(learner.fitted(hidden, {}, n_bags))
    n_bags = len(rounds.answers.estimator.nets_)
    rounds.scores.append(learner.scores(rounds.answers, hidden))
    best = dict(rounds.scores[0])
    left = {name: cells.copy() for name, cells in unlabelled.items()}
    for name, rows in hidden.items():
        # Of a task of several outputs a row may lack some only: where the others judge, it is not learned.
        left[name][rows] = False
    rounds.n_kept = dict.fromkeys(left, 0)
    columns = learner.read.targets.columns
    rounds.labelled_in = {name: np.where(columns[name].has_label, 0, -1) for name in left}
    for number in range(1, max(most.values(), default=0) + 1):
        going = [name for name in left if name not in rounds.stopped and number <= most[name]]
        new = learner.sure(rounds.answers, {name: left[name] for name in going})
        rounds.stopped |= {name: NO_CHANGE for name in going if name not in new}
        if not new:
            break
        tried = {name: _joined(rounds.labels.get(name), labels) for name, labels in new.items()}
        rounds.answers = learner.fitted(hidden, rounds.labels | tried, n_bags)
        rounds.n_labelled.append({name: _n_cells(labels) for name, labels in new.items()})
        rounds.scores.append(learner.scores(rounds.answers, hidden))
        for name in new:
            if name in hidden and not rounds.scores[-1][name] > best[name]:
                rounds.stopped[name] = SCORE_FELL
                continue
            best |= {name: rounds.scores[-1].get(name, np.nan)}
            rounds.labels[name], rounds.n_kept[name] = tried[name], number
            _mark(left[name], new[name])
            was_without = new[name].rows[rounds.labelled_in[name][new[name].rows] < 0]
            rounds.labelled_in[name][was_without] = number
            if not left[name].any():
                rounds.stopped[name] = ALL_LABELED
    for name in left:
        rounds.stopped.setdefault(name, MAX_ITER)
    return rounds


def _joined(before: PseudoLabels | None, new: PseudoLabels) -> PseudoLabels:
    return new if before is None else before.joined(new)


def _n_cells(labels: PseudoLabels) -> int:
    """Return how many cells were labelled: a soft label counts once."""
    return int((~labels.missing[labels.occurrence == 0]).sum())


def _mark(left: np.ndarray, new: PseudoLabels) -> None:
    """Take the cells that have new labels out of those that are left."""
    given = np.zeros(left.shape, dtype=bool)
    given[new.rows] = ~new.missing.reshape(len(new.missing), -1)
    left &= ~given
