"""What kind of task a column of labels is, inferred from the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.messages import shown
from sklearn_mtl.targets.column import Column, holds_survival, is_missing_marker, may_mean_missing
from sklearn_mtl.targets.guesses import (
    COUNTS,
    DISTINCT,
    INTEGER_BLOCK,
    MISSING_MARKERS,
    NUMBERS,
    ONE_HOT,
    OTHER_BLOCK,
    OTHER_POSITIONS,
    OTHERS,
    WHOLE,
    WITH_GAPS,
    ZERO_ONE,
    Guess,
    Kind,
)
from sklearn_mtl.targets.positions import PositionColumn

# Integers of up to this many values are classes; between the two other numbers, the guess is a close one.
MOST_CLASSES = 20
CLOSE_TO_MOST = (15, 25)
# Text of which this share is distinct is no class, and text of which this share reads as numbers may be
# numbers. Fewer texts than this may be distinct by chance.
NEARLY_ALL = 0.9
FEWEST_TEXTS = 10
# Whole floats that occur so often each may be classes that shared an array with numbers.
ROWS_OF_A_CLASS = 5
# Frequencies of fewer values than this always have one peak; counts of a wider range than this are rare.
FEWEST_COUNTS = 5
WIDEST_COUNTS = 50
RARE = 0.25
# The first rows nearly always decide what all rows would; looking at them first saves time.
FIRST_ROWS = 1000
MOST_NAMED = 10


def guess_kind(column: Column) -> Guess:
    """Return what kind of task a column is, inferred from its labels, and raise no warning.

    Parameters
    ----------
    column : Column
        The labels of one task.

    Examples
    --------
    >>> from sklearn_mtl.targets import guess_kind, read_targets
    >>> columns = read_targets({"a": [0.5, 1.5], "b": [1.0, None]}).columns
    >>> guess_kind(columns["a"])
    Guess(kind='regression', doubt='')
    >>> guess_kind(columns["b"])
    Guess(kind='classification', doubt='floats of only 0 and 1')
    """
    known = column.known
    if holds_survival(column.dtype):
        return Guess("survival")
    if isinstance(column, PositionColumn):
        return _guess_positions(column, known)
    if column.values.ndim == 2:
        return _guess_block(column, known)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _guess_categories(column.dtype.categories, known)
    if known.dtype.kind == "b":
        return Guess("classification")
    if known.dtype.kind == "f":
        return _guess_floats(known, gaps=len(known) < len(column))
    if known.dtype.kind in "iu":
        return _guess_integers(known)
    if known.dtype.kind == "O" and _is_text(known):
        return _guess_text(known)
    return OTHERS


def infer_kind(column: Column) -> Kind:
    """Return the kind of one task, with the errors and warnings of `infer_kinds`.

    Parameters
    ----------
    column : Column
        The labels of the task.

    Examples
    --------
    >>> from sklearn_mtl.targets import infer_kind, read_targets
    >>> [infer_kind(c) for c in read_targets({"a": [0.5, 1.5], "b": ["x", "y"]}).columns.values()]
    ['regression', 'classification']
    """
    return infer_kinds({column.name: column})[column.name]


def infer_kinds(columns: Mapping[str, Column]) -> dict[str, Kind]:
    """Return the kind of each task, inferred from its labels.

    Floats are a regression; booleans, strings and categories a classification; integers a
    classification up to 20 distinct values, a regression beyond. Whole floats with gaps count as
    integers, since pandas makes floats of integers with gaps, and a float column of only 0 and 1 as
    booleans. In two dimensions, 0 and 1 are multilabel, floats a regression of several outputs, and text
    is tokens. Rows that are lists or arrays of unequal lengths are tokens, three dimensions a segmentation.

    Parameters
    ----------
    columns : mapping of str to Column
        The labels of each task.

    Returns
    -------
    dict of str to {"regression", "classification", "multilabel", "survival", "tokens", "segmentation"}

    Raises
    ------
    ValueError
        If labels could be anything: text of which nearly all is distinct or reads as numbers, not counting
        text that means a missing value; mixed types; dates; integers in two dimensions. It names all such
        tasks.

    Warns
    -----
    UserWarning
        Once for each kind of close guess, with all tasks that it concerns.
    """
    guesses = {name: guess_kind(column) for name, column in columns.items()}
    by_guess: dict[Guess, dict[str, Guess]] = {}
    for name, guess in guesses.items():
        by_guess.setdefault(guess, {})[name] = guess
    refused = [_refusal(guess, list(same), columns) for guess, same in by_guess.items() if guess.kind is None]
    if refused:
        raise ValueError("\n".join(refused))
    for guess, same in by_guess.items():
        if guess.doubt:
            warn_caller(_doubtful(guess, same))
    if _are_one_hot(list(columns.values())):
        names = list(columns)
        warn_caller(
            f"Exactly one of the tasks {_first_names(names)} is 1 in each row, as of classes in one-hot "
            "form, and each is taken as 'classification' of its own; numpy.argmax(y, axis=1) makes one of "
            f"them, and tasks={_tasks_argument(names, 'classification')} keeps them without this warning.",
        )
    return {name: guess.kind for name, guess in guesses.items() if guess.kind is not None}


def _guess_positions(column: PositionColumn, known: np.ndarray) -> Guess:
    has_classes = known.dtype.kind in "biu" or (known.dtype.kind == "O" and _is_text(known))
    # numpy makes floats of integers with gaps.
    whole = known.dtype.kind == "f" and not column.complete.all() and _is_whole(known)
    if not has_classes and not whole:
        return OTHER_POSITIONS
    return Guess("tokens" if len(column.axes) == 1 else "segmentation")


def _guess_block(column: Column, known: np.ndarray) -> Guess:
    if known.dtype.kind in "biuf" and _is_zero_one(known):
        is_one_hot = _is_one_hot(column.take(slice(FIRST_ROWS))) and _is_one_hot(column)
        return ONE_HOT if is_one_hot else Guess("multilabel")
    if known.dtype.kind == "f":
        return Guess("regression")
    if known.dtype.kind == "O" and _is_text(known):
        return Guess("tokens")
    return INTEGER_BLOCK if known.dtype.kind in "iu" else OTHER_BLOCK


def _guess_floats(known: np.ndarray, *, gaps: bool) -> Guess:
    if len(known) == 0 or not _is_whole(known[:FIRST_ROWS]) or not _is_whole(known):
        return Guess("regression")
    if _is_zero_one(known):
        return ZERO_ONE
    n_values = len(_distinct(known))
    if gaps:
        return WITH_GAPS if n_values <= MOST_CLASSES else _guess_by_number(n_values)
    is_few = n_values <= MOST_CLASSES and len(known) >= ROWS_OF_A_CLASS * n_values
    return WHOLE if is_few else Guess("regression")


def _guess_integers(known: np.ndarray) -> Guess:
    if len(known) == 0:
        return _guess_by_number(0)
    # Counting values takes a hundred times as long as looking at their range, which mostly decides it.
    low, reach = int(known.min()), int(known.max()) - int(known.min()) + 1
    n_values = reach if reach < CLOSE_TO_MOST[0] else len(_distinct(known))
    if n_values < CLOSE_TO_MOST[0] and FEWEST_COUNTS <= reach <= WIDEST_COUNTS:
        frequencies = np.bincount((known - low).astype(np.intp))
        if _look_like_counts(frequencies):
            return COUNTS
    return _guess_by_number(n_values)


def _guess_by_number(n_values: int) -> Guess:
    kind: Kind = "classification" if n_values <= MOST_CLASSES else "regression"
    low, high = CLOSE_TO_MOST
    return Guess(kind, "integers of {} distinct values" if low <= n_values <= high else "", (n_values,))


def _look_like_counts(frequencies: np.ndarray) -> bool:
    """Whether frequencies rise to one peak and fall to a rare end, up to two standard deviations.

    Codes of classes are in no order, and so their frequencies have several peaks, or none.
    """
    peak = int(frequencies.argmax())
    steps = np.diff(frequencies)
    against = np.r_[-steps[:peak], steps[peak:]]
    noise = 2 * np.sqrt(frequencies[1:] + frequencies[:-1])
    most, least = frequencies[peak], min(frequencies[0], frequencies[-1])
    return bool(
        np.count_nonzero(frequencies) >= FEWEST_COUNTS
        and (against <= noise).all()
        and least < RARE * most
        and most - least > 2 * np.sqrt(most + least)
    )


def _guess_text(known: np.ndarray) -> Guess:
    codes, texts = pd.factorize(known)
    # Text that means a missing value tells nothing about the labels that are known.
    is_known = np.array([not may_mean_missing(text) for text in texts], dtype=bool)
    n_known = np.count_nonzero(is_known[codes])
    numbers = np.array([_is_number(text) for text in texts], dtype=bool) & is_known
    if n_known and np.count_nonzero(numbers[codes]) > NEARLY_ALL * n_known:
        return NUMBERS
    if n_known >= FEWEST_TEXTS and np.count_nonzero(is_known) > NEARLY_ALL * n_known:
        return DISTINCT
    return _guess_classes(list(texts))


def _guess_categories(categories: pd.Index, known: np.ndarray) -> Guess:
    guess = _guess_classes([level for level in categories if isinstance(level, str | bytes)])
    # Not every category need occur among the labels.
    found = tuple(mark for mark in guess.found if (known == mark).any())
    return replace(guess, found=found) if found else Guess("classification")


def _guess_classes(texts: list[str | bytes]) -> Guess:
    """Return the guess for distinct texts that are classes; in doubt if one of them means a missing value."""
    marks = [text for text in texts if is_missing_marker(text)]
    # Where all texts are signs, such as "+" and "-", each is a class.
    is_doubtful = 0 < len(marks) < len(texts)
    return replace(MISSING_MARKERS, found=tuple(marks)) if is_doubtful else Guess("classification")


def _is_one_hot(block: Column) -> bool:
    """Whether the rows of a block of 0 and 1 that have all labels have exactly one 1."""
    rows = block.values[~block.missing.any(axis=1)]
    return len(rows) > 0 and bool(((rows == 1).sum(axis=1) == 1).all())


def _are_one_hot(columns: list[Column]) -> bool:
    """Whether columns of 0 and 1 have exactly one 1 in each row."""
    if len(columns) < 3 or any(c.values.ndim != 1 or c.values.dtype.kind not in "biuf" for c in columns):
        return False
    for rows in (slice(FIRST_ROWS), slice(None)):
        parts = [column.values[rows] for column in columns]
        if not (np.sum([part == 1 for part in parts], axis=0) == 1).all():
            return False
    return all(not column.missing.any() and _is_zero_one(column.values) for column in columns)


def _distinct(known: np.ndarray) -> np.ndarray:
    """Return the distinct values, or some where they are many."""
    some = np.unique(known[:FIRST_ROWS])
    return some if len(some) > CLOSE_TO_MOST[1] else np.unique(known)


def _is_zero_one(known: np.ndarray) -> bool:
    return bool(((known == 0) | (known == 1)).all())


def _is_whole(known: np.ndarray) -> bool:
    return bool((known == np.rint(known)).all())


def _is_text(known: np.ndarray) -> bool:
    # pandas looks at strings alone many times as fast as this loop, which also takes bytes among them.
    is_string = pd.api.types.infer_dtype(known, skipna=False) == "string"
    return is_string or all(isinstance(label, str | bytes) for label in known)


def _is_number(text: str | bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _doubtful(guess: Guess, same: Mapping[str, Guess]) -> str:
    names = list(same)
    details = sorted({detail for each in same.values() for detail in each.found}, key=str)
    found = guess.doubt.format(", ".join(map(shown, details[:MOST_NAMED])))
    has, is_ = ("has", "is") if len(names) == 1 else ("have", "are")
    other = "regression" if guess.kind == "classification" else "classification"
    otherwise = f"tasks={_tasks_argument(names, other)} says otherwise"
    if guess == ONE_HOT:
        otherwise = f"numpy.argmax(y[{shown(names[0])}], axis=1) makes one classification of it"
    elif guess == MISSING_MARKERS:
        marks = details if len(details) > 1 else details[0]
        otherwise = (
            f"missing labels are None or NaN, which y.replace({shown(marks)}, None) of pandas makes of it"
        )
    return (
        f"{_subject(names)} {has} {found}, and {is_} taken as {guess.kind!r}; {otherwise}, and "
        f"tasks={_tasks_argument(names, str(guess.kind))} keeps it without this warning."
    )


def _refusal(guess: Guess, names: list[str], columns: Mapping[str, Column]) -> str:
    kind, other = "classification", ", 'regression' or 'multilabel'"
    if guess == DISTINCT:
        other = ""
    elif guess == NUMBERS:
        other = ", or make them numbers with pandas.to_numeric(y, errors='coerce')"
    elif guess == INTEGER_BLOCK:
        kind = "regression"
        other = ", 'tokens' where each is the class of a step of its row, or make a task of each column"
    elif guess == OTHER_POSITIONS:
        kind, other = "tokens", " or 'segmentation' where they are classes"
    subject = _subject(names)
    found = f"Found {guess.doubt}, such as {shown(columns[names[0]].known[:3].tolist())}."
    if guess == OTHER_BLOCK:
        return f"{subject} must be a task for each column. {found}"
    return (
        f"The kind of {subject[0].lower()}{subject[1:]} can't be told from the labels: say it with "
        f"tasks={_tasks_argument(names, kind)}{other}. {found}"
    )


def _subject(names: list[str]) -> str:
    return f"Task {shown(names[0])}" if len(names) == 1 else f"Tasks {_first_names(names)}"


def _first_names(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return f"{shown(names[:MOST_NAMED])}" + (f" and {more} more" if more > 0 else "")


def _tasks_argument(names: list[str], kind: str) -> str:
    entries = [f"{shown(name)}: {kind!r}" for name in names[:MOST_NAMED]]
    return "{" + ", ".join(entries + ["..."] * (len(names) > MOST_NAMED)) + "}"
