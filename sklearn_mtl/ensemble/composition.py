"""What ensembles of named members have in common: parameters by name, kinds, and fits to one task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

from sklearn.utils import Bunch, Tags, get_tags

from sklearn_mtl.ensemble.base import TaskEnsemble, resolved_kinds
from sklearn_mtl.ensemble.members import (
    Member,
    are_named,
    as_estimators,
    as_given,
    kind_rule_of,
    members_of,
    multi_task_within,
    with_parameters,
)
from sklearn_mtl.estimators.kinds import KindRule
from sklearn_mtl.estimators.scikit_learn_private import BaseComposition
from sklearn_mtl.tasks import TaskKind


class MemberEnsemble(BaseComposition, TaskEnsemble):
    """Predicts with members that a user has named; not to be used itself."""

    estimators: list[Member] | None
    estimators_: list[Any]
    named_estimators_: Bunch

    @abstractmethod
    def _spell_out(self, asked: Collection[str]) -> None:
        """Put estimators in place of the short forms of other parameters than ``estimators``.

        Parameters
        ----------
        asked : collection of str
            Names of the parameters that have parameters of their own to be set.
        """

    @abstractmethod
    def _keep_task(self, name: str, kinds: Mapping[str, Any]) -> None:
        """Leave of the parameters besides ``estimators`` and ``tasks`` what holds for one task.

        Parameters
        ----------
        name, kinds
            As in ``_of_one_task``.
        """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep``, the members and their parameters as well.

        Parameters
        ----------
        deep : bool, default=True
            Whether those of the members are returned as well.
        """
        return self.params_with_parts("estimators", deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, a member by its name, or parameters of one as ``name__parameter``.

        Parameters
        ----------
        **params : object
            Values by name. A short name or a pair becomes the estimator that it stands for before a
            parameter of it is set.

        Returns
        -------
        Self
            The estimator.
        """
        if "estimators" in params:
            self.estimators = params.pop("estimators")
        asked = {key.partition("__")[0] for key in params}
        given = as_given(self.estimators) if are_named(self.estimators) else []
        if any(name in asked and not hasattr(member, "get_params") for name, member in given):
            self.estimators = [
                (name, with_parameters(name, member) if name in asked else member) for name, member in given
            ]
        self._spell_out({key.partition("__")[0] for key in params if "__" in key})
        self.set_params_with_parts("estimators", **params)
        return self

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the estimator: what all members take."""
        tags = super().__sklearn_tags__()
        if are_named(self.estimators):
            members = [get_tags(member).input_tags for _, member in members_of(self.estimators)]
            tags.input_tags.allow_nan = all(of.allow_nan for of in members)
            tags.input_tags.sparse = all(of.sparse for of in members)
        return tags

    @property
    def _kind_rule(self) -> KindRule:  # type: ignore[override]
        return kind_rule_of(members_of(self.estimators))

    def _named_kinds(self, names: Sequence[str]) -> dict[str, TaskKind]:
        found: dict[str, TaskKind] = {}
        for _, member in reversed(members_of(self.estimators)):
            within = multi_task_within(member)
            if within is not None:
                found |= resolved_kinds(within.tasks, names)
        return found | resolved_kinds(self.tasks, names)

    def _of_one_task(self, name: str, kinds: Mapping[str, Any]) -> None:
        self.tasks = {**kinds, **{of: kind for of, kind in (self.tasks or {}).items() if of == name}}
        self._keep_task(name, kinds)
        self.estimators = as_estimators(self.estimators)
        for _, member in self.estimators:
            within = multi_task_within(member)
            if within is not None:
                within._of_one_task(name, kinds)
