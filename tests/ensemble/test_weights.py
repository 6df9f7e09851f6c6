"""The weights that a user gives: for all tasks or by task, in order or by name."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.ensemble.weights import given_weights

TASKS, MEMBERS = ["price", "type"], ["a", "b", "c"]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (None, [[1 / 3] * 3] * 2),
        ([2, 1, 1], [[0.5, 0.25, 0.25]] * 2),
        (np.array([0, 0, 3.0]), [[0, 0, 1]] * 2),
        ({"a": 1, "c": 3}, [[0.25, 0, 0.75]] * 2),
        ({"price": [1, 1, 0]}, [[0.5, 0.5, 0], [1 / 3] * 3]),
        ({"type": {"b": 2}, "price": None}, [[1 / 3] * 3, [0, 1, 0]]),
        (pd.DataFrame([[1, 0, 1]] * 2, index=TASKS, columns=MEMBERS), [[0.5, 0, 0.5]] * 2),
    ],
    ids=["none", "in order", "array", "by name", "by task", "by task and name", "frame"],
)
def test_they_are_read_task_by_task(weights, expected):
    found = given_weights(weights, TASKS, MEMBERS, MEMBERS)
    assert found.index.tolist() == TASKS
    assert found.columns.tolist() == MEMBERS
    assert found.to_numpy() == pytest.approx(np.array(expected))


def test_learned_ones_are_not_given():
    assert given_weights("learned", TASKS, MEMBERS, MEMBERS) is None


def test_those_of_a_dropped_member_go_to_the_others():
    found = given_weights([1, 2, 1], TASKS, MEMBERS, ["a", "c"])
    assert found.to_numpy().tolist() == [[0.5, 0.5]] * 2


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("equal", "must be None, 'learned'"),
        ([1, 2], "must be numbers for the members"),
        (3, "must be numbers for the members"),
        ({"price": "a"}, "must be numbers for the members"),
        ([1, -1, 1], "finite non-negative"),
        ([0, 0, 0], "finite non-negative"),
        ([1, np.nan, 1], "finite non-negative"),
        ({"a": 1, "d": 1}, r"unknown members \['d'\]"),
        ({"prise": [1, 1, 1]}, r"unknown tasks \['prise'\]"),
        ([0, 1, 0], "that is not dropped"),
    ],
)
def test_others_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        given_weights(weights, TASKS, MEMBERS, ["a", "c"])
