"""The display of a training: what its lines, bands, marks and legends say."""

import pickle

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.ensemble import PerTask
from sklearn_mtl.inspection import TrainingHistoryDisplay
from sklearn_mtl.inspection.figure import pyplot

matplotlib.use("Agg")

rng = np.random.default_rng(0)
X = rng.normal(size=(160, 3))
Y = {"price": X[:, 0] + rng.normal(size=160), "type": np.where(X[:, 1] > 0, "flat", "house")}


def make(**params):
    params = {"trunk": "mlp", "n_bags": 1, "max_epochs": 6, "lr": 0.02, "random_state": 0, **params}
    return MultiTaskClassifierRegressor(**params, linear_blend=False, tree_blend=False)


@pytest.fixture(scope="module")
def one():
    return make().fit(X, Y)


@pytest.fixture(scope="module")
def bag():
    return make(n_bags=4, balancing="dwa").fit(X, Y)


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_lines_are_the_columns_of_the_history(one):
    display = TrainingHistoryDisplay.from_estimator(one)
    columns = {
        "train_loss": ["train_loss_price", "train_loss_type"],
        "valid_loss": ["valid_loss_price", "valid_loss_type"],
        "valid_score": ["valid_r2_price", "valid_accuracy_type"],
        "weight": ["weight_price", "weight_type"],
    }
    assert list(display.lines_) == list(columns)
    for part, names in columns.items():
        for line, name in zip(display.lines_[part], names, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), one.history_["epoch"])
            np.testing.assert_array_equal(line.get_ydata(), one.history_[name])
    assert display.bands_ == {part: [] for part in columns}
    assert [ax.get_ylabel() for ax in display.axes_] == [
        "loss (best constant: 1)",
        "score, held-out rows",
        "weight",
    ]
    assert all(ax.get_xlabel() == "epoch" for ax in display.axes_)
    assert all(ax.figure is display.figure_ for ax in display.axes_)


def test_the_legend_names_tasks_kinds_of_lines_and_the_kept_epoch(one):
    display = TrainingHistoryDisplay.from_estimator(one)
    best = one.history_.set_index("epoch")["valid_loss"].idxmin()
    assert texts(display.axes_[0]) == ["price", "type", "training", "held out", f"best epoch: {best}"]
    assert texts(display.axes_[1]) == ["price: r2", "type: accuracy"]
    assert texts(display.axes_[2]) == ["price", "type"]
    assert [line.get_xdata()[0] for line in display.kept_lines_] == [best, best]


def test_a_task_has_the_colour_of_its_place_everywhere(one):
    display = TrainingHistoryDisplay.from_estimator(one, tasks="type")
    second = to_hex("C1")
    assert {line.get_color() for lines in display.lines_.values() for line in lines} == {second}
    assert display.axes_[1].get_ylabel() == "accuracy, held-out rows"
    with pyplot().style.context("dark_background"):
        second = to_hex("C1")
        dark = TrainingHistoryDisplay.from_estimator(one, tasks=["type"])
    assert dark.lines_["weight"][0].get_color() == second


def test_of_a_bag_the_mean_is_drawn_in_a_band(bag):
    display = TrainingHistoryDisplay.from_estimator(bag)
    by_epoch = bag.history_.groupby("epoch")["valid_loss_type"]
    np.testing.assert_allclose(display.lines_["valid_loss"][1].get_ydata(), by_epoch.mean())
    band = display.bands_["valid_loss"][1].get_paths()[0].vertices
    np.testing.assert_allclose(band[:, 1].max(), (by_epoch.mean() + by_epoch.std(ddof=0)).max())
    np.testing.assert_allclose(band[:, 1].min(), (by_epoch.mean() - by_epoch.std(ddof=0)).min())
    legend = display.axes_[0].get_legend()
    assert legend.get_title().get_text() == "mean ± std of 4 networks"
    assert texts(display.axes_[0])[-1] == "best epoch of a network"
    kept = {line.get_xdata()[0] for line in display.kept_lines_}
    epochs = bag.history_.set_index("epoch").groupby("bag")["valid_loss"].idxmin()
    assert kept == set(epochs)


def test_panels_of_which_nothing_is_known_are_left_out():
    est = make()
    for _ in range(2):
        est.partial_fit(X, Y)
    display = TrainingHistoryDisplay.from_estimator(est)
    assert [ax.get_ylabel() for ax in display.axes_] == ["loss (best constant: 1)", "weight"]
    assert display.kept_lines_ == []
    assert texts(display.axes_[0]) == ["price", "type", "training"]
    assert display.lines_["train_loss"][0].get_marker() == "."


