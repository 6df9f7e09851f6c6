"""What is learned from the predictions of members: a model for each task, or one for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, hstack, issparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.preprocessing import StandardScaler

from sklearn_mtl.ensemble.base import ReadTasks
from sklearn_mtl.ensemble.member_fits import MemberFits, votes_as_they_are
from sklearn_mtl.ensemble.per_task import PerTask
from sklearn_mtl.ensemble.votes import votes_on
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import frame_columns, is_frame

Votes = Mapping[str, np.ndarray]


def final_models(final_estimator: Any, *, across_tasks: bool = False) -> Any:
    """Return a new estimator of several tasks for what a user gave as the final one.

    Parameters
    ----------
    final_estimator : estimator, pair of estimators, mapping or None
        As in `MultiTaskStacking`.
    across_tasks : bool, default=False
        Whether it is given the votes on all tasks, of which some are probabilities and others prices.

    Raises
    ------
    TypeError
        If it is no estimator.
    """
    if final_estimator is None:
        # Sparse features that follow the votes can't be centred.
        scaler = StandardScaler(with_mean=False) if across_tasks else None
        return PerTask(RidgeCV(), LogisticRegression(), preprocessing=scaler)
    if isinstance(final_estimator, tuple | list) and len(final_estimator) == 2:
        return clone(PerTask(*final_estimator))
    if isinstance(final_estimator, Mapping) and set(final_estimator) <= {"regressor", "classifier"}:
        return clone(PerTask(**final_estimator))
    if hasattr(final_estimator, "fit") and not isinstance(final_estimator, type):
        try:
            innermost(final_estimator)
        except TypeError:
            if is_classifier(final_estimator):
                return PerTask(classifier=clone(final_estimator))
            if is_regressor(final_estimator):
                return PerTask(regressor=clone(final_estimator))
        else:
            return clone(final_estimator)
    raise TypeError(
        "`final_estimator` must be None, a regressor, a classifier, a pair of both or an estimator of "
        f"several tasks. Found {shown(final_estimator)}."
    )


@dataclass(frozen=True, eq=False)
class FinalInput:
    """What final estimators are given: votes of the members, and maybe the features.

    Parameters
    ----------
    tasks : mapping of str to Task
        All tasks.
    members : sequence of str
        Names of the members.
    passthrough : bool
        Whether the features follow the votes.
    all_votes : bool
        Whether every task is learned from the votes on all tasks.
    """

    tasks: Mapping[str, Any]
    members: Sequence[str]
    passthrough: bool
    all_votes: bool

    def check(self, X: Any) -> None:
        """Raise a ``ValueError`` if features can't follow the votes: they are no table, or named alike."""
        if not self.passthrough:
            return
        # A mapping of several inputs has a shape, but of its rows alone.
        shape = X.shape if hasattr(X, "shape") else np.shape(X)
        if len(shape) != 2 or isinstance(X, Mapping):
            raise ValueError(
                "`passthrough` must be False where X is no table, array or sparse matrix of two dimensions. "
                f"Found True and an X of type {type(X).__name__} and shape {shape}."
            )
        if is_frame(X):
            names = pd.Index([*self.names(), *_as_frame(X).columns])
            twice = names[names.duplicated()].unique().tolist()
            if twice:
                raise ValueError(
                    "`passthrough` must be False where a column of X has the name of a prediction, which is "
                    "that of its member, task and class; rename the member or the column. Found "
                    f"{shown(twice)}."
                )

    def names(self, of: Sequence[str] | None = None) -> list[str]:
        """Return the names of the votes on some tasks, by default on all: ``member_task_class``."""
        return [
            "_".join(filter(None, (member, name, column)))
            for member in self.members
            for name in of or self.tasks
            for column in votes_on(self.tasks[name]).columns(self.tasks[name])
        ]

    def votes(self, by_member: Sequence[Votes], of: Sequence[str] | None = None) -> np.ndarray:
        """Return the votes on some tasks side by side, NaN for those that a member does not have.

        Parameters
        ----------
        by_member : sequence of dict of str to ndarray
            Votes of each member by task.
        of : sequence of str, optional
            The tasks, all by default.
        """
        n_rows = len(next(votes for votes in by_member[0].values()))
        blocks = []
        for of_member in by_member:
            for name in of or self.tasks:
                places = list(votes_on(self.tasks[name]).columns(self.tasks[name]).values())
                lacking = np.full((n_rows, len(places)), np.nan)
                blocks.append(of_member[name][:, places] if name in of_member else lacking)
        return np.hstack(blocks)

    def beside(self, votes: np.ndarray, X: Any, of: Sequence[str] | None = None) -> Any:
        """Return votes with the features after them, in the container of the features.

        Parameters
        ----------
        votes : ndarray of float64
            As `votes` returns them.
        X : object
            Features of the same rows.
        of : sequence of str, optional
            The tasks that were voted on, all by default.
        """
        if not self.passthrough:
            return votes
        if issparse(X):
            return hstack([csr_array(votes), X], format="csr")
        if is_frame(X):
            columns = _as_frame(X)
            return pd.concat([pd.DataFrame(votes, columns.index, self.names(of)), columns], axis=1)
        return np.hstack([votes, np.asarray(X)])


