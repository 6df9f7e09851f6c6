"""What kind of task a column of labels is."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
import pandas as pd

from sklearn_mtl.targets.column import Column

Kind = Literal["regression", "classification", "multilabel"]

# Integers of up to this many values are classes; near it the guess is worth a word.
MOST_CLASSES = 20
CLOSE_TO_MOST = (15, 30)


def infer_kind(column: Column) -> Kind:
    """Return the kind of a task, told from its labels.

    Floats are a regression; booleans, strings and categories a classification; integers a
    classification up to 20 distinct values, a regression beyond. A float column of only 0 and 1 is a
    classification, since a boolean column with gaps looks like that. In two dimensions, 0 and 1 are
    multilabel and floats a regression of several outputs.

    Parameters
    ----------
    column : Column
        The labels.

    Returns
    -------
    {"regression", "classification", "multilabel"}

    Raises
    ------
    ValueError
        If the labels could be anything: mixed types, dates, integers in two dimensions.

    Warns
    -----
    UserWarning
        If the guess is a close one.

    Examples
    --------
    >>> from sklearn_mtl.targets import infer_kind, read_targets
    >>> [infer_kind(c) for c in read_targets({"a": [0.5, 1.5], "b": ["x", "y"]}).columns.values()]
    ['regression', 'classification']
    """
    known = column.known
    if column.values.ndim == 2:
        return _kind_of_block(column, known)
    if isinstance(column.dtype, pd.CategoricalDtype) or known.dtype.kind == "b":
        return "classification"
    if known.dtype.kind == "f":
        return _kind_of_floats(column.name, known)
    if known.dtype.kind in "iu":
        return _kind_of_integers(column.name, known)
    if known.dtype.kind == "O" and _is_text(known):
        return "classification"
    raise _unknown(column, "labels such as " + repr(known[:3].tolist()))


def _kind_of_block(column: Column, known: np.ndarray) -> Kind:
    if known.dtype.kind in "biuf" and _is_zero_one(known):
        return "multilabel"
    if known.dtype.kind == "f":
        return "regression"
    raise _unknown(column, f"a two-dimensional block of {known.dtype} other than 0 and 1")


def _kind_of_floats(name: str, known: np.ndarray) -> Kind:
    if len(known) and _is_zero_one(known):
        warnings.warn(
            f"Task {name!r} has floats of only 0 and 1 and is taken for a classification; "
            f"tasks={{{name!r}: 'regression'}} says otherwise.",
            stacklevel=2,
        )
        return "classification"
    return "regression"


def _kind_of_integers(name: str, known: np.ndarray) -> Kind:
    # Counting takes a hundred times as long as looking at the range, which mostly settles it.
    if len(known) and int(known.max()) - int(known.min()) < CLOSE_TO_MOST[0] - 1:
        return "classification"
    n_values = len(np.unique(known))
    kind: Kind = "classification" if n_values <= MOST_CLASSES else "regression"
    if CLOSE_TO_MOST[0] <= n_values <= CLOSE_TO_MOST[1]:
        other = "regression" if kind == "classification" else "classification"
        warnings.warn(
            f"Task {name!r} has integers of {n_values} distinct values and is taken for a {kind}; "
            f"tasks={{{name!r}: {other!r}}} says otherwise.",
            stacklevel=2,
        )
    return kind


def _is_zero_one(known: np.ndarray) -> bool:
    return bool(((known == 0) | (known == 1)).all())


def _is_text(known: np.ndarray) -> bool:
    # pandas looks at strings alone many times as fast as this loop, which also takes bytes among them.
    is_string = pd.api.types.infer_dtype(known, skipna=False) == "string"
    return is_string or all(isinstance(label, str | bytes) for label in known)


def _unknown(column: Column, found: str) -> ValueError:
    return ValueError(
        f"The kind of task {column.name!r} can't be told from its labels: say it with "
        f"tasks={{{column.name!r}: 'regression'}}, 'classification' or 'multilabel'. Found {found}."
    )
