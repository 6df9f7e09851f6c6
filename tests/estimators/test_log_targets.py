"""Regressions whose labels are learned on a log scale, from `fit` to files."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.tasks import Regression, Survival
from sklearn_mtl.trunks import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 4))
PRICE = 1e5 * np.exp(X[:, 0] + 0.7 * RNG.normal(size=160))
Y = {"price": PRICE, "size": X[:, 1] + RNG.normal(size=160), "dear": PRICE > 1e5}


def quick(**params):
    settings = {"trunk": MLP((16,)), "n_bags": 2, "max_epochs": 8, "lr": 0.02, "random_state": 0}
    tasks = {"price": Regression(transform="log")}
    return MultiTaskClassifierRegressor(**{**settings, "tasks": tasks, **params})


def test_the_factor_is_that_of_the_held_out_rows_of_all_nets():
    est = quick().fit(X, Y)
    task = est.tasks_["price"]
    assert task.log_scale
    assert task.smearing.shape == (1,)
    assert 1.0 < task.smearing[0] < 3.0
    # Rows given for validation are held out by every net: the factor can be computed again.
    given = quick(n_bags=1).fit(X[:100], part(slice(100)), X_val=X[100:], y_val=part(slice(100, None)))
    smearing = given.tasks_["price"].smearing
    plain = given._fitted.nets[0]
    medians = quick(n_bags=1, calibrate=False)
    medians.fit(X[:100], part(slice(100)), X_val=X[100:], y_val=part(slice(100, None)))
    assert medians.tasks_["price"].smearing == 1.0
    np.testing.assert_allclose(smearing, np.mean(PRICE[100:] / medians.predict(X[100:])["price"]), rtol=1e-5)
    assert plain.history[-1, "valid_loss"] == medians._fitted.nets[0].history[-1, "valid_loss"]


def part(rows):
    return {name: labels[rows] for name, labels in Y.items()}


def test_predictions_are_nearer_the_mean_with_the_factor_than_without():
    with_factor, without = quick().fit(X, Y), quick(calibrate=False).fit(X, Y)
    found, medians = with_factor.predict(X)["price"].mean(), without.predict(X)["price"].mean()
    assert abs(found - PRICE.mean()) < abs(medians - PRICE.mean())


def test_views_scores_and_files_are_in_the_labels_units(tmp_path):
    est = quick().fit(X, Y)
    found = est.predict(X)["price"]
    np.testing.assert_array_equal(est.task("price").predict(X), found)
    residual, total = ((PRICE - found) ** 2).sum(), ((PRICE - PRICE.mean()) ** 2).sum()
    assert est.score_tasks(X, Y)["price"] == pytest.approx(1 - residual / total)
    save(est, tmp_path / "m.mtl")
    for other in (pickle.loads(pickle.dumps(est)), load(tmp_path / "m.mtl")):
        np.testing.assert_array_equal(other.predict(X)["price"], found)
        assert other.tasks_["price"].smearing == est.tasks_["price"].smearing


def test_a_warm_start_ends_with_the_factor_of_a_single_fit():
    # A linear model alone, at a share of 1, would have one factor whatever the network.
    whole = quick(max_epochs=8, linear_blend=False).fit(X, Y)
    halves = quick(max_epochs=3, warm_start=True, linear_blend=False).fit(X, Y)
    before = halves.tasks_["price"].smearing
    halves.set_params(max_epochs=8).fit(X, Y)
    assert before != halves.tasks_["price"].smearing == whole.tasks_["price"].smearing
    np.testing.assert_array_equal(whole.predict(X)["price"], halves.predict(X)["price"])
    factor = halves.tasks_["price"].smearing
    assert halves.partial_fit(X, Y).tasks_["price"].smearing == factor


def test_without_held_out_rows_there_is_no_factor():
    assert quick(early_stopping=False).fit(X, Y).tasks_["price"].smearing == 1.0


def test_a_stacked_search_over_the_scale_finds_what_single_fits_find():
    grid = {"tasks": [None, {"price": Regression(transform="log")}]}
    est = quick(tasks=None, n_bags=1, precision="float64", max_epochs=4)
    search = StackedGridSearchCV(est, grid, cv=[(np.arange(120), np.arange(120, 160))], refit=False)
    found = search.fit(X, Y).cv_results_["mean_test_score"]
    for score, tasks in zip(found, grid["tasks"], strict=True):
        single = clone(est).set_params(tasks=tasks).fit(X[:120], part(slice(120)))
        assert score == pytest.approx(single.score(X[120:], part(slice(120, None))), abs=1e-5)
    assert found[0] != found[1]


def test_labels_of_another_sign_are_refused_before_training():
    wrong = {**Y, "price": PRICE - PRICE.mean()}
    with pytest.raises(ValueError, match="Task 'price' with transform='log' needs positive labels"):
        quick().fit(X, wrong)
    with pytest.raises(ValueError, match="Task 'price' with transform='log' needs positive labels"):
        quick().fit(X, Y, X_val=X, y_val=wrong)


def test_the_factor_is_found_beside_tasks_whose_decisions_have_more_axes():
    times = np.column_stack([RNG.uniform(1, 9, size=160), RNG.random(160) < 0.5])
    tasks = {"price": Regression(transform="log"), "relapse": Survival()}
    est = quick(tasks=tasks, n_bags=1).fit(X, {"relapse": times, **Y})
    assert 1.0 < est.tasks_["price"].smearing[0] < 3.0
