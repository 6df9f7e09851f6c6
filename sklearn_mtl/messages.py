"""Values of the user's in messages: as Python writes them, but never long.

Examples
--------
>>> from sklearn_mtl.messages import shown
>>> shown("flat"), shown([1.5, "x"])
("'flat'", "[1.5, 'x']")
>>> len(shown("x" * 1_000_000)) < 250
True
>>> shown(list(range(1000)))
'[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 990 more]'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

__all__ = ["first_line", "shown"]

# Characters of a value, and of each among others; values of a list.
MOST_CHARACTERS = 200
MOST_OF_EACH = 80
MOST_VALUES = 10


def shown(value: Any, most: int = MOST_CHARACTERS) -> str:
    """Return what a message shows of a value: its ``repr``, shortened where it is long.

    Parameters
    ----------
    value : object
        Anything; its ``repr`` may even fail.
    most : int, default=200
        Characters of a value that is no list, tuple or dict; those show ten values, and how many more.
    """
    # Only the plain types: a subclass may say itself how it is written.
    if type(value) is list:
        return f"[{_joined(map(_each, islice(value, MOST_VALUES)), len(value))}]"
    if type(value) is tuple and len(value) > 1:
        return f"({_joined(map(_each, islice(value, MOST_VALUES)), len(value))})"
    if type(value) is dict:
        return f"{{{_joined(_entries(value), len(value))}}}"
    text = _repr(value)
    # Arrays and estimators are written in lines.
    return _cut(" ".join(text.split()) if "\n" in text else text, most)


def _each(value: Any) -> str:
    return shown(value, MOST_OF_EACH)


def _entries(mapping: Mapping[Any, Any]) -> Iterable[str]:
    return (f"{_each(key)}: {_each(value)}" for key, value in islice(mapping.items(), MOST_VALUES))


def _joined(written: Iterable[str], n_all: int) -> str:
    more = n_all - MOST_VALUES
    # Lists in lists are many values too.
    return _cut(", ".join([*written, *([f"and {more} more"] if more > 0 else [])]), 12 * MOST_OF_EACH)


def _repr(value: Any) -> str:
    try:
        return repr(value)
    # A user's object may raise anything; the message it is for matters more.
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return str(error).strip().split("\n")[0][:200]
