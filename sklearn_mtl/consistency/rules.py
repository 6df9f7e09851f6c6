"""What a user knows to hold between the tasks of a row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from sklearn_mtl.consistency.constraints import AllowedClasses, Constraint, Linear
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number


class Rule(ABC):
    """What holds between the tasks of a row; a rule of one's own defines `names` and `bind`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from sklearn_mtl.consistency import AllowedClasses, Rule
    >>> @dataclass(frozen=True)
    ... class Differ(Rule):
    ...     first: str
    ...     second: str
    ...
    ...     @property
    ...     def names(self):
    ...         return (self.first, self.second)
    ...
    ...     def bind(self, tasks):
    ...         one, other = (tasks[name].classes for name in self.names)
    ...         return AllowedClasses(self.names, one[:, None] != other)
    >>> Differ("home", "work")
    Differ(first='home', second='work')
    """

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The tasks that the rule is about."""

    @abstractmethod
    def bind(self, tasks: Mapping[str, Any]) -> Constraint:
        """Return what the rule comes to for the tasks of a fitted estimator.

        Parameters
        ----------
        tasks : mapping of str to Task
            All tasks, `names` among them.

        Returns
        -------
        AllowedClasses or Linear

        Raises
        ------
        ValueError
            If a task is of a kind, or has classes, that the rule is not for.
        """


@dataclass(frozen=True)
class Implies(Rule):
    """A class of one task implies a class of another: if a row has the first, it has the second.

    Parameters
    ----------
    condition, consequence : (str, class) or mapping of str to class
        A task and a class of it, or a list or set of classes of which a row has one. A mapping has several
        tasks, of which all hold.

    Examples
    --------
    >>> from sklearn_mtl.consistency import Implies
    >>> Implies(("type", "house"), ("has_garden", True)).names
    ('type', 'has_garden')
    >>> Implies({"type": "house", "age": ["old", "very old"]}, ("has_garden", True)).names
    ('type', 'age', 'has_garden')
    """

    condition: Any
    consequence: Any

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks of the condition, and of the consequence."""
        return tuple(dict.fromkeys([*self._side("condition"), *self._side("consequence")]))

    def bind(self, tasks: Mapping[str, Any]) -> AllowedClasses:
        """Return which classes go together."""
        names = self.names
        before, after = (self._holds(side, tasks, names) for side in ("condition", "consequence"))
        shape = tuple(len(_classes(self, tasks, name)) for name in names)
        return AllowedClasses(names, np.broadcast_to(~before | after, shape))

    def _holds(self, side: str, tasks: Mapping[str, Any], names: tuple[str, ...]) -> np.ndarray:
        masks = []
        for name, wanted in self._side(side).items():
            mask = _are(self, name, _classes(self, tasks, name), wanted)
            masks.append(mask.reshape([-1 if other == name else 1 for other in names]))
        return reduce(np.logical_and, masks)

    def _side(self, side: str) -> dict[str, Any]:
        given = getattr(self, side)
        if isinstance(given, Mapping) and given and all(isinstance(name, str) for name in given):
            return dict(given)
        if isinstance(given, tuple | list) and len(given) == 2 and isinstance(given[0], str):
            return {given[0]: given[1]}
        raise ValueError(
            f"`{side}` of Implies must be a task and a class of it, such as ('type', 'house'), or a mapping "
            f"from tasks to classes. Found {shown(given)}."
        )


@dataclass(frozen=True)
class AtMost(Rule):
    """A number, or an ordered class, is at most another: low <= high.

    Parameters
    ----------
    low, high : str or float
        Tasks, both regressions, or both with classes that are numbers or in the same order; or a task and a
        number.

    Examples
    --------
    >>> from sklearn_mtl.consistency import AtMost
    >>> AtMost("living_area", "area").names, AtMost(0, "price").names
    (('living_area', 'area'), ('price',))
    """

    low: Any
    high: Any

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks among the two."""
        sides = (self.low, self.high)
        names = tuple(side for side in sides if isinstance(side, str))
        numbers = [side for side in sides if is_number(side)]
        if not names or len(set(names)) + len(numbers) != 2:
            raise ValueError(
                f"AtMost must have two tasks, or a task and a finite number. Found {shown(self)}."
            )
        return names

    def bind(self, tasks: Mapping[str, Any]) -> Constraint:
        """Return the order of the numbers, or which classes go together."""
        names = self.names
        if all(_is_number(tasks[name]) for name in names):
            factors = {
                name: 1.0 if name == self.low else -1.0 for name in names
            }  # low - high <= 0, or the number on the other side
            bound = 0.0 if len(names) == 2 else (float(self.high) if self.low in names else -float(self.low))
            return Linear(factors, -np.inf, bound)
        values = [_places(self, tasks, side) for side in (self.low, self.high)]
        if len(names) == 2:
            return AllowedClasses(names, values[0][:, None] <= values[1])
        return AllowedClasses(names, np.ravel(values[0] <= values[1]))


