"""The constructor's parameters by name: unknown ones are refused, nested ones reach recipes and mappings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, Self

from sklearn.base import BaseEstimator, clone

from sklearn_mtl.augmentation import AUGMENTATIONS
from sklearn_mtl.balancing import BALANCERS
from sklearn_mtl.estimators.callback_parameters import callback_parameters, callbacks_with, schedule_with
from sklearn_mtl.estimators.preprocessing_parameters import preprocessing_with
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import Recipes, resolve
from sklearn_mtl.sampling import SAMPLERS
from sklearn_mtl.sharing import SHARINGS
from sklearn_mtl.tasks import KINDS, PositionKind, TaskKind
from sklearn_mtl.training import copied
from sklearn_mtl.trunks import TRUNKS

P = ParamSpec("P")

RECIPES: dict[str, Recipes[Any]] = {
    "trunk": TRUNKS,
    "sharing": SHARINGS,
    "balancing": BALANCERS,
    "sampler": SAMPLERS,
    "augmentation": AUGMENTATIONS,
}
MAPPINGS = ("tasks", "task_weights", "head_hidden_sizes")
# Names that parameters have in other libraries.
SYNONYMS = {
    "learning_rate": "lr",
    "learning_rate_init": "lr",
    "alpha": "weight_decay",
    "l2": "weight_decay",
    "epochs": "max_epochs",
    "n_epochs": "max_epochs",
    "max_iter": "max_epochs",
    "n_iter_no_change": "patience",
    "loss_weights": "task_weights",
    "class_weight": "tasks",
    "loss": "tasks",
    "seed": "random_state",
}


def by_name(init: Callable[P, None]) -> Callable[P, None]:
    """Make a constructor name its class, and the nearest parameter, when it refuses an unknown one.

    Python's own error names the class that defines ``__init__``, not a subclass, and no other parameter.

    Parameters
    ----------
    init : callable
        The constructor; it keeps its signature, which scikit-learn reads.

    Examples
    --------
    >>> class Model:
    ...     @by_name
    ...     def __init__(self, *, lr=0.1, patience=3): ...
    >>> Model(patients=3)
    Traceback (most recent call last):
    TypeError: Model has no parameter 'patients'; the nearest is 'patience'. It has ['lr', 'patience'].
    """
    names = list(signature(init).parameters)[1:]

    @wraps(init)
    def checked(*args: P.args, **parameters: P.kwargs) -> None:
        owner = type(args[0]).__name__
        unknown = [name for name in parameters if name not in names]
        for name in unknown:
            refuse_nested(owner, name, parameters, names)
        if unknown:
            nearest = nearest_of(unknown[0], names)
            hint = f"; the nearest is {shown(nearest)}" if nearest else ""
            raise TypeError(f"{owner} has no parameter {shown(unknown[0])}{hint}. It has {shown(names)}.")
        if len(args) > 1:
            raise TypeError(
                f"{owner} takes its parameters by name, such as {names[0]}=…. "
                f"Found {len(args) - 1} without one."
            )
        init(*args, **parameters)

    return checked


def refuse_nested(owner: str, name: str, parameters: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise a ``TypeError`` for a parameter of a parameter, which a constructor doesn't take.

    Parameters
    ----------
    owner : str
        Name of the class.
    name : str
        The parameter that the class has not, which may have ``__`` in it.
    parameters : mapping of str to object
        What the constructor was given.
    names : sequence of str
        The parameters that there are.
    """
    outer, _, inner = name.partition("__")
    if not inner or outer not in names:
        return
    of_names: Mapping[str, type[Any]] = RECIPES.get(outer, {})
    given = parameters.get(outer)
    recipe = of_names.get(given) if isinstance(given, str) else None
    example = "" if recipe is None else f", such as {recipe.__name__}({inner}={shown(parameters[name])})"
    raise TypeError(
        f"{owner} takes no parameter of a parameter, such as {shown(name)}, when it is made. Give `{outer}` "
        f"what holds it{example}, or call `set_params` afterwards."
    )


def nearest_of(unknown: str, names: Sequence[str]) -> str | None:
    """Return the parameter that an unknown name is likely to mean; None where there is no such.

    Parameters
    ----------
    unknown : str
        The unknown name.
    names : sequence of str
        The parameters that there are.
    """
    synonym = SYNONYMS.get(unknown)
    return synonym if synonym in names else next(iter(get_close_matches(unknown, names, 1)), None)


