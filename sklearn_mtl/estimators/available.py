"""Methods that an estimator has or has not, by its tasks; a missing one says why."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import Any


class AvailableWhere:
    """A method that is there only where a check lets it be.

    scikit-learn's ``available_if`` does the same, but the last line of its error names the class and the
    method alone, and what the check has to say stands far above it.

    Parameters
    ----------
    method : callable
        The method.
    check : callable
        Of the estimator: raises an ``AttributeError`` that says why the method is not there.
    """

    def __init__(self, method: Callable[..., Any], check: Callable[[Any], None]) -> None:
        self._method = method
        self._check = check
        update_wrapper(self, method)  # type: ignore[arg-type]

    def __get__(self, estimator: Any, owner: type | None = None) -> Callable[..., Any]:
        """Return the method of an estimator; of the class, the function."""
        if estimator is None:
            return self._method
        self._check(estimator)
        return MethodType(self._method, estimator)


def available_where(check: Callable[[Any], None]) -> Callable[[Callable[..., Any]], Any]:
    """Make a method available only where a check raises nothing.

    Parameters
    ----------
    check : callable
        Of the estimator: raises an ``AttributeError`` that says why the method is not there.

    Examples
    --------
    >>> def has_tea(pot):
    ...     if not pot.tea:
    ...         raise AttributeError("`pour` needs tea.")
    >>> class Pot:
    ...     tea = False
    ...     @available_where(has_tea)
    ...     def pour(self):
    ...         return "a cup"
    >>> hasattr(Pot(), "pour")
    False
    >>> Pot().pour()
    Traceback (most recent call last):
    AttributeError: `pour` needs tea.
    """
    return lambda method: AvailableWhere(method, check)
