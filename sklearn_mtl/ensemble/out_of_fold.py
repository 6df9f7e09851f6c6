"""Predictions of members for rows that they have not seen, fold by fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from sklearn_mtl.ensemble.base import rows_of
from sklearn_mtl.ensemble.member_fits import MemberFits, votes_as_they_are
from sklearn_mtl.ensemble.members import Member
from sklearn_mtl.estimators.scikit_learn_private import n_rows_of, take_rows
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection.splitting import TaskStratifiedGroupKFold, TaskStratifiedKFold
from sklearn_mtl.model_selection.splitting.splitter import splittable
from sklearn_mtl.recipes import is_integer

# What ``cv=None`` stands for, as in scikit-learn.
N_FOLDS = 5

Votes = dict[str, np.ndarray]


def labelled_folds(
    fits: MemberFits, cv: Any, random_state: np.random.RandomState
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rows of X to learn from and those to predict, of each fold and with some label.

    Parameters
    ----------
    fits : MemberFits
        What ``fit`` was given.
    cv : int, splitter, iterable or None
        As in `MultiTaskStacking`. A number stands for shuffled folds that spread the labels of every task.
    random_state : RandomState
        Source of the shuffled folds.

    Raises
    ------
    ValueError
        If ``cv`` is none of these, or its test parts are no partition of the rows.
    """
    every = fits.read.rows.places(np.arange(len(fits.read.rows)))
    groups = fits.arguments["groups"]
    if cv is None or is_integer(cv):
        return _shuffled(fits, every, groups, N_FOLDS if cv is None else int(cv), random_state)
    if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise ValueError(
            "`cv` must be None, the number of folds, a splitter of scikit-learn or an iterable of training "
            f"and test rows. Found {shown(cv)}."
        )
    splits = check_cv(cv).split(fits.X, splittable(fits.y), groups)
    places = np.arange(n_rows_of(fits.X))
    found = [
        (np.intersect1d(places[train], every), np.intersect1d(places[test], every)) for train, test in splits
    ]
    times = np.bincount(np.concatenate([test for _, test in found]) if found else [], minlength=len(places))
    if (times[every] != 1).any() or not all(len(train) for train, test in found if len(test)):
        raise ValueError(
            "`cv` must test every row once, and leave others to learn from. Found "
            f"{int((times[every] == 0).sum())} rows never tested and {int((times[every] > 1).sum())} tested "
            f"more than once by {shown(cv)}."
        )
    return [(train, test) for train, test in found if len(test)]


def out_of_fold_votes(
    fits: MemberFits, members: Sequence[Member], folds: Sequence[tuple[np.ndarray, np.ndarray]]
) -> list[Votes]:
    """Return the votes of each member on all rows of X, by clones that were fitted without them.

    Parameters
    ----------
    fits : MemberFits
        Fits members to some rows.
    members : sequence of (str, estimator)
        The members, which are left as they are.
    folds : sequence of (ndarray, ndarray)
        As `labelled_folds` returns them.

    Returns
    -------
    list of dict of str to ndarray
        For each member its votes by task, shape (n_rows, n_votes), NaN where the row has no label, or the
        rows to learn from have none of the task.
    """
    return [_of_member(fits, member, folds) for _, member in members]


def _of_member(fits: MemberFits, member: Any, folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> Votes:
    found: Votes = {}
    tasks, n_rows = fits.read.fitted.by_name, n_rows_of(fits.X)
    for train, test in folds:
        other = fits.fit_to(member, train)
        for name, votes in votes_as_they_are(tasks, other, take_rows(fits.X, test)).items():
            found.setdefault(name, np.full((n_rows, votes.shape[1]), np.nan))[test] = votes
    return found


def _shuffled(
    fits: MemberFits, every: np.ndarray, groups: Any, n_folds: int, random_state: np.random.RandomState
) -> list[tuple[np.ndarray, np.ndarray]]:
    if not 2 <= n_folds <= len(every):
        raise ValueError(
            "`cv` must be at least 2 folds, and no more than there are labelled rows. Found "
            f"{n_folds} folds for n_samples={len(every)}."
        )
    kinds = dict(fits.read.asked)
    y = rows_of(fits.y, every)
    seed = int(random_state.randint(np.iinfo(np.int32).max))
    how: Any = {"task": kinds, "shuffle": True, "random_state": seed}
    splitter = (TaskStratifiedKFold if groups is None else TaskStratifiedGroupKFold)(n_folds, **how)
    of_rows = None if groups is None else rows_of(groups, every)
    return [(every[train], every[test]) for train, test in splitter.split(every, y, of_rows)]
