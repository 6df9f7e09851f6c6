"""Affinity of tasks as a figure, read from its artists."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.inspection import TaskAffinityDisplay, suggest_groups, task_affinity
from sklearn_mtl.inspection.figure import pyplot

matplotlib.use("Agg")


@pytest.fixture
def affinity():
    tasks = ["price", "age", "area"]
    return pd.DataFrame([[1.0, 0.1, 0.7], [0.2, 1.0, 0.0], [0.6, np.nan, 1.0]], tasks, tasks)


def ticks(axis):
    return [tick.get_text() for tick in axis.get_ticklabels()]


def test_colours_and_values_are_those_of_the_table_in_the_order_of_the_groups(affinity):
    display = TaskAffinityDisplay(affinity=affinity, groups=[["price", "area"], ["age"]]).plot()
    panel = display.axes_[0]
    assert ticks(panel.xaxis) == ticks(panel.yaxis) == display.tasks_ == ["price", "area", "age"]
    drawn = display.image_.get_array().filled(np.nan)
    np.testing.assert_array_equal(drawn, [[np.nan, 0.7, 0.1], [0.6, np.nan, np.nan], [0.2, 0.0, np.nan]])
    assert display.image_.get_clim() == (0, 0.7)
    texts = [[text.get_text() for text in row] for row in display.text_]
    assert texts == [["1.00", "0.70", "0.10"], ["0.60", "1.00", "?"], ["0.20", "0.00", "1.00"]]
    assert display.text_[0, 1].get_color() == "black"
    assert display.text_[2, 1].get_color() == "white"
    (frame,) = display.frames_
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((-0.5, -0.5), 2, 2)
    assert display.colorbar_.ax.get_ylabel() == "affinity"


def test_what_is_below_0_has_colours_of_its_own(affinity):
    display = TaskAffinityDisplay(affinity=-affinity, label="cosine").plot(
        colorbar=False, include_values=False
    )
    assert display.image_.get_clim() == (-0.7, 0.7)
    assert display.colorbar_ is display.text_ is None
    assert display.frames_ == []
    assert (
        TaskAffinityDisplay(affinity=-affinity, label="cosine").plot().colorbar_.ax.get_ylabel() == "cosine"
    )


def test_axes_of_the_user_in_a_subfigure(affinity):
    left, _ = pyplot().figure().subfigures(1, 2)
    ax = left.subplots()
    display = TaskAffinityDisplay(affinity=affinity).plot(ax, cmap="magma")
    assert display.axes_[0] is ax
    assert display.figure_ is left
    assert display.image_.get_cmap().name == "magma"


def test_many_tasks_have_no_values_in_their_cells():
    names = [f"t{i}" for i in range(40)]
    found = pd.DataFrame(np.random.default_rng(0).random((40, 40)), names, names)
    display = TaskAffinityDisplay(affinity=found).plot()
    assert display.text_ is None
    assert display.figure_.get_size_inches().max() <= 12
    assert TaskAffinityDisplay(affinity=found).plot(include_values=True).text_.shape == (40, 40)


def test_of_an_estimator_it_draws_what_task_affinity_returns():
    X, Y = make_multitask(200, 8, n_regression=4, n_groups=2, random_state=0)
    est = MultiTaskRegressor(trunk="mlp", max_epochs=2, random_state=0)
    display = TaskAffinityDisplay.from_estimator(est, X, Y, n_groups=2)
    expected = task_affinity(est, X, Y)
    pd.testing.assert_frame_equal(display.affinity, expected)
    assert display.groups == suggest_groups(expected, 2)
    assert display.axes_[0].get_ylabel() == "task whose gradient is followed"
    assert display.axes_[0].get_xlabel() == "task whose loss falls"
    assert display.colorbar_.ax.get_ylabel() == "fall of the loss by one step, %"
    in_percent = 100 * expected.loc[display.tasks_, display.tasks_].to_numpy()
    written = [[float(text.get_text()) for text in row] for row in display.text_]
    np.testing.assert_allclose(written, in_percent, atol=0.006)
    of_labels = TaskAffinityDisplay.from_estimator(est, X, Y, measure="target_correlation")
    assert of_labels.colorbar_.ax.get_ylabel() == "association of labels"
    assert of_labels.groups is None


def test_nothing_known_is_drawn_as_gaps(affinity):
    display = TaskAffinityDisplay(affinity=affinity * np.nan).plot()
    assert {text.get_text() for text in display.text_.ravel()} == {"?"}


def test_bad_input_is_named(affinity):
    with pytest.raises(
        ValueError, match=r"`groups` must hold each of the tasks \['price', 'age', 'area'\] once"
    ):
        TaskAffinityDisplay(affinity=affinity, groups=[["price", "age"]]).plot()
    with pytest.raises(ValueError, match="the same tasks as rows and as columns"):
        TaskAffinityDisplay(affinity=affinity.iloc[:2]).plot()
    with pytest.raises(TypeError, match="`affinity` must be a DataFrame"):
        TaskAffinityDisplay(affinity=affinity.to_numpy()).plot()
