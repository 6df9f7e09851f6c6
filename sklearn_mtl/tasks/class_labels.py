"""Labels of classes compared: which there are, and which of the classes each is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from numbers import Number

import numpy as np
import pandas as pd

# Comparing labels with each of so many classes is quicker than hashing them.
FEW_CLASSES = 8
# Whole numbers up to here can be subtracted from one another.
HALF_RANGE = 2**62
TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "bytes": (bytes,),
    "numbers": (Number, np.bool_),
    "dates": (datetime, np.datetime64),
}


def distinct_labels(labels: np.ndarray) -> np.ndarray:
    """Return the distinct labels, sorted; those of several types by type, then by value.

    Parameters
    ----------
    labels : ndarray of shape (n_labels,)
        None of them missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.tasks.class_labels import distinct_labels
    >>> distinct_labels(np.array(["b", 2, "a", 1, "b"], dtype=object)).tolist()
    [1, 2, 'a', 'b']
    """
    if labels.dtype.kind in "biu" and len(labels):
        low, high = int(labels.min()), int(labels.max())
        if -HALF_RANGE < low <= high < min(HALF_RANGE, low + len(labels)):
            # Counting takes a tenth of the time of hashing.
            counts = np.bincount(labels.astype(np.int64) - low)
            return (np.flatnonzero(counts) + low).astype(labels.dtype)
    if pd.api.types.infer_dtype(labels, skipna=False) == "string":
        labels = pd.unique(labels)
    try:
        return np.unique(labels)
    except TypeError:
        classes = sorted(set(labels.tolist()), key=lambda label: (type(label).__name__, label))
        array = np.empty(len(classes), dtype=object)
        array[:] = classes
        return array


def class_codes(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the place of each label among the classes, -1 for none; equal is what Python calls equal.

    Parameters
    ----------
    labels : ndarray of shape (n_labels,)
        None of them missing.
    classes : ndarray of shape (n_classes,)
        Distinct.

    Returns
    -------
    ndarray of int, shape (n_labels,)

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.tasks.class_labels import class_codes
    >>> class_codes(np.array([True, False]), np.array([0.0, 1.0, 2.0])).tolist()
    [1, 0]
    """
    are_numbers = labels.dtype.kind in "biuf" and classes.dtype.kind in "biuf"
    if not are_numbers or len(classes) > FEW_CLASSES:
        found: np.ndarray = _index(classes).get_indexer(_index(labels))
        return found
    codes = np.full(len(labels), -1, dtype=np.int8)
    for code, label in enumerate(classes):
        codes += np.multiply(labels == label, code + 1, dtype=np.int8)
    return codes


def label_types(labels: np.ndarray) -> set[str]:
    """Return what the labels are, in words: numbers, text, bytes, dates, or the name of another type.

    Parameters
    ----------
    labels : ndarray of shape (n_labels,)
        None of them missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.tasks.class_labels import label_types
    >>> sorted(label_types(np.array(["a", True, 1.5], dtype=object)))
    ['numbers', 'text']
    """
    if labels.dtype.kind in "biuf":
        return {"numbers"} if len(labels) else set()
    return {_type_in_words(of_some) for of_some in {type(label) for label in labels.tolist()}}


def _index(values: np.ndarray) -> pd.Index:
    """Return values to look up; to pandas, booleans are not 0 and 1, and dates are the text they read as."""
    numbers = values.view(np.uint8) if values.dtype == bool else values
    return pd.Index(numbers, dtype=numbers.dtype)


def _type_in_words(of: type) -> str:
    return next((word for word, types in TYPES.items() if issubclass(of, types)), of.__name__)


def in_words(types: Iterable[str]) -> str:
    """Return types of labels as a phrase."""
    return " and ".join(sorted(types))