@dataclass(frozen=True)
class Sum(Rule):
    """The numbers of some regressions have the sum of another, or a sum that is known.

    Parameters
    ----------
    parts : sequence of str
        Regressions of one output each.
    equals : str or float
        A regression, or a number.

    Examples
    --------
    >>> from sklearn_mtl.consistency import Sum
    >>> Sum(["heating", "light"], equals="energy").names
    ('heating', 'light', 'energy')
    """

    parts: Sequence[str]
    equals: Any

    @property
    def names(self) -> tuple[str, ...]:
        """The parts, and the sum where it is a task."""
        parts = [] if isinstance(self.parts, str) else list(self.parts)
        names = [*parts, self.equals] if isinstance(self.equals, str) else parts
        known = isinstance(self.equals, str) or is_number(self.equals)
        if not parts or not known or not all(isinstance(part, str) for part in parts) or _twice(names):
            raise ValueError(
                "Sum must have a list of different tasks, and another task or a finite number that they add "
                f"up to. Found {shown(self)}."
            )
        return tuple(names)

    def bind(self, tasks: Mapping[str, Any]) -> Linear:
        """Return the equation."""
        for name in self.names:
            if not _is_number(tasks[name]):
                raise _other_kind(self, tasks, name, "regressions of one output")
        factors = {name: -1.0 if name == self.equals else 1.0 for name in self.names}
        total = 0.0 if isinstance(self.equals, str) else float(self.equals)
        return Linear(factors, total, total)


@dataclass(frozen=True)
class ProbabilityAtMost(Rule):
    """The probability of one event is at most that of another: P(low) <= P(high).

    Parameters
    ----------
    low, high : str
        Tasks of two classes, of which the second is the event.

    Notes
    -----
    The nearest probabilities by squared distance are also those of the least Kullback-Leibler divergence
    where these rules are all there is (Barlow & Brunk 1972, "The Isotonic Regression Problem and its Dual").

    Examples
    --------
    >>> from sklearn_mtl.consistency import ProbabilityAtMost
    >>> ProbabilityAtMost("bought", "clicked").names
    ('bought', 'clicked')
    """

    low: str
    high: str

    @property
    def names(self) -> tuple[str, ...]:
        """Both tasks."""
        if not isinstance(self.low, str) or not isinstance(self.high, str) or self.low == self.high:
            raise ValueError(f"ProbabilityAtMost must have two tasks. Found {shown(self)}.")
        return (self.low, self.high)

    def bind(self, tasks: Mapping[str, Any]) -> Linear:
        """Return the order of the probabilities."""
        for name in self.names:
            if len(_classes(self, tasks, name)) != 2:
                raise _other_kind(self, tasks, name, "tasks of two classes")
        return Linear({self.low: 1.0, self.high: -1.0}, -np.inf, 0.0, of="probabilities")


def _twice(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)


def _is_number(task: Any) -> bool:
    return task.kind == "regression" and not task.two_dimensional


def _classes(rule: Rule, tasks: Mapping[str, Any], name: str) -> np.ndarray:
    """Return the classes of a task that has one for a row."""
    task = tasks[name]
    if not isinstance(getattr(task, "classes", None), np.ndarray) or task.position_axes:
        raise _other_kind(rule, tasks, name, "tasks of one class for each row")
    found: np.ndarray = task.classes
    return found


def _other_kind(rule: Rule, tasks: Mapping[str, Any], name: str, wanted: str) -> ValueError:
    return ValueError(
        f"{type(rule).__name__} must be about {wanted}. Found task {shown(name)} of kind {tasks[name].kind} "
        f"in {shown(rule)}."
    )


def _are(rule: Rule, name: str, classes: np.ndarray, wanted: Any) -> np.ndarray:
    """Return which classes are those that are wanted."""
    several = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
    found = [[bool(label == one) for one in several] for label in classes]
    unknown = [
        one for one, there in zip(several, map(any, zip(*found, strict=True)), strict=True) if not there
    ]
    if unknown or not several:
        raise ValueError(
            f"`rules` must name classes of {shown(name)}, {shown(classes.tolist())}. Found "
            f"{shown(unknown or several)} in {shown(rule)}."
        )
    return np.array([any(of_class) for of_class in found])


def _places(rule: Any, tasks: Mapping[str, Any], side: Any) -> np.ndarray:
    """Return the classes of a side, or its number, as numbers to compare with those of the other side."""
    if not isinstance(side, str):
        return np.array([float(side)])
    classes = _classes(rule, tasks, side)
    others = [_classes(rule, tasks, name) for name in rule.names]
    if all(of.dtype.kind in "biuf" for of in others):
        return classes.astype(np.float64)
    orders = [getattr(tasks[name], "order", np.empty(0)).tolist() for name in rule.names]
    if len(orders) == 2 and orders[0] == orders[1] != []:
        codes: np.ndarray = tasks[side].codes(classes).astype(np.float64)
        return codes
    raise _other_kind(
        rule, tasks, side, "regressions, classes that are numbers, or ordinal tasks of one order"
    )
