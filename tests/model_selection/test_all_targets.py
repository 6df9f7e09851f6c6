"""What a fold can't see of y: the kinds of its tasks, and tasks whose labels are all elsewhere."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor, MultiTaskTarget
from sklearn_mtl.model_selection import (
    StackedGridSearchCV,
    StackedHalvingGridSearchCV,
    StackedRandomizedSearchCV,
    TaskStratifiedKFold,
    multitask_scoring,
    task_scorer,
)
from sklearn_mtl.tasks import Regression

FOLDS = KFold(3)
# Twelve values in the first two thirds of the rows, forty in all.
COUNTS = np.r_[np.arange(60) % 12, np.arange(12, 42)]


class OwnFit(MultiTaskClassifierRegressor):
    def fit(self, X, y):
        return super().fit(X, y)


SEARCHES = {
    "grid": lambda est: StackedGridSearchCV(est, {"lr": [0.01, 0.03]}, cv=FOLDS),
    "randomized": lambda est: StackedRandomizedSearchCV(est, {"lr": [0.01, 0.03]}, n_iter=2, cv=FOLDS),
    "halving": lambda est: StackedHalvingGridSearchCV(est, {"lr": [0.01, 0.03]}, cv=FOLDS, min_epochs=2),
    "pipeline": lambda est: StackedGridSearchCV(
        Pipeline([("scale", StandardScaler()), ("net", est)]), {"net__lr": [0.01, 0.03]}, cv=FOLDS
    ),
    "own fit": lambda est: StackedGridSearchCV(
        OwnFit(**est.get_params(deep=False)), {"lr": [0.01]}, cv=FOLDS
    ),
    "search": lambda est: StackedGridSearchCV(
        GridSearchCV(est, {"lr": [0.01]}, cv=2), {"estimator__weight_decay": [0.0]}, cv=FOLDS
    ),
}


def within(estimator):
    estimator = getattr(estimator, "best_estimator_", estimator)
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


# --------------------------------------------------------------------------- kinds


@pytest.mark.parametrize("name", SEARCHES)
def test_a_kind_is_told_from_all_rows_once(cheap, drawn, name):
    X, Y = drawn[0], {"count": COUNTS, "price": drawn[0][:, 0]}
    search = SEARCHES[name](cheap()).fit(X, MultiTaskTarget(Y))
    named = SEARCHES[name](cheap(tasks={"count": "regression"})).fit(X, MultiTaskTarget(Y))
    # A fold that took the counts for classes would have an accuracy, and be above 0.
    for fold in range(3):
        np.testing.assert_array_equal(
            search.cv_results_[f"split{fold}_test_score"], named.cv_results_[f"split{fold}_test_score"]
        )
    best = within(search.best_estimator_)
    assert best.tasks_["count"].kind == "regression"
    # The estimator of a search within a search is a clone that was told.
    assert best.tasks is None or name == "search"
    assert search.get_params()["estimator"] is search.estimator


def test_a_search_of_scikit_learn_averages_other_kinds(cheap, drawn):
    X, Y = drawn[0], MultiTaskTarget({"count": COUNTS, "price": drawn[0][:, 0]})
    kinds = []

    def kind(est, X, y):
        kinds.append(est.tasks_["count"].kind)
        return 0.0

    for search in (GridSearchCV, StackedGridSearchCV):
        search(cheap(), {"lr": [0.01]}, cv=FOLDS, scoring=kind, refit=False).fit(X, Y)
    assert kinds == ["regression", "regression", "classification"] + ["regression"] * 3


def test_close_guesses_are_warned_of_once(cheap, drawn):
    Y = {"code": np.arange(90) % 17, "price": drawn[0][:, 0]}
    with pytest.warns(UserWarning, match="17 distinct values") as caught:
        StackedGridSearchCV(cheap(), {"lr": [0.01, 0.03]}, cv=FOLDS).fit(drawn[0], Y)
    assert len(caught) == 1


def test_what_a_candidate_says_of_a_kind_stands(cheap, drawn):
    X, Y = drawn[0], {"count": COUNTS, "price": drawn[0][:, 0]}
    grid = {"tasks__count": ["regression", "classification", Regression(loss="huber")]}
    kinds = {}

    def kind(est, X, y):
        kinds.setdefault(str(est.tasks["count"]), set()).add(est.tasks_["count"].kind)
        return 0.0

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = StackedGridSearchCV(cheap(), grid, cv=FOLDS, scoring=kind).fit(X, Y)
    assert kinds == {
        "regression": {"regression"},
        "classification": {"classification"},
        "Regression(loss='huber')": {"regression"},
    }
    # The other task was told from all rows, which is not a parameter of the user's.
    assert search.best_estimator_.tasks == {"count": "regression"}


def test_candidates_that_are_whole_estimators(cheap, drawn):
    X, Y = drawn[0], MultiTaskTarget({"count": COUNTS, "price": drawn[0][:, 0]})
    pipe = make_pipeline(StandardScaler(), cheap())
    models = [cheap(lr=0.02), OwnFit(**cheap().get_params(deep=False))]
    search = StackedGridSearchCV(pipe, {"multitaskclassifierregressor": models}, cv=FOLDS).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_[-1].tasks_["count"].kind == "regression"
    assert all(model.tasks is None for model in models)


def test_labels_that_nobody_can_tell_fail_as_in_a_fit(cheap, drawn):
    Y = MultiTaskTarget({"code": np.array([str(i) for i in range(90)]), "price": drawn[0][:, 0]})
    with pytest.raises(ValueError, match=r"All the 3 fits failed[\s\S]*'code'"):
        StackedGridSearchCV(cheap(), {"lr": [0.01]}, cv=FOLDS).fit(drawn[0], Y)


# --------------------------------------------------------------------------- tasks without labels in a fold


@pytest.fixture
def scarce(drawn):
    """A task whose ten labels are all in the first fold's test part."""
    X, _ = drawn
    labels = np.full(90, np.nan)
    labels[:10] = X[:10, 1]
    return MultiTaskTarget({"price": X[:, 0], "type": np.where(X[:, 1] > 0, "a", "b"), "scarce": labels})


