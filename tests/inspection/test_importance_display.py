"""The bars of importance by task."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.inspection import TaskImportanceDisplay, task_permutation_importance
from sklearn_mtl.inspection.figure import pyplot

matplotlib.use("Agg")


@pytest.fixture
def mean():
    found = pd.DataFrame(
        {"price": [0.4, 0.1, 0.0], "type": [0.01, 0.03, 0.0]}, index=["area", "age", "colour"]
    )
    found.attrs["metrics"] = {"price": "r2", "type": "accuracy"}
    return found


def widths(bars):
    return [bar.get_width() for bar in bars]


def test_each_task_has_a_panel_and_features_one_order(mean):
    display = TaskImportanceDisplay(importances_mean=mean, importances_std=mean / 10).plot()
    # Shares of the largest of each task: 1.33 / 2 for the area, 1.25 / 2 for the age.
    assert display.features_ == ["area", "age", "colour"]
    assert len(display.axes_) == len(display.bars_) == 2
    assert widths(display.bars_[0]) == [0.4, 0.1, 0.0]
    assert widths(display.bars_[1]) == [0.01, 0.03, 0.0]
    assert [panel.get_title() for panel in display.axes_] == ["price", "type"]
    assert display.axes_[1].get_xlabel() == "decrease of accuracy when shuffled"
    labels = [[tick.get_text() for tick in panel.get_yticklabels()] for panel in display.axes_]
    assert labels == [["area", "age", "colour"], [""] * 3]
    colors = {bars[0].get_facecolor() for bars in display.bars_}
    assert colors == {matplotlib.colors.to_rgba(color) for color in ("C0", "C1")}
    assert {panel.figure for panel in display.axes_} == {display.figure_}


def test_fewer_features_and_axes_of_the_user(mean):
    _, axes = pyplot().subplots(2, 1)
    display = TaskImportanceDisplay(importances_mean=mean).plot(axes, max_features=2)
    assert list(display.axes_) == list(axes)
    assert display.features_ == ["area", "age"]
    assert [tick.get_text() for tick in axes[1].get_yticklabels()] == ["area", "age"]
    with pytest.raises(ValueError, match="`max_features` must be a positive whole number"):
        display.plot(max_features=0)


def test_a_subfigure_and_several_metrics_of_a_task(mean):
    mean.columns = pd.MultiIndex.from_tuples([("type", "accuracy"), ("type", "roc_auc")])
    mean.attrs = {}
    left, _ = pyplot().figure(layout="constrained").subfigures(1, 2)
    display = TaskImportanceDisplay(importances_mean=mean).plot(left.subplots())
    assert display.figure_ is left
    assert display.axes_[1].get_xlabel() == "decrease of roc_auc when shuffled"
    assert len({bars[0].get_facecolor() for bars in display.bars_}) == 1


def test_a_task_without_a_score_says_so(mean):
    mean["type"] = np.nan
    display = TaskImportanceDisplay(importances_mean=mean).plot()
    (text,) = display.axes_[1].texts
    assert text.get_text() == "no score:\ntoo few labels"
    assert display.features_ == ["area", "age", "colour"]
    assert display.axes_[0].get_ylim() == display.axes_[1].get_ylim()


def test_from_estimator_draws_what_is_computed():
    X = np.random.default_rng(0).normal(size=(120, 3))
    Y = {"price": X[:, 2], "sold": X[:, 1] > 0}
    est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=3, random_state=0)
    with pytest.raises(ValueError, match="not fitted"):
        TaskImportanceDisplay.from_estimator(est, X, Y)
    est.fit(X, Y)
    display = TaskImportanceDisplay.from_estimator(est, X, Y, features=[2, 1], n_repeats=2, random_state=0)
    expected = task_permutation_importance(est, X, Y, features=[2, 1], n_repeats=2, random_state=0)
    pd.testing.assert_frame_equal(display.importances_mean, expected.importances_mean)
    assert widths(display.bars_[0]) == expected.importances_mean.loc[display.features_, "price"].tolist()


def test_some_tasks_have_their_colours():
    X = np.random.default_rng(0).normal(size=(60, 2))
    Y = {"price": X[:, 1], "sold": X[:, 0] > 0}
    est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=1, random_state=0).fit(X, Y)
    display = TaskImportanceDisplay.from_estimator(est, X, {"sold": Y["sold"]}, n_repeats=1)
    assert display.bars_[0][0].get_facecolor() == matplotlib.colors.to_rgba("C1")
