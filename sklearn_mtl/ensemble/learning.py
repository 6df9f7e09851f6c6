"""Weights learned from rows that no member has seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.ensemble.base import ReadTasks, rows_of
from sklearn_mtl.ensemble.losses import VoteLoss, least_loss
from sklearn_mtl.ensemble.member_fits import MemberFits, votes_of
from sklearn_mtl.ensemble.members import Member
from sklearn_mtl.ensemble.votes import votes_on
from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.held_out import FEWEST_ROWS_TO_SPLIT
from sklearn_mtl.estimators.scikit_learn_private import take_rows
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.features import takes_labels

# Tasks with fewer labels in these rows have their weights in common.
FEWEST_LABELS = 200
# Held-out rows of several nets are predicted by one fit of the other members, up to this share of all rows.
LARGEST_SHARE = 0.25
# Where no network holds out rows.
N_FOLDS = 5

Votes = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Unseen:
    """The votes of all members on rows that they have not seen.

    Parameters
    ----------
    rows : ndarray of int, shape (n_rows,)
        Where the rows are in X, sorted.
    by_member : list of dict of str to ndarray
        For each member its votes by task, shape (n_rows, n_votes); NaN where it has seen the row, and without
        tasks that it has no votes on.
    """

    rows: np.ndarray
    by_member: list[Votes]

    def loss(self, read: ReadTasks, name: str) -> tuple[int, VoteLoss | None]:
        """Return how many rows have a label of a task and votes of all members, and the loss of the votes.

        Parameters
        ----------
        read : ReadTasks
            The rows that ``fit`` was given.
        name : str
            The task.
        """
        if not all(name in votes for votes in self.by_member):
            return 0, None
        task, place = read.fitted.by_name[name], list(read.rows.columns).index(name)
        at = read.position(self.rows)
        targets = votes_on(task).targets(task, read.rows.columns[name].take(at))
        weight = read.rows.of_task(place)[at]
        votes = np.stack([of_member[name] for of_member in self.by_member])
        use = ~np.isnan(votes).any(axis=(0, 2)) & ~np.isnan(targets).all(axis=1) & (weight > 0)
        if not use.any():
            return 0, None
        return int(use.sum()), votes_on(task).loss(targets[use], weight[use], votes[:, use])


def learned_weights(
    read: ReadTasks, names: Sequence[str], unseen: Unseen, tied: Sequence[Sequence[str]] = ()
) -> pd.DataFrame:
    """Return the weights of the least loss on unseen rows, tasks × members.

    Tasks with fewer than 200 labels in these rows share the weights of their least mean relative loss, and so
    do tasks that are tied.

    Parameters
    ----------
    read : ReadTasks
        The rows that ``fit`` was given.
    names : sequence of str
        Names of the members.
    unseen : Unseen
        Votes of the members.
    tied : sequence of sequence of str, optional
        Groups of tasks, as `tied_tasks` returns them.
    """
    found = {name: unseen.loss(read, name) for name in read.fitted.tasks.names}
    few = [loss for n_labels, loss in found.values() if loss is not None and n_labels < FEWEST_LABELS]
    shared = least_loss(few, len(names)) if few else _first(names)
    if not few and any(n_labels == 0 for n_labels, _ in found.values()):
        lacking = [name for name, (n_labels, _) in found.items() if n_labels == 0]
        warn_caller(
            f"No row could be held out to learn the weights of the tasks {lacking[:10]} from: they are "
            f"predicted by {names[0]!r}, the first of `estimators`, alone. Other `weights` may be given."
        )
    weights = {
        name: shared if loss is None or n_labels < FEWEST_LABELS else least_loss([loss], len(names))
        for name, (n_labels, loss) in found.items()
    }
    for group in tied:
        losses = [loss for name in group if (loss := found[name][1]) is not None]
        # Where all have few labels, they share the weights of such tasks already.
        if any(found[name][0] >= FEWEST_LABELS for name in group):
            weights |= dict.fromkeys(group, least_loss(losses, len(names)))
    return pd.DataFrame.from_dict(weights, orient="index", columns=list(names))


def tied_tasks(members: Sequence[Member]) -> list[list[str]]:
    """Return groups of tasks that are conditions of each other in all members, by their ways of sharing.

    Where no member says that a purchase is more probable than a click, a mean with the same weights for both
    doesn't either.

    Parameters
    ----------
    members : sequence of (str, estimator)
        The members; those of several tasks are fitted.
    """
    of_members = [set(_conditions(member).items()) for _, member in members]
    conditions = dict(set.intersection(*of_members))
    groups: dict[str, list[str]] = {}
    for task in sorted({*conditions, *conditions.values()}):
        first = task
        while first in conditions:
            first = conditions[first]
        groups.setdefault(first, []).append(task)
    return list(groups.values())


def unseen_votes(fits: MemberFits, members: Sequence[Member], random_state: np.random.RandomState) -> Unseen:
    """Return the votes of members on rows that they have not seen.

    The rows are those that the nets of the first network hold out, each of which that network predicts by the
    nets that have not learned from it. The other members are fitted anew to the rest of the rows. Where there
    is no such network, all members are cross-fitted.

    Parameters
    ----------
    fits : MemberFits
        Fits members to some rows, and asks them about others.
    members : sequence of (str, estimator)
        The members; networks that hold out rows are fitted.
    random_state : RandomState
        Source of the folds where no network holds out rows.
    """
    own = [member for _, member in members if knows_unseen_rows(member)][:1]
    n_rows = len(fits.read.rows)
    if own:
        folds = [rows for rows in own[0]._fitted.held_out if len(rows)]
        merged = _merged(folds, n_rows)
    else:
        folds = merged = _own_folds(fits, random_state)
    rows = np.unique(np.concatenate(folds)) if folds else np.empty(0, dtype=np.intp)
    by_member = [
        _joined(rows, _by_nets(fits, member) if member in own else _cross_fitted(fits, member, merged))
        for _, member in members
    ]
    return Unseen(rows, by_member)


def knows_unseen_rows(member: Any) -> bool:
    """Whether a member is a fitted network with nets that have not learned from some of the rows."""
    return (
        isinstance(member, BaseMultiTask)
        and hasattr(member, "_fitted")
        and any(len(rows) for rows in member._fitted.held_out)
        and not takes_labels(member.preprocessing)
    )


def _conditions(member: Any) -> Mapping[str, str]:
    within, _ = innermost(member)
    if not isinstance(within, BaseMultiTask):
        return {}
    blueprint = within._fitted.blueprint
    return blueprint.sharing.conditions(blueprint.tasks.ordered)


def _first(names: Sequence[str]) -> np.ndarray:
    return np.eye(len(names))[0]


def _merged(folds: Sequence[np.ndarray], n_rows: int) -> list[np.ndarray]:
    """Return the rows of the folds, of several together where these are not too many."""
    found: list[np.ndarray] = []
    for rows in folds:
        joined = np.union1d(found[-1], rows) if found else rows
        if found and len(joined) <= LARGEST_SHARE * n_rows:
            found[-1] = joined
        else:
            found.append(rows)
    return found


def _own_folds(fits: MemberFits, random_state: np.random.RandomState) -> list[np.ndarray]:
    rows = fits.read.rows
    n_rows = len(rows)
    if n_rows < FEWEST_ROWS_TO_SPLIT:
        return []
    every = rows.places(np.arange(n_rows))
    if fits.arguments["groups"] is None:
        splits = KFold(N_FOLDS, shuffle=True, random_state=random_state).split(every)
    else:
        groups = np.asarray(rows_of(fits.arguments["groups"], every))
        n_folds = min(N_FOLDS, len(np.unique(groups)))
        splits = GroupKFold(n_folds).split(every, groups=groups) if n_folds > 1 else iter(())
    return [every[test] for _, test in splits]


def _by_nets(fits: MemberFits, member: Any) -> Iterator[tuple[np.ndarray, Votes]]:
    for rows, responses in member._held_out_responses(fits.X):
        if len(rows):
            yield rows, votes_of(fits.read.fitted.by_name, member.tasks_, responses)


def _cross_fitted(
    fits: MemberFits, member: Any, folds: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, Votes]]:
    every = fits.read.rows.places(np.arange(len(fits.read.rows)))
    for rows in folds:
        other = fits.fit_to(member, np.setdiff1d(every, rows))
        yield rows, fits.votes_of(other, take_rows(fits.X, rows))


def _joined(rows: np.ndarray, parts: Iterator[tuple[np.ndarray, Votes]]) -> Votes:
    """Return the mean votes on each row of those that there are; NaN where there are none."""
    total: Votes = {}
    counts: Votes = {}
    for some, votes in parts:
        at = np.searchsorted(rows, some)
        for name, of_task in votes.items():
            if name not in total:
                total[name], counts[name] = np.zeros((len(rows), of_task.shape[1])), np.zeros((len(rows), 1))
            total[name][at] += of_task
            counts[name][at] += 1
    return {
        name: np.where(counts[name] > 0, total[name] / np.maximum(counts[name], 1), np.nan) for name in total
    }