LEFT_OUT = r"The 60 training rows of fold 1 of 3 have no label of the tasks \['scarce'\]"
NO_SCORE = "too few labels of the tasks"


def settings(**params):
    """Parameters that name the scarce task."""
    by_task = {"tasks": {"scarce": "regression"}, "task_weights": {"scarce": 2.0}}
    return {**by_task, "head_hidden_sizes": {"scarce": (4,)}, **params}


@pytest.mark.filterwarnings(f"ignore:These rows have {NO_SCORE}")
@pytest.mark.parametrize("name", ["grid", "randomized", "halving", "pipeline", "own fit"])
def test_a_fold_without_labels_of_a_task_leaves_it_out(cheap, drawn, scarce, name):
    with pytest.warns(UserWarning, match=LEFT_OUT) as caught:
        search = SEARCHES[name](cheap(**settings())).fit(drawn[0], scarce)
    assert len([one for one in caught if "training rows of" in str(one.message)]) == 1
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert list(within(search.best_estimator_).tasks_) == ["price", "type", "scarce"]
    # The first fold can't learn the task, the others have no label to score.
    assert search.task_results_["mean_test_scarce"].isna().all()
    assert search.task_results_["mean_test_price"].notna().all()
    assert len(search.pareto_front_) >= 1


def test_the_fold_is_fitted_as_if_there_were_no_such_task(cheap, drawn, scarce):
    X, _ = drawn
    weight = pd.DataFrame({"price": np.linspace(0.1, 1, 90), "scarce": np.ones(90)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = StackedGridSearchCV(cheap(**settings()), {"lr": [0.01]}, cv=FOLDS, refit=False)
        found = search.fit(X, scarce, sample_weight=weight).cv_results_["split0_test_score"][0]
    others = MultiTaskTarget({"price": scarce["price"], "type": scarce["type"]})
    alone = cheap().fit(X[30:], others[30:], weight[["price"]][30:])
    assert found == pytest.approx(alone.score(X[:30], others[:30], weight[["price"]][:30]), abs=1e-5)


@pytest.mark.filterwarnings("ignore:The 60 training rows")
def test_means_are_over_the_folds_that_have_the_task(cheap, drawn):
    X, _ = drawn
    # In the last two folds only: the first fold has none to score, the others both.
    labels = np.where(np.arange(90) < 30, np.nan, X[:, 1])
    Y = MultiTaskTarget({"price": X[:, 0], "late": labels})
    scoring = multitask_scoring(["price", "late"], {"late": ["r2", None]})
    search = StackedGridSearchCV(
        cheap(), {"lr": [0.01, 0.03]}, cv=FOLDS, scoring=scoring, refit="late_r2", return_train_score=True
    )
    with pytest.warns(UserWarning, match=r"late"):
        results = search.fit(X, Y).cv_results_
    for name in ("late_r2", "late_score"):
        folds = np.column_stack([results[f"split{fold}_test_{name}"] for fold in (1, 2)])
        assert np.isnan(results[f"split0_test_{name}"]).all()
        np.testing.assert_allclose(results[f"mean_test_{name}"], folds.mean(axis=1))
        np.testing.assert_allclose(results[f"std_test_{name}"], folds.std(axis=1))
        assert results[f"rank_test_{name}"].tolist() == (1 + np.argsort(-folds.mean(axis=1))).tolist()
    assert search.best_index_ == results["rank_test_late_r2"].argmin()
    np.testing.assert_allclose(search.task_results_["mean_test_late"], results["mean_test_late_r2"])


@pytest.mark.filterwarnings(f"ignore:These rows have {NO_SCORE}")
def test_labels_of_weight_0_are_none(cheap, drawn):
    X, _ = drawn
    Y = MultiTaskTarget({"price": X[:, 0], "size": X[:, 1]})
    weight = MultiTaskTarget({"size": (np.arange(90) < 30).astype(float)})
    with pytest.warns(UserWarning, match=r"fold 1 of 3 have no label of the tasks \['size'\]"):
        StackedGridSearchCV(cheap(), {"lr": [0.01]}, cv=FOLDS).fit(X, Y, sample_weight=weight)


@pytest.mark.filterwarnings(f"ignore:These rows have {NO_SCORE}")
def test_own_validation_rows_may_have_the_task(cheap, drawn, scarce):
    X, _ = drawn
    own = {"X_val": X[:20], "y_val": scarce[:20]}
    search = StackedGridSearchCV(cheap(early_stopping=True), {"lr": [0.01]}, cv=FOLDS, error_score="raise")
    with pytest.warns(UserWarning, match=LEFT_OUT):
        search.fit(X, scarce, **own)
    assert np.isfinite(search.best_score_)


def test_a_task_without_any_label_stays_an_error(cheap, drawn):
    X, _ = drawn
    Y = MultiTaskTarget({"price": X[:, 0], "none": np.full(90, np.nan)})
    with pytest.raises(ValueError, match="Task 'none' needs at least one label"):
        StackedGridSearchCV(cheap(), {"lr": [0.01]}, cv=FOLDS, error_score="raise").fit(X, Y)


def test_scikit_learns_own_searches_name_the_way_out(cheap, drawn, scarce):
    X, _ = drawn
    with pytest.raises(ValueError, match=r"Task 'scarce' needs .* cv=TaskStratifiedKFold\(\)"):
        cross_val_score(cheap(), X, scarce, cv=FOLDS, error_score="raise")
    assert np.isfinite(
        cross_val_score(cheap(), X, scarce, cv=TaskStratifiedKFold(3), error_score="raise")
    ).all()


def test_scorers_of_a_task_that_was_left_out(cheap, drawn, scarce):
    found = {}

    def look(est, X, y):
        found[len(found)] = (
            est.score_tasks(X, y),
            est.score_tasks(X, y, metrics={"scarce": "r2"}),
            task_scorer("scarce", "r2")(est, X, y),
            list(est.predict(X)),
        )
        return 0.0

    search = StackedGridSearchCV(
        cheap(), {"lr": [0.01]}, cv=[(np.arange(30, 90), np.arange(30))], scoring=look
    )
    with pytest.warns(UserWarning, match="training rows of fold 1 of 1") as caught:
        search.fit(drawn[0], scarce)
    assert len(caught) == 1
    scores, by_metric, score, predicted = found[0]
    assert scores.isna().tolist() == [False, False, True]
    assert list(scores.attrs["metrics"]) == ["price", "type"]
    assert by_metric.isna().tolist() == [True]
    assert np.isnan(score)
    assert predicted == ["price", "type"]


def test_others_are_left_alone(drawn):
    X, _ = drawn
    search = StackedGridSearchCV(Ridge(), {"alpha": [1.0]}, cv=FOLDS).fit(X, X[:, :2])
    assert np.isfinite(search.best_score_)
    with_gaps = np.where(np.arange(90)[:, None] < [0, 30], np.nan, X[:, :2])
    est = MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=2, random_state=0)
    assert np.isfinite(StackedGridSearchCV(est, {"lr": [0.01]}, cv=KFold(2)).fit(X, with_gaps).best_score_)
