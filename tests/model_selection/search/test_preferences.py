"""Preferences as users give them, and the even grids that a number stands for."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.model_selection.search.preferences import even_points, read_preference, read_preferences

NAMES = ["price", "type"]


@pytest.mark.parametrize("n_tasks", [2, 3, 4])
@pytest.mark.parametrize("most", [1, 2, 5, 16, 40])
def test_even_points_are_inside_the_simplex_and_alike_for_every_task(n_tasks, most):
    points = even_points(n_tasks, most)
    assert 1 <= len(points) <= most
    assert points.min() > 0
    np.testing.assert_allclose(points.sum(axis=1), 1)
    np.testing.assert_allclose(points[0], 1 / n_tasks)
    assert len(np.unique(points.round(9), axis=0)) == len(points)
    for task in range(1, n_tasks):
        np.testing.assert_allclose(np.sort(points[:, task]), np.sort(points[:, 0]))


def test_a_number_is_used_up_as_far_as_grids_go():
    assert [len(even_points(2, most)) for most in (1, 3, 15, 16)] == [1, 3, 15, 15]
    assert [len(even_points(3, most)) for most in (4, 16)] == [4, 16]
    assert [len(even_points(4, most)) for most in (5, 16)] == [5, 11]


@pytest.mark.parametrize(
    "given",
    [
        [{"type": 1, "price": 3}],
        [[3, 1]],
        np.array([[0.75, 0.25]]),
        [(np.float32(0.75), 0.25)],
        [pd.Series([3.0, 1.0]).to_numpy()],
        [pd.Series({"type": 1.0, "price": 3.0})],
        pd.DataFrame({"type": [1.0], "price": [3.0]}, index=["best"]),
        [[1.5e308, 0.5e308]],
    ],
)
def test_only_ratios_count_by_name_or_in_order(given):
    assert read_preferences(given, NAMES) == [{"price": 0.75, "type": 0.25}]


@pytest.mark.parametrize("n_tasks", [2, 3, 4])
def test_fewer_points_than_are_more_than_equal_weights_are_refused(n_tasks):
    names = [f"y{i}" for i in range(n_tasks)]
    assert len(read_preferences(n_tasks + 1, names)) > 1
    for n_points in (1, n_tasks):
        assert len(even_points(n_tasks, n_points)) == 1
        rule = f"`preferences` must be at least {n_tasks + 1} points for {n_tasks} tasks, .* Found {n_points}"
        with pytest.raises(ValueError, match=rule):
            read_preferences(n_points, names)


@pytest.mark.parametrize(
    ("given", "others"),
    [
        ({"price": 1.0}, r"Missing: \['type'\]\."),
        ({"price": 1, "type": 1, "prise": 1}, r"Unknown: \['prise'\]\."),
        ({"prise": 1.0, "type": 1}, r"Unknown: \['prise'\]\. Missing: \['price'\]\."),
    ],
)
def test_tasks_that_are_unknown_or_missing_are_named(given, others):
    with pytest.raises(ValueError, match=rf"Found {{.*}}\. {others}$"):
        read_preference(given, NAMES)


@pytest.mark.parametrize("given", [0, -3, True, 2.5, "16", None, [], {"price": 1.0}])
def test_what_is_no_number_and_no_list_is_refused(given):
    with pytest.raises(ValueError, match="`preferences` must be a positive integer, or a list of pref"):
        read_preferences(given, NAMES)


@pytest.mark.parametrize(
    "given",
    [
        {"price": 1.0},
        {"price": 1.0, "type": 1.0, "prise": 1.0},
        {"price": 1.0, "type": -1.0},
        {"price": 0, "type": 0},
        {"price": 1.0, "type": float("nan")},
        [1.0],
        [1.0, 2.0, 3.0],
        ["1", "2"],
        pd.Series([1.0, 2.0]),
        "12",
        0.5,
        None,
    ],
)
def test_a_preference_has_a_number_for_each_task(given):
    with pytest.raises(ValueError, match="must have a finite non-negative number for each task"):
        read_preference(given, NAMES)
