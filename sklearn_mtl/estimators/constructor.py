"""Parameters that a constructor does not have, refused with the nearest that it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from typing import ParamSpec

# What the parameters are called elsewhere.
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


P = ParamSpec("P")


def by_name(init: Callable[P, None]) -> Callable[P, None]:
    """Make a constructor of keywords refuse what it does not take in the name of the class that was called.

    Python's own error names the class that defines ``__init__``, and no parameter that was meant.

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
        if unknown:
            nearest = nearest_of(unknown[0], names)
            hint = f"; the nearest is {nearest!r}" if nearest else ""
            raise TypeError(f"{owner} has no parameter {unknown[0]!r}{hint}. It has {names}.")
        if len(args) > 1:
            raise TypeError(
                f"{owner} takes its parameters by name, such as {names[0]}=…. "
                f"Found {len(args) - 1} without one."
            )
        init(*args, **parameters)

    return checked


def nearest_of(unknown: str, names: Sequence[str]) -> str | None:
    """Return the parameter that was meant by a name that is none; None where that is open.

    Parameters
    ----------
    unknown : str
        What was written.
    names : sequence of str
        The parameters that there are.
    """
    synonym = SYNONYMS.get(unknown)
    return synonym if synonym in names else next(iter(get_close_matches(unknown, names, 1)), None)
