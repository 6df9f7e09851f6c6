"""Labels compared with classes: equal is what Python calls equal, and other types are told apart."""

import datetime

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.tasks.class_task import class_codes, distinct_labels, label_types

NUMBERS = [
    np.array([True, False]),
    np.array([1, 0], dtype=np.uint8),
    np.array([1, 0]),
    np.array([1, 0], dtype=np.uint64),
    np.array([1.0, 0.0], dtype=np.float32),
    np.array([1.0, 0.0]),
]


@pytest.mark.parametrize("classes", NUMBERS, ids=lambda a: str(a.dtype))
@pytest.mark.parametrize("labels", NUMBERS, ids=lambda a: str(a.dtype))
@pytest.mark.parametrize("n_more", [0, 10])
def test_true_is_one_whatever_the_dtype(labels, classes, n_more):
    sorted_classes = np.r_[classes[::-1], np.arange(2, 2 + n_more)] if n_more else classes[::-1]
    assert class_codes(labels, sorted_classes).tolist() == [1, 0]


@pytest.mark.parametrize("labels", [*NUMBERS, np.array([1, False], dtype=object)], ids=lambda a: str(a.dtype))
def test_numbers_among_text_are_compared_alike(labels):
    classes = np.array([0, True, "a"], dtype=object)
    assert class_codes(labels, classes).tolist() == [1, 0]
    assert class_codes(classes, distinct_labels(labels)).tolist() == [0, 1, -1]


def test_what_is_no_class_has_no_place():
    assert class_codes(np.array([0.5, 1.0, -1.0]), np.array([0, 1])).tolist() == [-1, 1, -1]
    assert class_codes(np.array(["1", "a"], dtype=object), np.array([0, 1])).tolist() == [-1, -1]
    assert class_codes(np.array([300, 0]), np.array([0, 44], dtype=np.uint8)).tolist() == [-1, 0]


@pytest.mark.parametrize(
    ("labels", "types"),
    [
        (np.array([True]), ["numbers"]),
        (np.array(["a", np.str_("b"), b"c"], dtype=object), ["bytes", "text"]),
        (np.array([2**70, np.bool_(True), 0.5], dtype=object), ["numbers"]),
        (pd.to_datetime(["2020-01-01"]).astype(object).to_numpy(), ["dates"]),
        (np.array([datetime.date(2020, 1, 1)], dtype=object), ["date"]),
        (np.array([], dtype=float), []),
    ],
    ids=str,
)
def test_types_are_told_in_words(labels, types):
    assert sorted(label_types(labels)) == types
