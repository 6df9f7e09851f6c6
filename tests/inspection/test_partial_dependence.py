"""All tasks as one function, their partial dependence, and SHAP values of all of them."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from sklearn.exceptions import NotFittedError
from sklearn.inspection import PartialDependenceDisplay, partial_dependence
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.inspection import TaskOutputs, TaskPartialDependenceDisplay, task_partial_dependence
from sklearn_mtl.inspection.figure import pyplot

matplotlib.use("Agg")

PARAMS = {
    "trunk": "mlp",
    "n_bags": 1,
    "max_epochs": 15,
    "lr": 0.01,
    "linear_blend": False,
    "tree_blend": False,
    "random_state": 0,
}
TYPES = [("type", "flat"), ("type", "house"), ("type", "hut")]
OUTPUTS = [("price", ""), ("sold", True), *TYPES, ("size", 0), ("size", 1)]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(160, 3)), columns=list("abc"))
    X["rooms"] = rng.integers(1, 5, 160)
    X["place"] = rng.choice(["lake", "road"], 160)
    Y = {
        "price": 100 * X["a"].to_numpy() + 50 * (X["place"] == "lake"),
        "sold": (X["b"] > 0).to_numpy(),
        "type": np.select([X["b"] > 0.5, X["b"] > -0.5], ["flat", "house"], "hut"),
        "size": X[["a", "rooms"]].to_numpy(),
    }
    return X, {name: np.asarray(labels) for name, labels in Y.items()}


@pytest.fixture(scope="module")
def est(data):
    return MultiTaskClassifierRegressor(**PARAMS).fit(*data)


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 3)), columns=list("abc"))
    Y = {"price": 2 * X["a"].to_numpy() + 0.1, "sold": (X["b"] > 0).to_numpy()}
    return X, MultiTaskClassifierRegressor(**PARAMS).fit(X, Y)


def counted(est, monkeypatch):
    calls = []
    original = type(est)._responses
    monkeypatch.setattr(type(est), "_responses", lambda self, X: calls.append(len(X)) or original(self, X))
    return calls


def test_all_tasks_are_columns_of_one_output(est, data):
    X, _ = data
    outputs = TaskOutputs(est)
    found, proba, predicted = outputs(X), est.predict_proba(X), est.predict(X)
    assert outputs.outputs_.to_list() == OUTPUTS
    assert outputs.names_[:3] == ["price", "sold: True", "type: flat"]
    np.testing.assert_array_equal(found[:, 0], predicted["price"])
    np.testing.assert_array_equal(found[:, 1], proba["sold"][:, 1])
    np.testing.assert_array_equal(found[:, 2:5], proba["type"])
    np.testing.assert_array_equal(found[:, 5:], predicted["size"])
    assert outputs.n_features_in_ == 5
    with pytest.raises(ValueError, match="not fitted"):
        TaskOutputs(MultiTaskClassifierRegressor()).predict(X)
    with pytest.raises(TypeError, match="must be a multi-task estimator"):
        TaskOutputs(StandardScaler()).predict(X)


def test_arrays_have_the_columns_of_fit(numbers):
    X, est = numbers
    outputs = TaskOutputs(est)
    np.testing.assert_array_equal(outputs(X.to_numpy()), outputs(X))


def test_the_dependence_is_that_of_scikit_learn_for_each_task(est, data):
    X, _ = data
    found = task_partial_dependence(est, X, "a", grid_resolution=7)
    assert found.shape == (7, len(OUTPUTS))
    assert found.index.name == "a"
    assert found.columns.to_list() == OUTPUTS
    for task, columns in {"price": [("price", "")], "type": TYPES}.items():
        of_view = {"method": "brute", "grid_resolution": 7, "kind": "average"}
        own = partial_dependence(est.task(task), X, ["a"], **of_view)
        np.testing.assert_array_equal(found.index, own["grid_values"][0])
        np.testing.assert_allclose(found[columns].T, own["average"], atol=1e-6)
    assert found["price", ""].is_monotonic_increasing


def test_rows_go_through_the_network_once_for_each_value(est, data, monkeypatch):
    calls = counted(est, monkeypatch)
    task_partial_dependence(est, data[0], "a", grid_resolution=6)
    assert calls == [160] * 6


def test_categories_whole_numbers_and_pairs(est, data):
    X, _ = data
    place = task_partial_dependence(est, X, "place")
    assert place.index.to_list() == ["lake", "road"]
    assert place.loc["lake", ("price", "")] > place.loc["road", ("price", "")]
    rooms = task_partial_dependence(est, X, "rooms")
    assert rooms.index.to_list() == [1.0, 2.0, 3.0, 4.0]
    assert X["rooms"].dtype.kind == "i"
    both = task_partial_dependence(est, X, ("a", "b"), grid_resolution=3)
    assert both.index.names == ["a", "b"]
    assert len(both) == 9


def test_arrays_and_pipelines(numbers):
    X, _ = numbers
    pipe = make_pipeline(StandardScaler(), MultiTaskClassifierRegressor(**{**PARAMS, "max_epochs": 3}))
    pipe.fit(X.to_numpy(), {"price": 2 * X["a"].to_numpy() + 0.1})
    found = task_partial_dependence(pipe, X.to_numpy(), 2, grid_resolution=4)
    assert found.index.name == "x2"
    assert found.index.max() > 1


@pytest.mark.parametrize("features", ["d", ["a", "b", "c"], [], 0])
def test_columns_that_are_none_are_refused(est, data, features):
    with pytest.raises(ValueError, match=r"`features` must be one or two of the columns \['a', "):
        task_partial_dependence(est, data[0], features)


def test_the_display_has_a_row_of_panels_for_each_task(est, data):
    X, _ = data
    display = TaskPartialDependenceDisplay.from_estimator(est, X, ["a", "place"], grid_resolution=5)
    assert len(display.axes_) == len(display.lines_) == 4 * 2
    assert [len(lines) for lines in display.lines_] == [1, 1, 1, 1, 3, 3, 2, 2]
    expected = task_partial_dependence(est, X, "a", grid_resolution=5)
    np.testing.assert_array_equal(display.lines_[0][0].get_xdata(), expected.index)
    np.testing.assert_array_equal(display.lines_[0][0].get_ydata(), expected["price", ""])
    assert display.axes_[0].get_xlabel() == "a"
    assert display.axes_[0].get_ylabel() == "price, mean prediction"
    assert display.lines_[4][0].get_color() == to_hex("C2")
    assert display.axes_[4].get_ylim() == display.axes_[5].get_ylim()
    texts = [text.get_text() for text in display.axes_[4].get_legend().get_texts()]
    assert texts == ["flat", "house", "hut"]
    figure, ax = pyplot().subplots()
    assert TaskPartialDependenceDisplay(curves=[expected[["price"]]]).plot(ax).figure_ is figure
    with pytest.raises(ValueError, match=r"`features` must be a sequence of columns\. Found 'a'"):
        TaskPartialDependenceDisplay.from_estimator(est, X, "a")
    both = task_partial_dependence(est, X, ("a", "b"), grid_resolution=2)
    with pytest.raises(ValueError, match="must be of one feature each"):
        TaskPartialDependenceDisplay(curves=[both]).plot()


def test_scikit_learns_own_display_takes_all_tasks_or_one(numbers):
    X, est = numbers
    outputs = TaskOutputs(est)
    display = PartialDependenceDisplay.from_estimator(outputs, X, ["a"], target=1, grid_resolution=4)
    np.testing.assert_allclose(
        display.lines_[0, 0].get_ydata(),
        task_partial_dependence(est, X, "a", grid_resolution=4)["sold", True],
    )


def test_shap_explains_all_tasks_by_the_same_rows(numbers, monkeypatch):
    shap = pytest.importorskip("shap")
    X, est = numbers
    outputs, calls = TaskOutputs(est), counted(est, monkeypatch)
    rows, background = X[:4], X[:20]
    how = {"algorithm": "permutation", "seed": 0}
    explainer = shap.Explainer(outputs, background, **how)
    values = explainer(rows)
    together = len(calls)
    assert values.shape == (4, 3, 2)
    np.testing.assert_allclose(values.values.sum(axis=1) + values.base_values, outputs(rows), atol=1e-6)
    strength = np.abs(values.values).mean(axis=0)
    assert strength.argmax(axis=0).tolist() == [0, 1]
    calls.clear()
    alone = shap.Explainer(est.task("price"), background, **how)(rows)
    np.testing.assert_allclose(values.values[..., 0], alone.values, atol=1e-6)
    # One task takes as many passes as all of them.
    assert together <= len(calls) + 2


def test_the_display_takes_columns_as_a_frame_has_them(est, data):
    display = TaskPartialDependenceDisplay.from_estimator(
        est, data[0], data[0].columns[:1], grid_resolution=2
    )
    assert len(display.curves) == 1


def test_no_rows_and_no_fit_are_named(est, data):
    with pytest.raises(ValueError, match=r"X must have at least one row\. Found none\."):
        task_partial_dependence(est, data[0][:0], data[0].columns[0])
    with pytest.raises(ValueError, match=r"X must be one table, .* Found the inputs \['left', 'right'\]"):
        task_partial_dependence(est, {"left": data[0], "right": data[0]}, "left")
    with pytest.raises(NotFittedError, match="This MultiTaskClassifierRegressor"):
        task_partial_dependence(MultiTaskClassifierRegressor(), data[0], data[0].columns[0])
