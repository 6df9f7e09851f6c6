"""What several fits need alike, made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sklearn_mtl.recipes import fingerprint

T = TypeVar("T")

Once = Callable[..., Any]


def each(make: Callable[..., T], *sources: Any, **settings: Any) -> T:
    """Make it anew: what a fit by itself does in place of a `MadeOnce`."""
    return make(*sources, **settings)


class MadeOnce:
    """Calls a function only where it was not called with the same arguments before.

    Sources, the positional arguments, are the same if they are one object: data, and what was made of
    it. Settings, by keyword, are the same if they are equal in value; such as can't be pickled never are.

    Examples
    --------
    >>> from sklearn_mtl.estimators.once import MadeOnce
    >>> once, rows = MadeOnce(), [3.0, 1.0, 2.0]
    >>> once(sorted, rows, reverse=True) is once(sorted, rows, reverse=True)
    True
    >>> once(sorted, rows, reverse=True) is once(sorted, rows, reverse=False)
    False
    >>> once(sorted, rows) is once(sorted, list(rows))
    False
    """

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def __call__(self, make: Callable[..., T], *sources: Any, **settings: Any) -> T:
        """Return what ``make(*sources, **settings)`` returned when it was first called so."""
        key = (make, *map(id, sources), fingerprint(settings))
        if key not in self._made:
            # An id is that of one object only as long as the object lives.
            self._made[key] = (sources, make(*sources, **settings))
        made: T = self._made[key][1]
        return made
