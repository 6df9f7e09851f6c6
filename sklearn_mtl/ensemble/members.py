"""The members of a vote: what a user names, and the multi-task estimator that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV

from sklearn_mtl.ensemble.base import is_frozen, last_within
from sklearn_mtl.ensemble.columns import CategoricalColumns
from sklearn_mtl.ensemble.per_task import PerTask
from sklearn_mtl.estimators import MultiTaskClassifierRegressor
from sklearn_mtl.estimators.kinds import KindRule, KindsFromLabels
from sklearn_mtl.estimators.task_estimator import TaskEstimator
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.messages import shown

# What stands for a member that takes no part, as in scikit-learn's VotingRegressor.
DROP = "drop"
Member = tuple[str, Any]


def trees() -> PerTask:
    """Return gradient boosting for each task, on columns as they are, their levels being categories."""
    # Stopping early would split the rows by class, which fails for a class of one row.
    settings = {"categorical_features": "from_dtype", "early_stopping": False}
    return PerTask(
        HistGradientBoostingRegressor(**settings),
        HistGradientBoostingClassifier(**settings),
        preprocessing=CategoricalColumns(),
    )


def linear() -> PerTask:
    """Return a ridge or logistic regression for each task, on the columns that the networks take."""
    logistic = GridSearchCV(LogisticRegression(max_iter=2000), {"C": np.logspace(-3, 1, 5).tolist()}, cv=3)
    return PerTask(RidgeCV(np.logspace(-1, 4, 11)), logistic, preprocessing="auto")


# Members by their short names.
NAMED: dict[str, Callable[[], Any]] = {
    "network": MultiTaskClassifierRegressor,
    "trees": trees,
    "linear": linear,
}
# What ``estimators=None`` stands for.
DEFAULT: list[Member] = [("network", "network"), ("trees", "trees")]


def as_given(estimators: Any) -> list[Member]:
    """Return the members as the user named them; a ``ValueError`` unless they are named.

    Parameters
    ----------
    estimators : list of (str, estimator) or None
        The parameter of the ensemble.
    """
    given = DEFAULT if estimators is None else estimators
    if not are_named(given):
        raise ValueError(
            "`estimators` must be None or a list of pairs of a name and an estimator, such as "
            f"[('network', 'network'), ('trees', 'trees')]. Found {shown(given)}."
        )
    return [(name, member) for name, member in given]


def are_named(estimators: Any) -> bool:
    """Whether members are given as a list of pairs of name and estimator, or as None.

    Parameters
    ----------
    estimators : object
        The parameter of the ensemble.
    """
    if estimators is None:
        return True
    is_list = isinstance(estimators, Sequence) and not isinstance(estimators, str) and len(estimators) > 0
    return is_list and all(
        isinstance(one, tuple | list) and len(one) == 2 and isinstance(one[0], str) for one in estimators
    )


def as_estimators(estimators: Any) -> list[Member]:
    """Return the members with an estimator in place of each short name; what is dropped stays so.

    Parameters
    ----------
    estimators : list of (str, estimator) or None
        The parameter of the ensemble.
    """
    return [(name, _named(name, member)) for name, member in as_given(estimators)]


def members_of(estimators: Any) -> list[Member]:
    """Return a new multi-task estimator for each member that takes part.

    Parameters
    ----------
    estimators : list of (str, estimator) or None
        The parameter of the ensemble.

    Raises
    ------
    ValueError, TypeError
        If all are dropped, or one is no estimator.
    """
    taking_part = [(name, member) for name, member in as_estimators(estimators) if not _is_dropped(member)]
    if not taking_part:
        raise ValueError("`estimators` must have a member that is not 'drop'. Found none.")
    return [(name, clone(as_multi_task(name, member))) for name, member in taking_part]


def multi_task_within(member: Any) -> TaskEstimator | None:
    """Return the multi-task estimator that a member is or holds, and that is not fitted; None for others."""
    try:
        found, _ = innermost(member)
    except TypeError:
        return None
    return None if hasattr(found, "_fitted") else found


def kind_rule_of(members: Sequence[Member]) -> KindRule:
    """Return the rule by which members tell kinds: that of one for a single kind, where there is such.

    Parameters
    ----------
    members : sequence of (str, estimator)
        Estimators as `members_of` returns them.
    """
    within = [multi_task_within(member) for _, member in members]
    rules = [found._kind_rule for found in within if found is not None]
    return next((rule for rule in rules if not rule.from_labels), KindsFromLabels())


def _is_dropped(member: Any) -> bool:
    return isinstance(member, str) and member == DROP


def _named(name: str, member: Any) -> Any:
    if not isinstance(member, str) or _is_dropped(member):
        return member
    if member not in NAMED:
        raise ValueError(
            f"`estimators` must hold estimators, pairs of a regressor and a classifier, 'drop' or one of "
            f"{sorted(NAMED)}. Found {shown(member)} for {shown(name)}."
        )
    return NAMED[member]()


def as_multi_task(name: str, member: Any) -> Any:
    """Return a multi-task estimator that a member is, or that fits a task at a time with it.

    Parameters
    ----------
    name : str
        The name of the member, for messages.
    member : object
        An estimator, a pair of a regressor and a classifier, or a mapping of these.
    """
    if isinstance(member, tuple | list) and len(member) == 2:
        return PerTask(*member)
    if isinstance(member, Mapping) and set(member) <= {"regressor", "classifier"}:
        return PerTask(**member)
    if isinstance(member, type) or not hasattr(member, "fit"):
        raise TypeError(
            "`estimators` must hold estimators, pairs of a regressor and a classifier, 'drop' or one of "
            f"{sorted(NAMED)}. Found {shown(member)} for {shown(name)}."
        )
    try:
        innermost(member)
    except TypeError:
        if is_classifier(member):
            return PerTask(classifier=member)
        if is_regressor(member):
            return PerTask(regressor=member)
        raise
    return member


def seed_members(members: Sequence[Member], rng: np.random.RandomState) -> None:
    """Give every part of the members that draws random numbers, and has no seed, one of its own.

    Parameters
    ----------
    members : sequence of (str, estimator)
        New estimators, which are changed.
    rng : RandomState
        Source of the seeds.
    """
    for _, member in members:
        parameters = member.get_params(deep=True)
        unseeded = sorted(
            key
            for key, value in parameters.items()
            if key.split("__")[-1] == "random_state" and value is None
        )
        member.set_params(**{key: int(rng.randint(np.iinfo(np.int32).max)) for key in unseeded})


def fit_arguments(member: BaseEstimator, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of ``fit``, but those that are None, under the names that a member takes.

    Parameters
    ----------
    member : estimator
        A multi-task estimator, or one around it: a Pipeline passes on what has the name of a step before it.
    arguments : mapping of str to object
        The arguments by name.
    """
    found = {}
    for name, value in arguments.items():
        if value is not None:
            # A search splits by groups itself.
            prefix, last = last_within(member, searches=name != "groups")
            # Models of single tasks hold nothing out.
            if name != "groups" or not isinstance(last, PerTask):
                found[prefix + name] = value
    return found


def holds_frozen(estimator: Any) -> bool:
    """Whether an estimator of several tasks is frozen, or one of its models of single tasks.

    Parameters
    ----------
    estimator : estimator
        An estimator as `members_of` returns it.
    """
    is_per_task = isinstance(estimator, PerTask)
    return any(map(is_frozen, (estimator.regressor, estimator.classifier) if is_per_task else (estimator,)))


def check_fitted_anew(members: Sequence[Member], rule: str) -> None:
    """Raise a ``ValueError`` if a member is frozen: which rows it has seen is unknown.

    Parameters
    ----------
    members : sequence of (str, estimator)
        Estimators as `members_of` returns them.
    rule : str
        What the parameter must be, for the message.
    """
    for name, member in members:
        if holds_frozen(member):
            raise ValueError(f"{rule}. Found the frozen member {shown(name)}.")


def with_parameters(name: str, member: Any) -> Any:
    """Return the estimator that a short name or a pair stands for; others as they are.

    Parameters
    ----------
    name : str
        The name of the member.
    member : object
        The member as the user gave it.
    """
    is_pair = isinstance(member, tuple | list | Mapping)
    return as_multi_task(name, member) if is_pair else _named(name, member)
