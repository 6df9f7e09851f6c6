"""Text that stands for a missing value, as files have it."""

from __future__ import annotations

_IN_WORDS = frozenset({"na", "n/a", "#n/a", "<na>", "nan", "none", "null", "nil", "missing", "unknown"})
# As programs write them. In other letters they are as often words: "Na" is sodium, and "none" a degree.
_AS_WRITTEN = frozenset(
    {"NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "None", "null", "Null", "NULL"}
)


def marks_a_gap(text: str | bytes) -> bool:
    """Whether text may stand for a missing value: it has no letter and no digit, or says so.

    Parameters
    ----------
    text : str or bytes
        A value of a column.

    Examples
    --------
    >>> from sklearn_mtl.targets import marks_a_gap
    >>> [marks_a_gap(text) for text in ("?", "", "n/a", "unknown", "0", "flat")]
    [True, True, True, True, False, False]
    """
    stripped = _as_str(text)
    return stripped.lower() in _IN_WORDS or _is_without_letters(stripped)


def is_gap_mark_of_a_program(text: str | bytes) -> bool:
    """Whether text stands for a missing value and is hardly ever a class of its own.

    Parameters
    ----------
    text : str or bytes
        A value of a column.

    Examples
    --------
    >>> from sklearn_mtl.targets.gap_marks import is_gap_mark_of_a_program
    >>> [is_gap_mark_of_a_program(text) for text in ("?", "", "NA", "None", "none", "unknown")]
    [True, True, True, True, False, False]
    """
    stripped = _as_str(text)
    return stripped in _AS_WRITTEN or _is_without_letters(stripped)


def _as_str(text: str | bytes) -> str:
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).strip()


def _is_without_letters(text: str) -> bool:
    return not any(map(str.isalnum, text))
