"""What the display of scores against a weight shows, read off its artists."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose
from sklearn.model_selection import ShuffleSplit

from sklearn_mtl.inspection import WeightSensitivityDisplay
from sklearn_mtl.model_selection import StackedGridSearchCV
from tests.inspection.searches import WEIGHT, drawn, network, search_of

matplotlib.use("Agg")

MEANS = pd.DataFrame({"price": [0.9, 0.8, 0.7], "type": [0.5, 0.6, 0.7]}, index=[0.1, 1.0, 10.0])


@pytest.fixture(scope="module")
def stacked():
    return search_of("stacked")


def test_a_panel_for_each_task_with_its_line_band_and_choice():
    stds = pd.DataFrame({"price": [0.1, 0.2, 0.1], "type": [0.01] * 3}, index=MEANS.index)
    display = WeightSensitivityDisplay(
        task="type", means=MEANS, stds=stds, chosen=1.0, others="lr as chosen", metrics={"price": "r2"}
    ).plot()
    assert len(display.axes_) == len(display.lines_) == len(display.bands_) == 2
    for task, line, band, colour in zip(
        MEANS, display.lines_, display.bands_, map(to_hex, ["C0", "C1"]), strict=True
    ):
        assert_allclose(line.get_xydata(), np.column_stack([MEANS.index, MEANS[task]]))
        assert line.get_color() == colour
        outline = {tuple(row) for row in band.get_paths()[0].vertices.round(9)}
        assert {(at, round(MEANS.at[at, task] + stds.at[at, task], 9)) for at in MEANS.index} <= outline
        assert {(at, round(MEANS.at[at, task] - stds.at[at, task], 9)) for at in MEANS.index} <= outline
    assert [line.get_xdata()[0] for line in display.chosen_] == [1.0, 1.0]
    assert [panel.get_ylabel() for panel in display.axes_] == ["price (r2)", "type (score)"]
    assert {panel.get_xlabel() for panel in display.axes_} == {"weight of type\n(lr as chosen)"}
    assert {panel.get_xscale() for panel in display.axes_} == {"log"}
    legend = display.axes_[0].get_legend().get_texts()
    assert [text.get_text() for text in legend] == [
        "mean over folds",
        "± one standard deviation",
        "chosen, 1",
    ]
    assert [text.get_text() for text in display.text_] == ["", ""]


def test_a_task_keeps_its_colour_when_it_is_drawn_alone():
    display = WeightSensitivityDisplay(task="type", means=MEANS).plot(tasks=["type"])
    assert [line.get_color() for line in display.lines_] == [to_hex("C1")]


@pytest.mark.parametrize(
    ("weights", "scale"),
    [([0.5, 1.0, 2.0], "linear"), ([0.0, 0.1, 1.0], "symlog"), ([0.0, 0.0, 0.0], "linear")],
)
def test_the_axis_has_room_for_all_weights(weights, scale):
    display = WeightSensitivityDisplay(task="type", means=MEANS.set_axis(weights)).plot()
    lowest, highest = display.axes_[0].get_xlim()
    assert display.axes_[0].get_xscale() == scale
    assert lowest < min(weights) <= max(weights) < highest


def test_what_is_missing_is_told():
    means = MEANS.assign(price=np.nan)
    means.loc[1.0, "type"] = np.nan
    display = WeightSensitivityDisplay(task="type", means=means, chosen=1.0).plot()
    assert display.axes_[0].get_xlim() == display.axes_[1].get_xlim()
    assert [text.get_text() for text in display.text_] == [
        "no score: a fold has no labels of this task",
        "no score at 1 of 3 weights",
    ]
    assert not display.bands_
    legend = display.axes_[0].get_legend().get_texts()
    assert [text.get_text() for text in legend] == ["score of one fold", "chosen, 1"]
    with pytest.raises(ValueError, match=r"No candidate has a score of \['price'\]"):
        display.plot(tasks=["price"])
    with pytest.raises(ValueError, match=r"`tasks` must be of \['price', 'type'\]\. Found 'prise'\."):
        display.plot(tasks=["prise"])


def test_it_draws_in_axes_of_the_users():
    figure = plt.figure(layout="constrained").subfigures(1, 2)[0]
    axes = figure.subplots(2)
    display = WeightSensitivityDisplay(task="type", means=MEANS).plot(axes)
    assert list(display.axes_) == list(axes)
    assert display.figure_ is figure


def test_other_parameters_are_those_of_the_chosen_one(stacked):
    display = WeightSensitivityDisplay.from_search(stacked)
    results = stacked.task_results_
    alike = (
        results[results["param_lr"] == stacked.best_params_["lr"]].set_index(f"param_{WEIGHT}").sort_index()
    )
    for task, line in zip(["regression0", "binary0"], display.lines_, strict=True):
        assert_allclose(line.get_ydata(), alike[f"mean_test_{task}"])
        assert_allclose(display.stds[task], alike[f"std_test_{task}"])
    assert display.chosen == stacked.best_params_[WEIGHT]
    assert display.axes_[0].get_xlabel() == "weight of binary0\n(lr as chosen)"
    assert display.axes_[1].get_ylabel() == "binary0 (accuracy)"


def test_or_the_mean_is_over_them(stacked):
    display = WeightSensitivityDisplay.from_search(stacked, "binary0", others="mean", tasks=["binary0"])
    results = stacked.task_results_
    expected = results.groupby(results[f"param_{WEIGHT}"].astype(float))["mean_test_binary0"].mean()
    (line,) = display.lines_
    assert_allclose(line.get_xydata(), np.column_stack([expected.index, expected]))
    assert display.axes_[0].get_xlabel() == "weight of binary0\n(mean over lr)"


@pytest.mark.parametrize("kind", ["pipeline", "grid", "random", "stacked random", "manifold", "no refit"])
def test_every_search_is_drawn(kind):
    search = search_of(kind)
    display = WeightSensitivityDisplay.from_search(search)
    assert display.task == ("regression0" if kind == "manifold" else "binary0")
    assert len(display.lines_) == (3 if kind in ("grid", "random", "no refit") else 2)
    assert len(display.chosen_) == (0 if kind == "no refit" else len(display.lines_))
    if kind == "manifold":
        # The weights of both tasks go together.
        assert len(display.lines_[0].get_xdata()) == len(search.preferences_)
        assert display.axes_[0].get_xlabel() == "weight of regression0\n(mean over weight of binary0)"


def test_weights_in_dicts_and_those_of_the_estimator():
    grid = [
        {"task_weights": [None, {"regression0": 0.5, "binary0": 3.0}]},
        {"lr": [0.01]},
        {"task_weights__binary0": [8.0]},
    ]
    search = StackedGridSearchCV(network(task_weights={"binary0": 2.0}), grid, cv=2).fit(*drawn())
    display = WeightSensitivityDisplay.from_search(search, "binary0", others="mean")
    assert display.means.index.tolist() == [1.0, 2.0, 3.0, 8.0]
    of_other = WeightSensitivityDisplay.from_search(search, "regression0", others="mean")
    assert of_other.means.index.tolist() == [0.5, 1.0]


def test_one_fold_has_no_band():
    split = ShuffleSplit(1, test_size=0.3, random_state=0)
    search = StackedGridSearchCV(network(), {WEIGHT: [0.1, 1.0]}, cv=split).fit(*drawn())
    display = WeightSensitivityDisplay.from_search(search)
    assert not display.bands_
    assert display.axes_[0].get_legend().get_texts()[0].get_text() == "score of one fold"


@pytest.mark.filterwarnings("ignore")
def test_a_fold_without_labels_of_a_task_is_left_out():
    X, Y = drawn()
    price = Y["regression0"].copy()
    price[:40] = np.nan
    search = StackedGridSearchCV(network(), {WEIGHT: [0.1, 1.0]}, cv=2)
    search.fit(X, {"regression0": price, "binary0": Y["binary0"]})
    display = WeightSensitivityDisplay.from_search(search)
    gaps = [text.get_text() for text in display.text_]
    assert gaps == ["no score: a fold has no labels of this task", ""]


def test_errors_name_what_there_is(stacked):
    with pytest.raises(ValueError, match=r"`task` must be .* of \['binary0'\]\. Found 'regression0'\."):
        WeightSensitivityDisplay.from_search(stacked, "regression0")
    with pytest.raises(ValueError, match=r"`others` must be None, 'chosen' or 'mean'\. Found 'best'\."):
        WeightSensitivityDisplay.from_search(stacked, others="best")
    with pytest.raises(ValueError, match="needs a search that has chosen a candidate"):
        WeightSensitivityDisplay.from_search(search_of("no refit"), others="chosen")
    by_rate = StackedGridSearchCV(network(), {"lr": [0.01, 0.1]}, cv=2).fit(*drawn())
    with pytest.raises(
        ValueError, match=r"must have tried several weights of a task.*Found a search over \['lr'\]"
    ):
        WeightSensitivityDisplay.from_search(by_rate)
    assert not plt.get_fignums()
