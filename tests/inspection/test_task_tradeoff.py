"""What the display of a search's trade-offs shows, read off its artists."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl.inspection import TaskTradeoffDisplay
from sklearn_mtl.model_selection import StackedGridSearchCV
from tests.inspection.searches import GRID, WEIGHT, drawn, network, search_of

matplotlib.use("Agg")

SCORES = pd.DataFrame(
    {"price": [0.9, 0.8, 0.7, 0.6], "type": [0.3, 0.5, 0.4, 0.7], "sold": [0.5, 0.5, 0.5, 0.5]},
    index=list("abcd"),
)


def legend_of(display):
    return [text.get_text() for text in display.axes_[0].get_legend().get_texts()]


def test_two_tasks_are_a_plane_with_the_front_as_stairs():
    display = TaskTradeoffDisplay(scores=SCORES, chosen="b").plot(tasks=["price", "type"])
    assert_allclose(display.points_.get_offsets(), SCORES[["price", "type"]])
    assert display.pareto_front_.index.tolist() == ["a", "b", "d"]
    (stairs,) = display.lines_
    assert_allclose(stairs.get_xydata(), [[0.6, 0.7], [0.8, 0.5], [0.9, 0.3]])
    assert stairs.get_drawstyle() == "steps-pre"
    assert_allclose(display.chosen_.get_xydata(), [[0.8, 0.5]])
    beaten = display.points_.get_facecolors()[2]
    assert_allclose(beaten, to_rgba("0.6"))
    assert_allclose(display.points_.get_facecolors()[0], to_rgba("C0"))
    panel = display.axes_[0]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("price (score)", "type (score)")
    assert legend_of(display) == ["Pareto front", "chosen"]
    assert display.text_.get_text() == "4 candidates"
    assert display.figure_ is panel.figure


def test_more_tasks_are_parallel_axes_from_worst_to_best():
    metrics = {"price": "r2", "type": "accuracy", "sold": "accuracy"}
    display = TaskTradeoffDisplay(scores=SCORES, chosen="d", metrics=metrics).plot()
    heights = np.array([line.get_ydata() for line in display.lines_])
    assert_allclose(heights[:, 0], [1, 2 / 3, 1 / 3, 0], atol=1e-12)
    assert_allclose(heights[:, 1], [0, 0.5, 0.25, 1], atol=1e-12)
    # Scores that are all equal have no worst and no best.
    assert_allclose(heights[:, 2], 0.5)
    assert display.points_ is None
    assert display.chosen_ is display.lines_[3]
    assert legend_of(display) == ["beaten by another", "Pareto front", "chosen"]
    panel = display.axes_[0]
    assert [label.get_text() for label in panel.get_xticklabels()] == [
        "price\n(r2)",
        "type\n(accuracy)",
        "sold\n(accuracy)",
    ]
    assert [text.get_text() for text in panel.texts] == ["0.6", "0.9", "0.3", "0.7", "0.5", "0.5"]


@pytest.mark.parametrize("tasks", [["price", "type"], None])
def test_candidates_are_coloured_by_a_parameter(tasks):
    params = pd.DataFrame({"lr": [0.001, 0.01, 0.1, 1.0], "trunk": ["mlp"] * 4}, index=list("abcd"))
    display = TaskTradeoffDisplay(scores=SCORES, params=params).plot(tasks=tasks, color_by="lr")
    scale = display.colorbar_.mappable
    assert scale.norm(0.0316227766) == pytest.approx(0.5)
    drawn_as = (
        [to_rgba(line.get_color()) for line in display.lines_]
        if display.points_ is None
        else display.points_.get_facecolors()
    )
    assert_allclose(drawn_as, scale.to_rgba(params["lr"]))
    assert display.colorbar_.ax.get_ylabel() == "lr"
    assert display.chosen_ is None
    for refused, words in [
        ("trunk", "a parameter of numbers"),
        ("rate", r"of \['lr', 'trunk'\]\. Found 'rate'"),
    ]:
        with pytest.raises(ValueError, match=f"`color_by` must be .*{words}"):
            display.plot(color_by=refused)


def test_what_has_no_score_is_left_out_and_told():
    scores = SCORES.assign(sold=np.nan)
    scores.loc["b", "type"] = np.nan
    display = TaskTradeoffDisplay(scores=scores, chosen="b").plot()
    assert len(display.points_.get_offsets()) == 3
    assert display.text_.get_text() == "4 candidates, 1 without a score, no score of sold"
    # The chosen one cannot be drawn where it has no score.
    assert display.chosen_ is None
    with pytest.raises(
        ValueError, match=r"`tasks` must have scores\. Found \['sold'\], of which no candidate"
    ):
        display.plot(tasks=["price", "sold"])


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        (["price", "prise"], r"`tasks` must be of \['price', 'type', 'sold'\]\. Found 'prise'\."),
        (["price"], r"between two tasks or more that have scores\. Found \['price'\]\."),
        (["price", "price"], "must be different names"),
        ([], "must be different names, at least one"),
    ],
)
def test_tasks_are_checked(tasks, words):
    with pytest.raises(ValueError, match=words):
        TaskTradeoffDisplay(scores=SCORES).plot(tasks=tasks)
    assert not plt.get_fignums()


def test_no_candidate_with_all_scores_is_an_error():
    scores = pd.DataFrame({"a": [1.0, np.nan], "b": [np.nan, 1.0]})
    with pytest.raises(ValueError, match=r"Of 2 candidates none has a score of all of \['a', 'b'\]"):
        TaskTradeoffDisplay(scores=scores).plot()


def test_it_draws_in_axes_of_the_users_and_in_subfigures():
    left, right = plt.figure(layout="constrained").subfigures(1, 2)
    ax = left.subplots()
    assert TaskTradeoffDisplay(scores=SCORES).plot(ax).axes_[0] is ax
    display = TaskTradeoffDisplay(scores=SCORES, params=SCORES).plot(right.subplots(), color_by="price")
    assert display.figure_ is right
    assert display.colorbar_.ax.figure is right
    right.canvas.draw()


@pytest.mark.parametrize(
    ("kind", "tasks"),
    [
        ("stacked", ["regression0", "binary0"]),
        ("pipeline", ["regression0", "binary0"]),
        ("stacked random", ["regression0", "binary0"]),
        ("manifold", ["regression0", "binary0"]),
        ("stacked, scoring", ["regression0", "binary0_accuracy", "binary0_neg_log_loss"]),
        ("grid", ["regression0", "binary0_accuracy", "binary0_neg_log_loss"]),
        ("random", ["regression0", "binary0_accuracy", "binary0_neg_log_loss"]),
    ],
)
def test_every_search_is_drawn(kind, tasks):
    search = search_of(kind)
    display = TaskTradeoffDisplay.from_search(search)
    results = search.cv_results_ if kind in ("grid", "random", "stacked, scoring") else search.task_results_
    for task in tasks:
        assert_allclose(display.scores[task], results[f"mean_test_{task}"])
    assert list(display.scores) == tasks
    assert display.chosen == search.best_index_
    assert display.chosen_ is not None
    if len(tasks) == 2:
        assert display.pareto_front_.index.tolist() == search.pareto_front_.index.tolist()
        assert (display.axes_[0].get_xlabel(), display.axes_[0].get_ylabel()) == (
            "regression0 (r2)",
            "binary0 (accuracy)",
        )
    else:
        assert [label.get_text() for label in display.axes_[0].get_xticklabels()] == [
            "regression0\n(r2)",
            "binary0_accuracy",
            "binary0_neg_log_loss",
        ]


def test_the_legend_tells_what_was_chosen():
    search = search_of("stacked")
    display = TaskTradeoffDisplay.from_search(search, color_by=WEIGHT)
    words = [f"{name}={value:g}" for name, value in search.best_params_.items()]
    assert legend_of(display)[1].splitlines() == ["chosen", *words]
    assert sorted(set(display.colorbar_.mappable.get_array())) == [0.1, 1.0, 10.0]
    many = pd.DataFrame(1, index=SCORES.index, columns=["lr", "trunk", "optimizer", "patience"])
    display = TaskTradeoffDisplay(scores=SCORES, params=many, chosen="a").plot()
    assert legend_of(display)[-1] == "chosen"


def test_of_a_search_by_halving_the_last_iteration_is_drawn():
    search = search_of("halving")
    display = TaskTradeoffDisplay.from_search(search)
    assert len(display.points_.get_offsets()) == search.n_candidates_[-1] < len(search.task_results_)
    assert display.chosen == search.best_index_


def test_a_search_without_a_choice_and_a_search_in_a_pipeline():
    search = search_of("no refit")
    assert TaskTradeoffDisplay.from_search(search).chosen_ is None
    X, Y = drawn()
    pipe = make_pipeline(StandardScaler(), StackedGridSearchCV(network(), GRID, cv=2)).fit(X, Y)
    assert TaskTradeoffDisplay.from_search(pipe).chosen_ is not None


def test_one_candidate_is_a_front_of_one():
    search = StackedGridSearchCV(network(), {"lr": [0.01]}, cv=2).fit(*drawn())
    display = TaskTradeoffDisplay.from_search(search)
    assert display.text_.get_text() == "1 candidate"
    assert len(display.pareto_front_) == 1


def test_what_is_no_search_with_task_scores_is_refused():
    one_score = GridSearchCV(network(), {"lr": [0.01]}, cv=2).fit(*drawn())
    with pytest.raises(
        ValueError, match=r"must have scored single tasks.*Found a GridSearchCV with one score"
    ):
        TaskTradeoffDisplay.from_search(one_score)
    with pytest.raises(TypeError, match=r"`search` must be a search .* Found Ridge\."):
        TaskTradeoffDisplay.from_search(Ridge())
    with pytest.raises(NotFittedError):
        TaskTradeoffDisplay.from_search(StackedGridSearchCV(network(), GRID))
    assert not plt.get_fignums()


def test_many_tasks_have_room_beside_each_other():
    names = [f"t{i}" for i in range(20)]
    display = TaskTradeoffDisplay(scores=pd.DataFrame([range(20), range(20, 0, -1)], columns=names)).plot()
    assert display.figure_.get_size_inches()[0] == pytest.approx(12.0)
