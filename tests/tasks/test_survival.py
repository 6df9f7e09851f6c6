"""Times until an event, some of them censored: labels, intervals and curves."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import (
    StackedGridSearchCV,
    TaskStratifiedKFold,
    cross_val_predict_tasks,
    task_scorer,
)
from sklearn_mtl.targets import infer_kind, read_column
from sklearn_mtl.tasks import Survival, concordance_index


def censored(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3))
    relapse, followed = rng.exponential(10 * np.exp(X[:, 0])), rng.uniform(0, 40, size=n_rows)
    return X, np.column_stack([np.minimum(relapse, followed), relapse <= followed])


@pytest.fixture(scope="module")
def data():
    X, relapse = censored(300)
    kind = np.where(X[:, 1] > 0, "flat", "house")
    return X, MultiTaskTarget({"price": X[:, 2], "relapse": relapse, "type": kind})


def quick(**params):
    settings = {"tasks": {"relapse": Survival()}, "trunk": "mlp", "n_bags": 1, "max_epochs": 5}
    return MultiTaskClassifierRegressor(**{**settings, "lr": 0.01, "random_state": 0, **params})


def bind(values, **params):
    column = read_column("relapse", values)
    return column, Survival(**params).bind(column, np.ones(len(column)))


# Labels


def test_times_become_intervals_survived_and_events():
    values = [[1, 1], [2, 1], [2, 0], [3, 0], [4, 1], [0, 0], [9, 1], [9, 0], [np.nan, 1], [5, np.nan]]
    column, task = bind(values, ends=[2.0, 4.0, 6.0])
    # An event lies in the interval that ends at its time; of the censored count the intervals that are over.
    expected = [1, 1, 2, 2, 3, 0, 6, 6, np.nan, np.nan]
    np.testing.assert_array_equal(task.encode(column)[:, 0], expected)


def test_intervals_end_where_the_kaplan_meier_estimate_has_fallen_by_equal_steps():
    # No row is censored: the estimate falls by a tenth at each time.
    _, task = bind([[t, 1] for t in range(1, 11)], n_intervals=5)
    np.testing.assert_array_equal(task.ends, [2, 4, 6, 8, 10])
    # Half are lost before time 5: the events after it count twice.
    values = [[t, 1] for t in (1, 2, 3, 4)] + [[4.5, 0]] * 3 + [[t, 1] for t in (5, 6, 7)]
    _, task = bind(values, n_intervals=5)
    np.testing.assert_array_equal(task.ends, [2, 4, 5, 6, 7])
    assert len(bind([[1, 1], [3, 1], [3, 1]], n_intervals=20)[1].ends) == 2


@pytest.mark.parametrize("order", [["died", "months"], ["months", "died"]])
@pytest.mark.parametrize("numbers", [float, int])
def test_structured_arrays_are_a_survival_task_without_being_told(order, numbers):
    dtype = [(name, bool if name == "died" else numbers) for name in order]
    array = np.zeros(5, dtype=dtype)
    array["months"], array["died"] = [3, 1, 2, 5, 4], [True, False, True, True, False]
    column = read_column("relapse", array)
    assert infer_kind(column) == "survival"
    np.testing.assert_array_equal(column.values, np.column_stack([array["months"], array["died"]]))


@pytest.mark.parametrize("as_y", [lambda y: y, lambda y: {"relapse": y}])
def test_they_are_fitted_and_scored(as_y):
    X, y = censored(120)
    array = np.array([(bool(event), time) for time, event in y], dtype=[("event", bool), ("time", float)])
    settings = {"tasks": None, "max_epochs": 2}
    est = quick(**settings).fit(X, as_y(array))
    block = quick(max_epochs=2).fit(X, {"relapse": y})
    found = est.predict(X)
    found = found["relapse"] if as_y(1) != 1 else found
    np.testing.assert_array_equal(found, block.predict(X)["relapse"])
    assert est.score(X, as_y(array)) == block.score(X, {"relapse": y})


def test_two_columns_of_a_frame():
    X, y = censored(120)
    frame = pd.DataFrame({"months": y[:, 0], "died": y[:, 1] == 1})
    one = quick(max_epochs=2).fit(X, {"relapse": frame})
    other = quick(max_epochs=2).fit(X, {"relapse": y})
    np.testing.assert_array_equal(one.predict(X)["relapse"], other.predict(X)["relapse"])


@pytest.mark.parametrize(
    ("values", "params", "match"),
    [
        ([1.0, 2.0], {}, r"two columns.*\{'relapse': numpy.column_stack\(.*Found .* shape \(.*,\)"),
        ([[1, 2.5], [0, 3.5]], {}, r"second column .* 1 or 0; the first is the time. Found \[2.5"),
        ([[-1, 1], [2, 0]], {}, r"times .* must be 0 or more. Found \[-1"),
        ([[1, 0], [2, 0]], {}, "needs at least one event at a time above 0. Found .* rows and 0 events"),
        ([["a", 1], ["b", 0]], {}, "is survival and needs numbers"),
        ([[1, 1], [2, 0]], {"n_intervals": 0}, "`n_intervals` .* positive integer, below 2.*Found 0"),
        ([[1, 1], [2, 0]], {"ends": [0, 1]}, "`ends` .* must be a list of positive and increasing, finite"),
        ([[1, 1], [2, 0]], {"ends": [1.0, np.inf]}, r"`ends` .* finite times. Found \[1.0, inf\]"),
        ([[1, 1], [2, 0]], {"ends": ["a"]}, r"`ends` of task 'relapse' must be a list.*Found \['a'\]"),
        ([[1, 1], [2, 0]], {"ends": 3.0}, r"`ends` of task 'relapse' must be a list.*Found 3.0"),
    ],
)
def test_what_is_no_survival_task_is_refused(values, params, match):
    with pytest.raises(ValueError, match=match):
        bind(np.array(values), **params)
    est, X = quick(tasks={"relapse": Survival(**params)}), np.zeros((20, 1))
    with pytest.raises(ValueError, match=match):
        est.fit(X, {"relapse": np.array(values * 10)})


@pytest.mark.parametrize("times", ["a", ["a"], 1.0, [np.nan], [-1.0]])
def test_times_that_are_no_list_of_times_are_refused(times):
    _, task = bind([[1, 1], [2, 0]])
    with pytest.raises(ValueError, match=r"`times` must be a list of times of 0 or more. Found"):
        task.survival(np.ones((2, 1, len(task.ends))), times)


# The curve


def test_without_features_the_curve_is_that_of_kaplan_and_meier():
    lifelines = {1: 0.8, 2: 0.6, 4: 0.3, 5: 0.0}
    values = [[1, 1], [2, 1], [3, 0], [4, 1], [5, 1]]
    column, task = bind(values)
    y = torch.from_numpy(task.encode(column))
    response = task.loss.response(task.loss.constant(y, torch.ones(5, 1))).numpy()[None]
    np.testing.assert_allclose(task.survival(response)[0], list(lifelines.values()), atol=1e-8)
    np.testing.assert_array_equal(task.ends, list(lifelines))


def test_the_mean_time_is_the_area_under_the_curve():
    _, task = bind([[2, 1], [6, 1]], ends=[2.0, 6.0])
    response = np.array([[[0.5, 0.25]]])
    assert task.predict(response) == pytest.approx(2 * 0.75 + 4 * 0.375)
    times = np.linspace(0, 6, 601)
    curve = task.survival(response, times)[0]
    assert np.trapezoid(curve, times) == pytest.approx(task.predict(response)[0], rel=1e-6)
    np.testing.assert_allclose(task.survival(response, [0, 1, 2, 4, 100])[0], [1, 0.75, 0.5, 0.375, 0.25])
    with pytest.raises(ValueError, match=r"`times` must be a list of times"):
        task.survival(response, [-1.0])


# Through the estimator


def test_it_learns_beside_tasks_of_other_kinds(data):
    X, Y = data
    est = clone(quick(max_epochs=25)).fit(X, Y)
    time, event = Y["relapse"].T
    found = est.predict(X)["relapse"]
    assert found.dtype == np.float64
    assert ((found > 0) & (found < est.tasks_["relapse"].ends[-1])).all()
    scores = est.score_tasks(X, Y)
    assert scores.attrs["metrics"]["relapse"] == "concordance_index"
    assert scores["relapse"] == pytest.approx(concordance_index(time, event == 1, found))
    assert scores["relapse"] > 0.7
    assert 0.7 < est.history_["train_loss_relapse"][0] < 1.4
    assert est.history_["valid_log_likelihood_relapse"].notna().all()
    view = est.task("relapse")
    assert view.score(X, Y["relapse"]) == scores["relapse"]
    curves = view.predict_survival(X, np.linspace(0, 40, 9))
    assert curves.shape == (300, 9)
    assert (np.diff(curves, axis=1) <= 0).all()
    assert (curves[:, 0] == 1).all()
    assert not hasattr(est.task("price"), "predict_survival")
    assert "intervals up to" in est._repr_html_()
    assert set(est.predict_proba(X)) == {"type"}


def test_hazards_that_cross_are_learned():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 800)
    # One group falls early or never, the other late.
    time = np.where(group == 1, rng.choice([1.0, 9.0], 800), rng.uniform(4, 6, 800))
    est = quick(max_epochs=40, tasks={"relapse": Survival(ends=[2.0, 4.0, 6.0, 8.0, 10.0])})
    est.fit(group[:, None].astype(float), {"relapse": np.column_stack([time, np.ones(800)])})
    curves = est.task("relapse").predict_survival(np.array([[0.0], [1.0]]), [3.0, 7.0])
    np.testing.assert_allclose(curves, [[1, 0], [0.5, 0.5]], atol=0.15)


def test_what_lies_under_a_missing_label_does_not_matter_and_weights_count(data):
    X, Y = data
    gaps = np.arange(300) % 5 == 0
    fits = []
    for hidden in (0.0, 7.0):
        relapse = Y["relapse"].copy()
        relapse[gaps] = [np.nan, hidden]
        fits.append(quick(max_epochs=2).fit(X, {"price": Y["price"], "relapse": relapse}))
    np.testing.assert_array_equal(*(est.predict(X)["relapse"] for est in fits))
    weight = {"relapse": (~gaps).astype(float)}
    weighted = quick(max_epochs=2).fit(
        X, {"price": Y["price"], "relapse": Y["relapse"]}, sample_weight=weight
    )
    np.testing.assert_allclose(weighted.predict(X)["relapse"], fits[0].predict(X)["relapse"], rtol=1e-3)


def test_searches_folds_pickles_and_files(data, tmp_path):
    X, Y = data
    grid = {"tasks__relapse__n_intervals": [5, 20], "task_weights__relapse": [0.5, 1.0]}
    cv = TaskStratifiedKFold(2, task={"relapse": Survival()})
    for _, test in cv.split(X, Y):
        assert abs(Y["relapse"][test, 1].mean() - Y["relapse"][:, 1].mean()) < 0.02
    stacked = StackedGridSearchCV(quick(max_epochs=3), grid, cv=cv).fit(X, Y)
    alone = GridSearchCV(quick(max_epochs=3), grid, cv=cv).fit(X, Y)
    np.testing.assert_allclose(
        stacked.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"], atol=0.02
    )
    est = quick(max_epochs=2).fit(X, Y)
    save(est, tmp_path / "model.mtl")
    for again in (pickle.loads(pickle.dumps(est)), load(tmp_path / "model.mtl")):
        np.testing.assert_array_equal(again.predict(X)["relapse"], est.predict(X)["relapse"])


def test_predictions_out_of_fold_and_a_metric_of_ones_own(data):
    X, Y = data
    found = cross_val_predict_tasks(quick(max_epochs=20), X, Y, cv=3)["relapse"]
    assert concordance_index(*Y["relapse"].T, found) > 0.6
    est = quick(max_epochs=2).fit(X, Y)

    def mean_gap(y_true, y_pred):
        return float(np.mean(np.abs(y_true[:, 0] - y_pred)))

    scorer = task_scorer("relapse", make_scorer(mean_gap, greater_is_better=False))
    assert scorer(est, X, Y) == pytest.approx(-mean_gap(Y["relapse"], est.predict(X)["relapse"]))


def test_parts_of_the_data_with_declared_ends(data):
    X, Y = data
    est = quick(tasks={"relapse": Survival(ends=[5, 10, 20, 40])})
    for rows in np.array_split(np.arange(300), 3):
        est.partial_fit(X[rows], Y[rows])
    np.testing.assert_array_equal(est.tasks_["relapse"].ends, [5, 10, 20, 40])
