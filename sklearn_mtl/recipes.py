"""Recipes: the parameters of an estimator that are objects with parameters of their own.

A trunk, a way of sharing, a balancer and a kind of task are recipes. Beside the classes of each lies one dict
of their short names, a `Recipes`, which also holds what None stands for; `resolve` goes from whatever a user
has given to the recipe, and `fingerprint` tells whether two are equal. `is_number`, `is_integer` and
`sizes_of` say whether what a parameter was set to is a number or sizes of layers.

Examples
--------
>>> from sklearn_mtl.recipes import fingerprint, resolve
>>> from sklearn_mtl.trunks import MLP, TRUNKS
>>> resolve(TRUNKS, "mlp")
MLP()
>>> resolve(TRUNKS, MLP((8,)))
MLP(hidden_sizes=(8,))
>>> fingerprint(MLP((8,))) == fingerprint(MLP((8,)))
True
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from pickle import PicklingError
from typing import Any, TypeVar, cast

import numpy as np
import torch
from joblib.hashing import NumpyHasher
from torch import Tensor

from sklearn_mtl.messages import shown

__all__ = ["Recipes", "fingerprint", "is_integer", "is_number", "resolve", "sizes_of"]

R = TypeVar("R")


class Recipes(dict[str, type[R]]):
    """Recipes of one parameter by their short names, and what else the parameter takes.

    Parameters
    ----------
    base : type
        What every recipe derives from, a user's own too.
    names : mapping of str to type
        The short names.
    rule : str
        What the parameter takes, for the error message; ``{names}`` stands for the short names.
    default : type, optional
        What None stands for; without it, None is refused.
    wraps : mapping of type to callable, optional
        How objects of other types become recipes.
    adopts : callable, optional
        Makes a recipe of an object of a library that need not be installed, and returns None for others.
    """

    def __init__(
        self,
        base: type[Any],
        names: Mapping[str, type[R]],
        rule: str,
        *,
        default: type[R] | None = None,
        wraps: Mapping[type, Callable[[Any], R]] | None = None,
        adopts: Callable[[Any], R | None] | None = None,
    ) -> None:
        super().__init__(names)
        self.base = base
        self.rule = rule
        self.default = default
        self.wraps = dict(wraps or {})
        self.adopts = adopts


def resolve(recipes: Recipes[R], value: Any, place: str = "") -> R:
    """Return the recipe for itself, a short name, None, or an object that can be made one.

    Parameters
    ----------
    recipes : Recipes
        The recipes of the parameter.
    value : object
        The value that the parameter was set to.
    place : str, default=""
        Where the value was found, for the error message: ``" for task 'price'"``.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if isinstance(value, recipes.base):
        return cast(R, value)
    if value is None and recipes.default is not None:
        return recipes.default()
    if isinstance(value, str) and value in recipes:
        return recipes[value]()
    for of, wrap in recipes.wraps.items():
        if isinstance(value, of):
            return wrap(value)
    adopted = None if recipes.adopts is None else recipes.adopts(value)
    if adopted is not None:
        return adopted
    meant = _meant(recipes, value)
    hint = f" Did you mean {meant}?" if meant else ""
    raise ValueError(f"{recipes.rule.format(names=sorted(recipes))}. Found {shown(value)}{place}.{hint}")


def _meant(recipes: Recipes[Any], value: Any) -> str | None:
    """Return the recipe that a class is of, or that a name is but for the way in which it is written."""
    if isinstance(value, type):
        if issubclass(value, recipes.base):
            return f"{value.__name__}()"
        return f"an object of it, {value.__name__}(…)" if issubclass(value, tuple(recipes.wraps)) else None
    if not isinstance(value, str):
        return None
    names = {_letters(kind.__name__): name for name, kind in recipes.items()}
    names |= {_letters(name): name for name in recipes}
    name = names.get(_letters(value))
    return None if name is None else repr(name)


def _letters(name: str) -> str:
    """Return a name without case, and without what is between its words."""
    return re.sub(r"[\W_]", "", name).lower()


def is_number(value: Any) -> bool:
    """Whether a parameter is a finite real number of a size that floats have; booleans are none.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.recipes import is_number
    >>> [is_number(value) for value in (1, np.float32(0.5), True, "1", float("inf"), 10**400)]
    [True, True, False, False, False, False]
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        # Python's integers and fractions know no bounds.
        return False


def is_integer(value: object) -> bool:
    """Whether a parameter is an integer: numpy's, which grids are full of, are; booleans are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def sizes_of(given: Any) -> tuple[int, ...] | None:
    """Return the sizes of layers, given as one or as a row of them; None where that is not what it is.

    Parameters
    ----------
    given : object
        The value of a parameter. Text is no row of sizes, nor is a set, which has no order.
    """
    row = (given,) if is_integer(given) else given
    if not isinstance(row, Sequence | np.ndarray) or isinstance(row, str | bytes | bytearray | memoryview):
        return None
    if np.ndim(row) != 1 or not all(is_integer(size) and 0 < size < 2**31 for size in row):
        return None
    return tuple(map(int, row))


def fingerprint(value: Any) -> Any:
    """Return what is equal for equal values, and for those that can't be pickled equals nothing else."""
    if type(value) in _PLAIN:
        # Numbers of different types may be equal.
        return type(value), value
    try:
        return _Hasher("md5").hash(value)
    # A user's object may raise these when it is pickled, a tensor inside a torch transform when it is read.
    except (PicklingError, TypeError, AttributeError, NotImplementedError, RuntimeError):
        return object()


_PLAIN = frozenset({type(None), bool, int, str})


class _Hasher(NumpyHasher):
    """joblib's, for which equal tensors are equal: their own pickles name where they are in memory."""

    def save(self, obj: Any) -> None:
        if isinstance(obj, Tensor):
            held = obj.detach().cpu().reshape(-1).view(torch.uint8).numpy()
            obj = (str(obj.dtype), tuple(obj.shape), obj.requires_grad, held)
        super().save(obj)