def _as_frame(X: Any) -> pd.DataFrame:
    """Return a table as one of pandas, its columns named by texts."""
    columns = X if isinstance(X, pd.DataFrame) else pd.DataFrame(frame_columns(X))
    return columns.set_axis(columns.columns.map(str), axis=1)


def check_final(final: Any, read: ReadTasks) -> None:
    """Raise an error if final models can't learn some task, before anything is fitted.

    Parameters
    ----------
    final : estimator
        As `final_models` returns it.
    read : ReadTasks
        What ``fit`` was given, read.
    """
    if isinstance(final, PerTask):
        for name in read.fitted.tasks.names:
            final._template(read, name)


def fitted_final(
    final: Any, fits: MemberFits, given: FinalInput, by_member: Sequence[Votes]
) -> dict[str, Any]:
    """Return the fitted final estimator of each task: one for all where it learns from all votes.

    Parameters
    ----------
    final : estimator
        As `final_models` returns it; it is cloned.
    fits : MemberFits
        Fits estimators to some rows.
    given : FinalInput
        What it learns from.
    by_member : sequence of dict of str to ndarray
        Votes that are out of fold, as `out_of_fold_votes` returns them.
    """
    names = list(given.tasks)
    if given.all_votes:
        return dict.fromkeys(names, _fitted(final, fits, given, by_member, names))
    return {name: _fitted(final, fits, given, by_member, [name]) for name in names}


def final_votes(
    final_estimators: Mapping[str, Any], given: FinalInput, by_member: Sequence[Votes], X: Any
) -> dict[str, np.ndarray]:
    """Return the votes of final estimators on all tasks.

    Parameters
    ----------
    final_estimators : mapping of str to estimator
        As `fitted_final` returns them.
    given : FinalInput
        What they were given.
    by_member : sequence of dict of str to ndarray
        Votes of the members on the rows.
    X : object
        Features of the rows.
    """
    if given.all_votes:
        final = next(iter(final_estimators.values()))
        return votes_as_they_are(given.tasks, final, given.beside(given.votes(by_member), X))
    found: dict[str, np.ndarray] = {}
    for name, final in final_estimators.items():
        table = given.beside(given.votes(by_member, [name]), X, [name])
        found |= votes_as_they_are(given.tasks, final, table)
    return found


def _fitted(
    final: Any, fits: MemberFits, given: FinalInput, by_member: Sequence[Votes], names: Sequence[str]
) -> Any:
    votes = given.votes(by_member, names)
    every = fits.read.rows.places(np.arange(len(fits.read.rows)))
    rows = every[~np.isnan(votes[every]).any(axis=1)]
    lacking = [name for name in names if name in fits.read.only(rows).rows.unlabelled()]
    if lacking:
        raise ValueError(
            "`cv` must leave labels of every task to learn from and to predict, in rows that all members "
            f"predict. Found none for the tasks {shown(lacking)}."
        )
    return fits.on(given.beside(votes, fits.X, names)).fit_to(final, rows, names)
