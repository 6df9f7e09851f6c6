"""A search that trains one net for all preferences has the face of the others, and ordinary estimators."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor, MultiTaskTarget
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.export import load, save
from sklearn_mtl.inference import linear_path
from sklearn_mtl.model_selection import ManifoldSearchCV, StackedGridSearchCV, multitask_scoring, score_tasks
from sklearn_mtl.network import MultiTaskModule
from sklearn_mtl.training import ManifoldPlan, MultiTaskNet
from sklearn_mtl.trunks import MLP

CV = KFold(3, shuffle=True, random_state=0)
QUICK = {
    "trunk": MLP((8,)), "n_bags": 1, "max_epochs": 3, "random_state": 0, "linear_blend": False,
}  # fmt: skip
X = np.random.RandomState(0).normal(size=(72, 4))
Y = {"price": 100 + 10 * X[:, 0], "type": np.where(X[:, 1] > 0, "flat", "house")}


def quick(**params):
    return MultiTaskClassifierRegressor(**{**QUICK, **params})


@pytest.fixture(scope="module")
def search():
    return ManifoldSearchCV(quick(n_bags=2), 3, cv=CV).fit(X, Y)


def assert_same_answers(one, other):
    mine, theirs = one.predict(X), other.predict(X)
    np.testing.assert_array_equal(mine["price"], theirs["price"])
    np.testing.assert_array_equal(mine["type"], theirs["type"])
    np.testing.assert_array_equal(one.transform(X), other.transform(X))


def test_a_row_reads_like_one_of_a_grid_over_task_weights(search):
    rows = [{"task_weights__price": 2 * a, "task_weights__type": 2 - 2 * a} for a in (0.5, 0.25, 0.75)]
    grid = StackedGridSearchCV(quick(), [{name: [v] for name, v in row.items()} for row in rows], cv=CV)
    grid.fit(X, Y)
    assert search.cv_results_["params"] == rows == grid.cv_results_["params"]
    assert list(search.cv_results_) == list(grid.cv_results_)
    assert list(search.task_results_) == list(grid.task_results_)
    assert search.preferences_.to_numpy().tolist() == [[0.5, 0.5], [0.25, 0.75], [0.75, 0.25]]
    assert search.best_params_ == rows[search.best_index_]
    assert search.best_score_ == max(search.cv_results_["mean_test_score"])
    assert set(search.pareto_front_.index) <= {0, 1, 2}
    assert search.score(X, Y) == search.best_estimator_.score(X, Y)
    assert search.n_features_in_ == 4


def test_the_best_estimator_is_that_of_a_grid_search(search):
    best = clone(search.estimator).set_params(**search.best_params_).fit(X, Y)
    assert repr(search.best_estimator_) == repr(best)
    assert_same_answers(search.best_estimator_, best)


def test_at_a_preference_is_an_ordinary_estimator(search, tmp_path):
    best = search.at(search.preferences_.iloc[1].to_dict())
    assert {type(net) for net in best.nets_} == {MultiTaskNet}
    assert {type(net.network) for net in best.nets_} == {MultiTaskModule}
    weights = search.cv_results_["params"][1]
    assert repr(best) == repr(clone(quick(n_bags=2)).set_params(**weights))
    assert best.history_[["weight_price", "weight_type"]].iloc[0].tolist() == [0.5, 1.5]
    save(best, tmp_path / "best.zip")
    for copy in (load(tmp_path / "best.zip"), pickle.loads(pickle.dumps(best))):
        assert_same_answers(copy, best)
    on = pickle.loads(pickle.dumps(best)).partial_fit(X, Y)
    assert on.nets_[0].history[-1]["epoch"] == len(best.nets_[0].history) + 1


def test_at_is_the_same_fit_at_another_preference(search):
    by_name, in_order = search.at({"type": 9, "price": 1}), search.at([0.1, 0.9])
    assert_same_answers(by_name, in_order)
    assert by_name.task_weights == pytest.approx({"price": 0.2, "type": 1.8})
    assert not np.array_equal(by_name.predict(X)["price"], search.at([0.9, 0.1]).predict(X)["price"])
    assert search.estimator.task_weights is None
    assert_same_answers(pickle.loads(pickle.dumps(search)).at([1, 9]), by_name)


def test_one_net_is_trained_for_each_fold_and_one_for_all_preferences_asked_for(monkeypatch):
    built = []
    build = ManifoldPlan.build
    monkeypatch.setattr(ManifoldPlan, "build", lambda *args: built.append(0) or build(*args))
    search = ManifoldSearchCV(quick(), 7, cv=CV).fit(X, Y)
    assert len(built) == 3
    search.at([1, 3])
    search.at([3, 1])
    assert len(built) == 4


def test_models_beside_the_nets_are_found_once_for_each_fold(monkeypatch):
    found = []
    path = linear_path.LinearModels.path
    monkeypatch.setattr(linear_path.LinearModels, "path", lambda *args: found.append(0) or path(*args))
    search = ManifoldSearchCV(quick(linear_blend=True), 3, cv=CV).fit(X, Y)
    # One more for the best.
    assert len(found) == 4
    search.at([0.2, 0.8])
    assert len(found) == 5
    assert search.at([0.3, 0.7]).net_.network.linear is not None


def test_a_corner_is_better_at_its_own_task_where_tasks_are_in_conflict():
    data, targets = make_multitask(600, 8, n_regression=2, relatedness=0.0, noise=0.3, random_state=0)
    est = MultiTaskRegressor(
        trunk=MLP((2,)), n_bags=1, linear_blend=False, tree_blend=False, max_epochs=40, random_state=0
    )
    search = ManifoldSearchCV(est, [[0.5, 0.5]], cv=[(np.arange(400), np.arange(400, 600))])
    search.fit(data, targets)
    of_first, of_second = (score_tasks(search.at(one), data, targets) for one in ([1, 0], [0, 1]))
    assert of_first["regression0"] > of_second["regression0"] + 0.05
    assert of_second["regression1"] > of_first["regression1"] + 0.05


def test_task_weights_of_the_user_are_multiplied_and_those_of_0_have_no_part():
    weighted = quick(task_weights={"price": 3.0, "size": 0.0})
    search = ManifoldSearchCV(weighted, [[1, 3]], cv=CV).fit(X, {**Y, "size": X[:, 2]})
    assert list(search.preferences_) == ["price", "type"]
    assert search.best_params_ == {"task_weights__price": 1.5, "task_weights__type": 1.5}
    assert search.best_estimator_.task_weights == {"price": 1.5, "type": 1.5, "size": 0.0}


@pytest.mark.parametrize("n_tasks", [1, 5])
def test_one_task_and_five_are_refused_before_training(n_tasks, monkeypatch):
    monkeypatch.setattr(ManifoldPlan, "build", None)
    targets = {f"y{i}": X[:, 0] + i for i in range(n_tasks)}
    with pytest.raises(ValueError, match=f"two to four tasks of positive weight .* Found {n_tasks}: "):
        ManifoldSearchCV(quick(), cv=CV).fit(X, targets)


def test_what_it_can_not_do_is_refused():
    with pytest.raises(TypeError, match=r"`estimator` must be a multi-task estimator .* Found: Ridge is"):
        ManifoldSearchCV(Ridge(), cv=CV).fit(X, X[:, :2])
    with pytest.raises(ValueError, match="`task_weights` names unknown tasks"):
        ManifoldSearchCV(quick(task_weights={"prise": 1.0}), cv=CV).fit(X, Y)
    with pytest.raises(ValueError, match="must have a finite non-negative number for each task"):
        ManifoldSearchCV(quick(), [{"price": 1.0}], cv=CV).fit(X, Y)
    unfitted = ManifoldSearchCV(quick(), 3, cv=CV, refit=False)
    with pytest.raises(NotFittedError, match="Call `fit`, with `refit`"):
        unfitted.fit(X, Y).at([1, 1])


def test_at_takes_the_parameters_that_preferences_come_to():
    est = make_pipeline(StandardScaler(), quick(task_weights={"price": 2.0}))
    search = ManifoldSearchCV(est, 3, cv=CV).fit(X, Y)
    rows = search.cv_results_["params"]
    for params, preference in zip(rows, search.preferences_.iloc, strict=True):
        found, same = search.at(params), search.at(preference)
        assert found.get_params().items() >= params.items()
        np.testing.assert_allclose(found.predict(X)["price"], same.predict(X)["price"])
    with pytest.raises(ValueError, match="must have a finite non-negative number for each task"):
        search.at(dict.fromkeys(rows[0], "1"))


def test_a_fit_that_fails_scores_error_score_at_every_preference():
    est = make_pipeline(StandardScaler(), quick(lr=1e30, max_epochs=1))
    with pytest.raises(ValueError, match="nan or infinite"):
        ManifoldSearchCV(est, 3, cv=CV, error_score="raise").fit(X, Y)
    search = ManifoldSearchCV(quick(trunk=MLP((8,), dropout=2.0)), 3, cv=CV)
    with pytest.raises(ValueError, match="All the 9 fits failed"):
        search.fit(X, Y)


def test_in_a_pipeline_with_several_scores_and_arrays():
    est = make_pipeline(StandardScaler(), quick())
    scoring = multitask_scoring(["y0", "y1"])
    search = ManifoldSearchCV(est, 3, cv=CV, scoring=scoring, refit="y1", return_train_score=True, n_jobs=2)
    with parallel_config("threading"):
        search.fit(X, X[:, :2] @ [[1.0, 0.0], [1.0, 2.0]])
    assert list(search.cv_results_["params"][0]) == [
        f"multitaskclassifierregressor__task_weights__y{i}" for i in range(2)
    ]
    assert np.isfinite(search.cv_results_["mean_train_y0"]).all()
    assert search.best_index_ == np.argmax(search.cv_results_["mean_test_y1"])
    assert search.at([1, 3]).predict(X).shape == (72, 2)


def test_missing_labels_and_a_fold_without_a_task():
    # Labels of the third task are in the test part of the first fold only.
    rare = np.where(np.arange(72) < 24, X[:, 2], np.nan)
    some = {**Y, "price": np.where(np.arange(72) % 5 == 0, np.nan, Y["price"]), "rare": rare}
    search = ManifoldSearchCV(quick(), [[1, 1, 1], [0, 0, 1]], cv=KFold(3))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, some)
    assert any("have no label of the tasks ['rare']" in str(one.message) for one in caught)
    assert np.isfinite(search.best_estimator_.predict(X)["rare"]).all()
    # No fit to the first fold counts the third task alone.
    scores = search.cv_results_["split0_test_score"]
    assert np.isfinite(scores[0])
    assert np.isnan(scores[1])


@pytest.mark.parametrize("sharing", ["separate", "cross_stitch", "mmoe", "soft"])
def test_every_way_of_sharing_has_its_front(sharing):
    est = quick(sharing=sharing, head_hidden_sizes=(4,), patience=2, ema_decay=0.9)
    search = ManifoldSearchCV(est, 3, cv=CV).fit(pd.DataFrame(X), MultiTaskTarget(Y))
    first, second = (search.at(one).predict(X)["price"] for one in ([0.9, 0.1], [0.1, 0.9]))
    assert np.isfinite(first).all()
    assert not np.array_equal(first, second)


def test_a_seed_gives_the_same_front(search):
    again = ManifoldSearchCV(quick(n_bags=2), 3, cv=CV).fit(X, Y)
    pd.testing.assert_frame_equal(again.task_results_, search.task_results_)
    assert_same_answers(again, search)


def test_ctrl_c_leaves_the_search_as_it_was(search, monkeypatch):
    before = dict(vars(search))

    def interrupted(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(ManifoldPlan, "build", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert vars(search) == before


def test_sample_weights_and_validation_rows_go_to_the_fits():
    weight = np.where(X[:, 0] > 0, 1.0, 0.01)
    plain = ManifoldSearchCV(quick(max_epochs=8), 3, cv=CV).fit(X, Y)
    weighted = ManifoldSearchCV(quick(max_epochs=8), 3, cv=CV)
    weighted.fit(X, Y, sample_weight=weight, X_val=X[:20], y_val={n: y[:20] for n, y in Y.items()})
    first, second = (one.at([1, 1]).predict(X)["price"] for one in (plain, weighted))
    assert not np.allclose(first, second)