def test_a_warm_start_is_drawn_on():
    est = make(max_epochs=2).fit(X, Y).set_params(warm_start=True, max_epochs=4).fit(X, Y)
    display = TrainingHistoryDisplay.from_estimator(est)
    np.testing.assert_array_equal(display.lines_["weight"][0].get_xdata(), [1, 2, 3, 4])


def test_an_estimator_out_of_a_pickle_marks_the_same_epoch(one):
    displays = [TrainingHistoryDisplay.from_estimator(e) for e in (one, pickle.loads(pickle.dumps(one)))]
    first, again = ([line.get_xdata()[0] for line in display.kept_lines_] for display in displays)
    assert first == again


def test_a_task_without_held_out_labels_is_said_to_have_none():
    history = pd.DataFrame(
        {
            "epoch": [1, 2],
            "train_loss_a": [1.0, 0.5],
            "train_loss_b": [1.0, 0.7],
            "valid_loss_a": [1.0, 0.9],
            "valid_loss_b": [np.nan, np.nan],
            "valid_r2_a": [0.0, np.inf],
        }
    )
    made = TrainingHistoryDisplay(history=history, tasks=["a", "b"], metrics={"a": "r2", "b": "r2"})
    display = made.plot()
    assert display is made
    assert texts(display.axes_[0])[:2] == ["a", "b (no label held out)"]
    assert texts(display.axes_[1]) == ["a", "b (no label held out)"]
    assert len(display.lines_["valid_loss"][1].get_xdata()) == 0
    np.testing.assert_array_equal(display.lines_["valid_score"][0].get_ydata(), [0.0, np.nan])
    assert display.axes_[1].get_ylabel() == "r2, held-out rows"


def test_of_many_tasks_the_legend_counts_the_rest():
    names = [f"t{i}" for i in range(14)]
    history = pd.DataFrame({"epoch": [1], **{f"train_loss_{name}": [0.5] for name in names}})
    display = TrainingHistoryDisplay(history=history, tasks=names, metrics=dict.fromkeys(names, "r2")).plot()
    assert texts(display.axes_[0]) == [*names[:7], "… 7 more", "training"]
    assert len(display.lines_["train_loss"]) == 14


def test_pipelines_and_searches_are_looked_into():
    pipeline = make_pipeline(StandardScaler(), make(max_epochs=1)).fit(X, Y)
    assert len(TrainingHistoryDisplay.from_estimator(pipeline).axes_) == 3
    search = GridSearchCV(make(max_epochs=1), {"lr": [0.01]}, cv=2).fit(X, MultiTaskTarget(Y))
    display = TrainingHistoryDisplay.from_estimator(search)
    np.testing.assert_array_equal(
        display.lines_["weight"][0].get_ydata(), search.best_estimator_.history_["weight_price"]
    )


def test_axes_of_the_user_are_drawn_in(one):
    _, axes = pyplot().subplots(1, 3)
    assert list(TrainingHistoryDisplay.from_estimator(one, ax=axes).axes_) == list(axes)
    figure = pyplot().figure()
    within = figure.subfigures(1, 2)[1]
    display = TrainingHistoryDisplay.from_estimator(one, ax=within.subplots())
    assert {ax.figure for ax in display.axes_} == {within}
    assert display.figure_ is within


def test_what_can_not_be_drawn_is_refused(one):
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(make())
    with pytest.raises(ValueError, match=r"`tasks` must be of \['price', 'type'\]\. Found 'prise'\."):
        TrainingHistoryDisplay.from_estimator(one, tasks=["price", "prise"])
    with pytest.raises(ValueError, match=r"`tasks` must be different names.* Found \[\]\."):
        TrainingHistoryDisplay.from_estimator(one, tasks=[])
    with pytest.raises(ValueError, match=r"`history` must have an epoch with losses of the tasks\. Found 0"):
        TrainingHistoryDisplay(history=one.history_[:0], tasks=["price"], metrics={"price": "r2"}).plot()
    forests = PerTask(RandomForestRegressor(2), RandomForestClassifier(2)).fit(X, Y)
    with pytest.raises(TypeError, match=r"`estimator` must have trained networks.* Found PerTask, which has"):
        TrainingHistoryDisplay.from_estimator(forests)
