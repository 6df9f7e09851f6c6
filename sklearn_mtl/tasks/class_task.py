"""A task of one class for each row: which classes there are, and which of them each label is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from numbers import Number
from typing import Any, Self

import numpy as np
import pandas as pd

from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, restore_dtype
from sklearn_mtl.tasks.log_odds import log_odds
from sklearn_mtl.tasks.task import Task

# With at most so many classes, comparing labels with each of them is quicker than hashing labels.
FEW_CLASSES = 8
# Whole numbers up to here can be subtracted from one another.
HALF_RANGE = 2**62
TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "bytes": (bytes,),
    "numbers": (Number, np.bool_),
    "dates": (datetime, np.datetime64),
}


@dataclass(frozen=True, eq=False)
class ClassTask(Task):
    """A task of one class for each row, whose labels were seen.

    The loss knows a class by its code, its place in `coded`. The response of the loss is the probability
    of each class; where there are two, it may be that of the second alone. The decision is a code. A hook is
    `predict_log_proba` (the logarithms of the response), for probabilities unlike those of the response.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The classes in sorted order, as scikit-learn's metrics take them; columns of the probabilities.
    """

    classes: np.ndarray

    @property
    @abstractmethod
    def coded(self) -> np.ndarray:
        """The classes in the order of their codes."""

    @abstractmethod
    def predict_proba(self, response: np.ndarray) -> np.ndarray:
        """Return class probabilities, shape (n_rows, n_classes), of the sorted classes."""

    @property
    def n_label_columns(self) -> int:
        """One: a class for each row."""
        return 1

    def encode(self, column: Column) -> np.ndarray:
        """Return class codes; NaN where missing and for classes not seen in ``fit``."""
        codes = np.full(len(column), np.nan)
        known = ~column.missing if column.missing.any() else slice(None)
        codes[known] = self.codes(column.known)
        unknown = codes < 0
        if unknown.any():
            codes[unknown] = np.nan
        return codes[:, None]

    def unknown_labels(self, column: Column) -> list[Any]:
        """Return the distinct labels that are none of the classes, sorted."""
        unknown: list[Any] = distinct_labels(self.unknown(column.known)).tolist()
        return unknown

    def unknown(self, labels: np.ndarray) -> np.ndarray:
        """Return those labels that are none of the classes."""
        return labels[self.codes(labels) < 0]

    def decode(self, decision: np.ndarray) -> Any:
        """Return the classes of codes, in the dtype of the labels."""
        return restore_dtype(self._labels(decision.T)[0], self.dtype)

    @classmethod
    def decode_all(cls, tasks: Sequence[Self], decision: np.ndarray) -> list[Any]:
        """Return the classes of the codes of each of several tasks, those of equal classes at once."""
        # By tasks, so that the codes of each lie together.
        codes = np.ascontiguousarray(decision.T)
        found: list[Any] = []
        for _, run in groupby(tasks, lambda task: task._classes_key):
            of_run = list(run)
            labels = of_run[0]._labels(codes[len(found) : len(found) + len(of_run)])
            found += [restore_dtype(own, task.dtype) for own, task in zip(labels, of_run, strict=True)]
        return found

    def codes(self, labels: np.ndarray) -> np.ndarray:
        """Return the code of each label, -1 where it is none of the classes.

        Numbers and booleans are compared as in Python, so that True is 1 and 1.0.

        Raises
        ------
        ValueError
            If labels that are no class are of another type than the classes, such as text among numbers.
        """
        codes = class_codes(labels, self.coded)
        unknown = codes < 0
        if unknown.any():
            self._refuse_other_types(labels[unknown])
        return codes

    def matched(self, labels: np.ndarray) -> np.ndarray:
        """Return labels as the classes that they equal, as predictions hold them."""
        if labels.dtype == self.classes.dtype and labels.dtype.kind in "biuf":
            return labels
        codes = self.codes(labels)
        classes = self.coded[codes]
        return classes if (codes >= 0).all() else np.where(codes >= 0, classes, labels)

    def _refuse_other_types(self, unknown: np.ndarray) -> None:
        """Raise a ``ValueError`` if labels that are no class are of another type than all classes."""
        own = label_types(self.classes)
        others = label_types(unknown) - own
        if others:
            raise ValueError(
                f"Labels of task {shown(self.name)} must be {in_words(own)}, as its classes are. "
                f"Found {in_words(others)} such as {shown(unknown[:3].tolist())} for the classes "
                f"{shown(self.classes[:5].tolist())}; pass labels in the dtype of `fit`, {self.dtype}."
            )

    @property
    def only_class(self) -> str:
        """The class, quoted, where there is one only."""
        return shown(self.classes.tolist()[0]) if len(self.classes) == 1 else ""

    @property
    def labels_in_words(self) -> str:
        """The classes, or how many there are."""
        classes = [str(label) for label in self.coded]
        return ", ".join(classes) if len(classes) <= 6 else f"{len(classes)} classes"

    def probabilities(self, response: np.ndarray) -> np.ndarray:
        """Return the probabilities of a response, shape (n_rows, n_classes), of the classes as `coded`."""
        if self.loss.width == len(self.classes):
            return response[:, 0, :]
        probabilities = np.empty((len(response), 2))
        probabilities[:, 1] = response[:, 0, 0]
        np.subtract(1, probabilities[:, 1], out=probabilities[:, 0])
        return probabilities

    def predict_log_proba(self, log_response: np.ndarray) -> np.ndarray:
        """Return the logarithms of the probabilities, shape (n_rows, n_classes), of the sorted classes."""
        if not self._has_all_classes(log_response):
            return super().predict_log_proba(log_response)
        return log_response[:, 0, self.codes(self.classes)]

    def decision_function(self, log_response: np.ndarray) -> np.ndarray:
        """Return the log-odds of the sorted classes, by the probabilities that ``predict`` goes by."""
        if not self._has_all_classes(log_response):
            return super().decision_function(log_response)
        return log_odds(log_response[:, 0, self.codes(self.classes)])

    def _has_all_classes(self, log_response: np.ndarray) -> bool:
        """Whether there is a logarithm for each class: a loss of one's own may have other responses."""
        return log_response.shape[-1] == len(self.classes)

    def _labels(self, codes: np.ndarray) -> np.ndarray:
        """Return the classes of codes, shape (tasks, n_rows); of two classes, codes may be booleans."""
        classes = self.coded
        labels = np.empty(codes.shape, dtype=classes.dtype)
        for of_task, own in zip(codes.view(np.int8) if codes.dtype == bool else codes, labels, strict=True):
            # In any other mode, numpy writes to a copy of `out` first.
            classes.take(of_task, out=own, mode="clip")
        return labels

    @property
    def _classes_key(self) -> Hashable:
        """A key that is equal for tasks of equal classes; classes that are objects are not compared."""
        classes = self.coded
        return id(self) if classes.dtype.hasobject else (classes.dtype.str, classes.tobytes())


