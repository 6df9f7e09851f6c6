"""Nested parameter names, for recipes that may be None and for mappings by task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self

from sklearn.base import BaseEstimator, clone

from sklearn_mtl.balancing import BALANCERS
from sklearn_mtl.estimators.constructor import nearest_of
from sklearn_mtl.recipes import Recipes, resolve
from sklearn_mtl.sharing import SHARINGS
from sklearn_mtl.tasks import KINDS, TaskKind
from sklearn_mtl.trunks import TRUNKS

RECIPES: dict[str, Recipes[Any]] = {"trunk": TRUNKS, "sharing": SHARINGS, "balancing": BALANCERS}
MAPPINGS = ("tasks", "task_weights", "head_hidden_sizes")


class NestedParameters(BaseEstimator):
    """``trunk__dropout`` where ``trunk`` is None, and ``task_weights__price`` where it is a mapping.

    Setting one never changes the caller's object: a recipe is cloned, a mapping copied.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep``, those of recipes and the entries of mappings as well."""
        found: dict[str, Any] = super().get_params(deep=deep)
        if not deep:
            return found
        for parameter in MAPPINGS:
            mapping = getattr(self, parameter)
            for task, value in mapping.items() if isinstance(mapping, Mapping) else ():
                found[f"{parameter}__{task}"] = value
                if isinstance(value, TaskKind):
                    found.update({f"{parameter}__{task}__{k}": v for k, v in value.get_params().items()})
        return found

    def set_params(self, **params: Any) -> Self:
        """Set parameters, nested ones by ``__``."""
        plain: dict[str, Any] = {}
        nested: dict[str, dict[str, Any]] = defaultdict(dict)
        for key, value in params.items():
            parameter, _, rest = key.partition("__")
            if rest and (parameter in RECIPES or parameter in MAPPINGS):
                nested[parameter][rest] = value
            else:
                plain[key] = value
        super().set_params(**plain)
        for parameter, entries in nested.items():
            current = getattr(self, parameter)
            merged = (
                _recipe_with(parameter, current, entries)
                if parameter in RECIPES
                else _mapping_with(parameter, current, entries)
            )
            setattr(self, parameter, merged)
        return self


def _recipe_with(parameter: str, current: Any, entries: Mapping[str, Any]) -> Any:
    return clone(resolve(RECIPES[parameter], current)).set_params(**entries)


def _mapping_with(parameter: str, current: Any, entries: Mapping[str, Any]) -> dict[str, Any]:
    # No sizes are no sizes by task: what stands for all tasks is lost only where it says something.
    is_empty = isinstance(current, Sequence) and len(current) == 0
    if current is not None and not is_empty and not isinstance(current, Mapping):
        raise ValueError(
            f"`{parameter}` must be a mapping by task before entries of it can be set. Found {current!r}."
        )
    merged = dict(current or {})
    # Whole entries first, so that `tasks__type` and `tasks__type__loss` can be set together.
    for key in sorted(entries, key=lambda name: "__" in name):
        task, _, rest = key.partition("__")
        if not rest:
            merged[task] = entries[key]
        elif parameter == "tasks":
            merged[task] = _kind_with(task, merged.get(task), {rest: entries[key]})
        else:
            raise ValueError(f"`{parameter}__{task}` has no parameters of its own. Found {rest!r}.")
    return merged


def _kind_with(task: str, current: Any, entries: Mapping[str, Any]) -> TaskKind:
    if isinstance(current, TaskKind):
        return clone(current).set_params(**entries)
    if current in KINDS:
        return KINDS[current]().set_params(**entries)
    (name,) = entries
    of_kinds = {kind: kind().get_params() for kind in KINDS.values()}
    owners = [kind for kind, parameters in of_kinds.items() if name in parameters]
    if not owners:
        every = sorted(set().union(*of_kinds.values()))
        nearest = nearest_of(name, every)
        hint = f"; the nearest is {nearest!r}" if nearest else ""
        raise ValueError(
            f"`tasks__{task}__{name}` is a parameter of no kind of task{hint}. They have {every}."
        )
    if len(owners) > 1:
        raise ValueError(
            f"`tasks__{task}__{name}` needs to know the kind of task {task!r}: set `tasks__{task}` to one of "
            f"{sorted(KINDS)} first. Found {current!r}."
        )
    return owners[0]().set_params(**entries)