class NestedParameters(BaseEstimator):
    """``trunk__dropout`` where ``trunk`` is None, ``task_weights__price`` and ``callbacks__early__patience``.

    Setting one never changes the caller's object: a recipe or a preprocessing is cloned, a mapping or a
    callback copied.
    """

    callbacks: Any
    lr_schedule: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep``, those of recipes and the entries of mappings as well."""
        found: dict[str, Any] = super().get_params(deep=deep)
        if not deep:
            return found
        for parameter in (*MAPPINGS, "preprocessing"):
            mapping = getattr(self, parameter)
            for name, value in mapping.items() if isinstance(mapping, Mapping) else ():
                found[f"{parameter}__{name}"] = value
                if hasattr(value, "get_params") and not isinstance(value, type):
                    found.update({f"{parameter}__{name}__{k}": v for k, v in value.get_params().items()})
        return {**found, **callback_parameters(self.callbacks)}

    def set_params(self, **params: Any) -> Self:
        """Set parameters, nested ones by ``__``."""
        plain: dict[str, Any] = {}
        nested: dict[str, dict[str, Any]] = defaultdict(dict)
        for key, value in params.items():
            parameter, _, rest = key.partition("__")
            if rest and parameter in NESTED:
                nested[parameter][rest] = value
            else:
                plain[key] = value
        super().set_params(**plain)
        for parameter, entries in nested.items():
            setattr(self, parameter, NESTED[parameter](parameter, getattr(self, parameter), entries))
        return self

    def __sklearn_clone__(self) -> Self:
        """Return a clone whose callbacks are copies that share what they were given, such as a trial."""
        without = object.__new__(type(self))
        without.__dict__.update(self.__dict__, callbacks=None, lr_schedule=None)
        found: Self = BaseEstimator.__sklearn_clone__(without)
        found.callbacks, found.lr_schedule = copied([copy(self.callbacks), self.lr_schedule])
        return found


def _recipe_with(parameter: str, current: Any, entries: Mapping[str, Any]) -> Any:
    if current is None and RECIPES[parameter].default is None:
        raise ValueError(
            f"`{parameter}` must be one of {sorted(RECIPES[parameter])}, or an object, before "
            f"{sorted(entries)} of it can be set. Found None."
        )
    return clone(resolve(RECIPES[parameter], current)).set_params(**entries)


def _mapping_with(parameter: str, current: Any, entries: Mapping[str, Any]) -> dict[str, Any]:
    # No sizes are no sizes by task: what stands for all tasks is lost only where it says something.
    is_empty = isinstance(current, Sequence) and len(current) == 0
    if current is not None and not is_empty and not isinstance(current, Mapping):
        raise ValueError(
            f"`{parameter}` must be a mapping by task before entries of it can be set. Found "
            f"{shown(current)}."
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
            raise ValueError(f"`{parameter}__{task}` has no parameters of its own. Found {shown(rest)}.")
    return merged


def _kind_with(task: str, current: Any, entries: Mapping[str, Any]) -> TaskKind:
    if isinstance(current, TaskKind):
        return clone(current).set_params(**entries)
    if current in KINDS:
        return KINDS[current]().set_params(**entries)
    (name,) = entries
    of_kinds = {kind: kind().get_params() for kind in KINDS.values()}
    parameter = shown(f"tasks__{task}__{name}").strip("'")
    owners = [kind for kind, parameters in of_kinds.items() if name in parameters]
    # A kind with a label for each position is named: most tasks have one for each row.
    owners = [kind for kind in owners if not issubclass(kind, PositionKind)] or owners
    if not owners:
        every = sorted(set().union(*of_kinds.values()))
        nearest = nearest_of(name, every)
        hint = f"; the nearest is {shown(nearest)}" if nearest else ""
        raise ValueError(f"`{parameter}` is a parameter of no kind of task{hint}. They have {every}.")
    if len(owners) > 1:
        raise ValueError(
            f"`{parameter}` needs to know the kind of task {shown(task)}: set its entry of `tasks` "
            "to one of "
            f"{sorted(KINDS)} first. Found {shown(current)}."
        )
    return owners[0]().set_params(**entries)


# How the entries of a parameter are set: a function of its name, its value and the entries.
NESTED: dict[str, Callable[[str, Any, Mapping[str, Any]], Any]] = {
    **dict.fromkeys(RECIPES, _recipe_with),
    **dict.fromkeys(MAPPINGS, _mapping_with),
    "preprocessing": preprocessing_with,
    "callbacks": callbacks_with,
    "lr_schedule": schedule_with,
}
