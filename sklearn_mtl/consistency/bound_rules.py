"""Rules for the tasks of one estimator: checked, joined where they have tasks in common, and solved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn_mtl.consistency.assignment import Assignment
from sklearn_mtl.consistency.constraints import AllowedClasses, Linear, connected
from sklearn_mtl.consistency.projection import Projection
from sklearn_mtl.consistency.rules import Rule
from sklearn_mtl.messages import shown


@dataclass(frozen=True, eq=False)
class Group:
    """Rules of one sort that have tasks in common.

    Parameters
    ----------
    rules : list of Rule
        The rules, for messages.
    solver : Assignment or Projection
        Finds the predictions that obey them.
    """

    rules: list[Rule]
    solver: Any


@dataclass(frozen=True, eq=False)
class BoundRules:
    """Rules for some tasks.

    Parameters
    ----------
    classes, probabilities, numbers : list of Group
        What concerns classes, probabilities of two classes, and numbers.
    constraints : list of (Rule, AllowedClasses or Linear)
        Each rule and what it comes to.
    """

    classes: list[Group]
    probabilities: list[Group]
    numbers: list[Group]
    constraints: list[tuple[Rule, AllowedClasses | Linear]]

    @classmethod
    def of(cls, rules: Sequence[Rule], tasks: Mapping[str, Any]) -> BoundRules:
        """Bind rules to tasks.

        Parameters
        ----------
        rules : sequence of Rule
            The rules, about these tasks.
        tasks : mapping of str to Task
            The tasks.

        Raises
        ------
        ValueError
            If a rule is not for its tasks, or rules contradict each other.
        """
        bound = [(rule, rule.bind(tasks)) for rule in rules]

        def groups(sort: Callable[[Any], bool], solver: Callable[[Sequence[Any]], Any]) -> list[Group]:
            chosen = [(rule, one) for rule, one in bound if sort(one)]
            found = []
            for members in connected([one.names for _, one in chosen]):
                of_group = [chosen[member] for member in members]
                found.append(Group([rule for rule, _ in of_group], solver([one for _, one in of_group])))
                _check(of_group, solver, tasks)
            return found

        def assignment(constraints: Sequence[Any]) -> Assignment:
            names = dict.fromkeys(name for one in constraints for name in one.names)
            return Assignment({name: len(tasks[name].classes) for name in names}, constraints)

        def projection(constraints: Sequence[Any]) -> Projection:
            names = list(dict.fromkeys(name for one in constraints for name in one.names))
            if constraints[0].of == "probabilities":
                # No probability is nearest that is none.
                ends = [Linear({name: 1.0}, 0.0, 1.0, of="probabilities") for name in names]
                constraints = [*constraints, *ends]
            return Projection(names, constraints)

        return cls(
            groups(lambda one: isinstance(one, AllowedClasses), assignment),
            groups(lambda one: isinstance(one, Linear) and one.of == "probabilities", projection),
            groups(lambda one: isinstance(one, Linear) and one.of == "numbers", projection),
            bound,
        )

    @property
    def names(self) -> dict[str, list[str]]:
        """The tasks whose classes, probabilities or numbers rules are about."""
        return {
            sort: [name for group in getattr(self, sort) for name in group.solver.names]
            for sort in ("classes", "probabilities", "numbers")
        }


def _check(
    of_group: Sequence[tuple[Rule, Any]], solver: Callable[[Sequence[Any]], Any], tasks: Mapping[str, Any]
) -> None:
    """Raise a ``ValueError`` with the fewest rules that contradict each other, if some do."""

    def what_is_left(some: Sequence[tuple[Rule, Any]]) -> str:
        return _contradiction(solver([one for _, one in some]), tasks) if some else ""

    if not what_is_left(of_group):
        return
    fewest = list(of_group)
    for one in of_group:
        without = [other for other in fewest if other is not one]
        if what_is_left(without):
            fewest = without
    rules = [rule for rule, _ in fewest]
    raise ValueError(
        f"`rules` of Consistent must not contradict each other: there is {what_is_left(fewest)} that obeys "
        f"all of these. Found {shown(rules)}."
    )


def _contradiction(solver: Any, tasks: Mapping[str, Any]) -> str:
    """Return what no prediction can be under some rules, in words; nothing where all is well."""
    if isinstance(solver, Projection):
        return "" if solver.is_possible() else "no number of each task"
    impossible = solver.impossible()
    if not impossible:
        return ""
    if len(impossible) == sum(solver.n_classes.values()):
        return "no class of each task"
    name, place = impossible[0]
    return f"no row of class {shown(tasks[name].classes.tolist()[place])} of task {shown(name)}"