def distinct_labels(labels: np.ndarray) -> np.ndarray:
    """Return the distinct labels, sorted; those of several types by type, then by value.

    Parameters
    ----------
    labels : ndarray of shape (n_labels,)
        Labels, none of them missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.tasks.class_task import distinct_labels
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
    """Return the place of each label among the classes, -1 where it is none of them.

    Labels are equal to a class where Python says so: True is 1 and 1.0.

    Parameters
    ----------
    labels : ndarray of shape (n_labels,)
        Labels, none of them missing.
    classes : ndarray of shape (n_classes,)
        Distinct classes.

    Returns
    -------
    ndarray of int, shape (n_labels,)

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.tasks.class_task import class_codes
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
        Labels, none of them missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.tasks.class_task import label_types
    >>> sorted(label_types(np.array(["a", True, 1.5], dtype=object)))
    ['numbers', 'text']
    """
    if labels.dtype.kind in "biuf":
        return {"numbers"} if len(labels) else set()
    return {_type_in_words(of_some) for of_some in {type(label) for label in labels.tolist()}}


def strata_of_classes(column: Column) -> np.ndarray:
    """Return the code of each row's class in order of appearance, -1 where there is no label.

    This is `TaskKind.strata` of kinds whose labels are classes.
    """
    check_one_column(column)
    known = ~column.missing
    codes = np.full(len(column), -1, dtype=np.intp)
    codes[known] = pd.factorize(column.values[known])[0]
    return codes


def check_one_column(column: Column) -> None:
    """Raise a ``ValueError`` unless there is one label for each row, as a classification needs it."""
    if column.values.ndim != 1:
        raise ValueError(
            f"Task {shown(column.name)} is a classification and needs one label for each row. "
            f"Found labels of shape {column.values.shape}; a block of 0 and 1 is 'multilabel'."
        )


def _index(values: np.ndarray) -> pd.Index:
    """Return an index for looking values up, in which booleans are 0 and 1.

    pandas would not find them among numbers; without the dtype given, it would find dates by their text.
    """
    numbers = values.view(np.uint8) if values.dtype == bool else values
    return pd.Index(numbers, dtype=numbers.dtype)


def _type_in_words(of: type) -> str:
    return next((word for word, types in TYPES.items() if issubclass(of, types)), of.__name__)


def in_words(types: Iterable[str]) -> str:
    """Return types of labels as a phrase."""
    return " and ".join(sorted(types))
