"""Fits of members: to all rows, or to some of them, so that others are unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_mtl.ensemble.base import ReadTasks, TaskEnsemble, rows_of
from sklearn_mtl.ensemble.members import fit_arguments, multi_task_within
from sklearn_mtl.ensemble.per_task import PerTask
from sklearn_mtl.ensemble.votes import votes_on
from sklearn_mtl.estimators.scikit_learn_private import take_rows
from sklearn_mtl.estimators.wrapped import innermost

# How messages name rows that members are fitted to, so that they predict the others unseen.
PART = "a part of the rows, from which the others are predicted,"


@dataclass(frozen=True, eq=False)
class MemberFits:
    """Fits members to what ``fit`` was given, and asks them for their votes.

    Parameters
    ----------
    read : ReadTasks
        What ``fit`` was given, read.
    y : object
        Labels as the user gave them.
    arguments : mapping of str to object
        Further arguments of ``fit``, of which each has a value for each row, or is None.
    fold : str or None
        The fold of a search that the members are fitted to.
    n_jobs : int or None
        Number of single-task models that are fitted at the same time.
    """

    read: ReadTasks
    y: Any
    arguments: Mapping[str, Any]
    fold: str | None
    n_jobs: int | None

    @property
    def X(self) -> Any:
        """Features as the user gave them."""
        return self.read.rows.X

    def fit(self, member: Any, names: Sequence[str]) -> None:
        """Fit a member to all rows; single-task models to some tasks only.

        Parameters
        ----------
        member : estimator
            A new multi-task estimator, which is changed.
        names : sequence of str
            The tasks that single-task models are fitted to.
        """
        if isinstance(member, PerTask):
            self._fit_per_task(member, self.read, names)
        else:
            self._prepare(member, self.fold)
            member.fit(self.X, self.y, **fit_arguments(member, self.arguments))

    def on(self, X: Any) -> MemberFits:
        """Return the same for other features of the rows.

        Parameters
        ----------
        X : object
            Features of all rows of X.
        """
        return replace(self, read=replace(self.read, rows=replace(self.read.rows, X=X)))

    def fit_to(self, member: Any, rows: np.ndarray, names: Sequence[str] | None = None) -> Any:
        """Return a clone of a member that is fitted to some rows.

        Parameters
        ----------
        member : estimator
            The member.
        rows : ndarray of int
            Where the rows are in X, sorted.
        names : sequence of str, optional
            The tasks that single-task models are fitted to, all by default.
        """
        other = clone(member)
        part = self.read.only(rows)
        lacking = part.rows.unlabelled()
        names = [name for name in (names or part.rows.columns) if name not in lacking]
        if isinstance(other, PerTask):
            self._fit_per_task(other, part, names)
        else:
            self._prepare(other, PART)
            given = {
                name: None if values is None else rows_of(values, rows)
                for name, values in self.arguments.items()
            }
            X, y = take_rows(self.X, rows), rows_of(self.y, rows)
            other.fit(X, y, **fit_arguments(other, given))
        return other

    def votes_of(self, member: Any, X: Any) -> dict[str, np.ndarray]:
        """Return the votes of a fitted member by task, of the tasks that it has.

        Parameters
        ----------
        member : estimator
            The member.
        X : object
            Features of the rows.
        """
        within, X = innermost(member, X)
        return votes_of(self.read.fitted.by_name, within.tasks_, within._responses(X)[0])

    def _fit_per_task(self, member: PerTask, read: ReadTasks, names: Sequence[str]) -> None:
        member.n_jobs = self.n_jobs if member.n_jobs is None else member.n_jobs
        member._fit_tasks(read, names)

    def _prepare(self, member: Any, fold: str | None) -> None:
        within = multi_task_within(member)
        if within is not None:
            within.tasks = dict(self.read.asked)
            within._for_fold(fold)


def votes_of(
    tasks: Mapping[str, Any], of_member: Mapping[str, Any], responses: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return responses of a member as votes, by task.

    Parameters
    ----------
    tasks : mapping of str to Task
        The tasks that are voted on; those of a member that are not among them are left out.
    of_member : mapping of str to Task
        The tasks as the member knows them.
    responses : mapping of str to ndarray
        Its responses.
    """
    return {
        name: votes_on(tasks[name]).by_task(tasks[name], task, responses[name])
        for name, task in of_member.items()
        if name in tasks
    }


def votes_as_they_are(tasks: Mapping[str, Any], member: Any, X: Any) -> dict[str, np.ndarray]:
    """Return the votes of a fitted member by task; numbers of scikit-learn models are not clipped.

    What is learned from such votes would otherwise depend on the range of the labels of a fold.

    Parameters
    ----------
    tasks : mapping of str to Task
        The tasks that are voted on.
    member : estimator
        The member.
    X : object
        Features of the rows.
    """
    within, X = innermost(member, X)
    of_member: Mapping[str, Any] = within.tasks_
    if isinstance(within, TaskEnsemble):
        # Their classifications have no class weights, so that nothing else than the range is taken away.
        of_member = {name: task.calibrated_by(False) for name, task in of_member.items()}
    return votes_of(tasks, of_member, within._responses(X)[0])
