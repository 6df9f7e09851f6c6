"""What the parameters of balancing methods have to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number


def number_of(
    recipe: object, name: str, *, least: float = 0.0, above: bool = False, most: float | None = None
) -> float:
    """Return a parameter as a float; raise a ``ValueError`` unless it is a number in its range.

    Parameters
    ----------
    recipe : object
        Has the parameter as an attribute.
    name : str
        The parameter.
    least : float, default=0.0
        The smallest number that it may be.
    above : bool, default=False
        Whether it must be larger than that.
    most : float, optional
        The largest number that it may be.
    """
    value: Any = getattr(recipe, name)
    if (
        is_number(value)
        and (value > least or (value == least and not above))
        and (most is None or value <= most)
    ):
        return float(value)
    rule = f"a number {'above' if above else 'of at least'} {least:g}"
    rule += "" if most is None else f" and of at most {most:g}"
    raise ValueError(f"`{name}` of {type(recipe).__name__} must be {rule}. Found {shown(value)}.")


def check_parameter(recipe: object, name: str, rule: str, holds: Callable[[Any], bool]) -> None:
    """Raise a ``ValueError`` unless a rule holds for a parameter.

    Parameters
    ----------
    recipe : object
        Has the parameter as an attribute.
    name, rule : str
        The name of the parameter, and the rule in words: what it must be.
    holds : callable
        Whether the rule holds for a value.
    """
    value = getattr(recipe, name)
    if not holds(value):
        raise ValueError(f"`{name}` of {type(recipe).__name__} must be {rule}. Found {shown(value)}.")
