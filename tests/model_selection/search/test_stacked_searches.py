"""The stacked searches are scikit-learn's: the same grid through both gives the same numbers."""

import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from joblib import parallel_config
from scipy.stats import loguniform
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from sklearn_mtl import (
    MultiTaskClassifier,
    MultiTaskClassifierRegressor,
    MultiTaskRegressor,
    MultiTaskTarget,
)
from sklearn_mtl.estimators import fitting
from sklearn_mtl.features import FeatureEncoder
from sklearn_mtl.model_selection import (
    StackedGridSearchCV,
    StackedHalvingGridSearchCV,
    StackedRandomizedSearchCV,
    multitask_scorer,
    multitask_scoring,
    task_scorer,
)
from sklearn_mtl.training import train_nets
from sklearn_mtl.trunks import MLP

CV = KFold(3, shuffle=True, random_state=0)
QUICK = {
    "trunk": MLP((8,)), "n_bags": 1, "max_epochs": 3, "random_state": 0, "precision": "float64",
    "preprocessing": None, "linear_blend": False,
}  # fmt: skip
GRID = {"task_weights__type": [0.3, 1.0], "lr": [0.003, 0.03]}


def quick(cls=MultiTaskClassifierRegressor, **params):
    return cls(**{**QUICK, **params})


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).normal(size=(72, 4))


@pytest.fixture(scope="module")
def Y(X):
    return {"price": 100 + 10 * X[:, 0], "type": np.where(X[:, 1] > 0, "flat", "house")}


def assert_same_results(ours, theirs):
    """All of `cv_results_` but the times is equal."""
    assert list(ours) == list(theirs)
    for key, expected in theirs.items():
        if key == "params":
            assert ours[key] == expected or str(ours[key]) == str(expected)
        elif key.startswith("param_"):
            assert ours[key].dtype == expected.dtype
            assert str(ours[key].tolist()) == str(expected.tolist())
        elif key.endswith("_time"):
            assert ours[key].shape == expected.shape
            assert (ours[key] >= 0).all()
        else:
            # What a stack rounds differently is far below 1e-6 in double precision.
            np.testing.assert_allclose(ours[key], expected, rtol=0, atol=1e-6, err_msg=key)
            assert ours[key].dtype == expected.dtype


def both(estimator, grid, X, y, fit_params=None, theirs_y=None, ours=StackedGridSearchCV, **settings):
    """Fit the same search of each kind, compare, and return both."""
    theirs = {StackedGridSearchCV: GridSearchCV, StackedRandomizedSearchCV: RandomizedSearchCV}[ours]
    settings = {"cv": CV, **settings}
    fitted = [
        search(estimator, grid, **settings).fit(X, labels, **(fit_params or {}))
        for search, labels in ((ours, y), (theirs, y if theirs_y is None else theirs_y))
    ]
    stacked, plain = fitted
    assert_same_results(stacked.cv_results_, plain.cv_results_)
    for name in ("best_params_", "best_index_", "n_splits_", "multimetric_"):
        if hasattr(plain, name):
            assert str(getattr(stacked, name)) == str(getattr(plain, name))
        else:
            assert not hasattr(stacked, name)
    extra = {name for name in vars(stacked) if name.endswith("_")} - {
        "pareto_front_",
        "stacked_",
        "task_results_",
        "interrupted_",
    }
    assert extra == {name for name in vars(plain) if name.endswith("_")}
    return stacked, plain


# --------------------------------------------------------------------------- the same as scikit-learn's


def test_a_grid_gives_what_grid_search_gives(X, Y):
    ours, theirs = both(quick(), GRID, X, Y, theirs_y=MultiTaskTarget(Y), return_train_score=True)
    assert isinstance(ours, GridSearchCV)
    assert ours.best_score_ == pytest.approx(theirs.best_score_, abs=1e-6)
    assert ours.refit_time_ > 0
    predicted, expected = ours.predict(X), theirs.predict(X)
    np.testing.assert_array_equal(predicted["price"], expected["price"])
    np.testing.assert_array_equal(predicted["type"], expected["type"])
    assert ours.score(X, Y) == theirs.score(X, MultiTaskTarget(Y))
    assert ours.n_features_in_ == 4
    assert list(ours.classes_) == ["type"]


def test_frames_with_early_stopping_bags_and_preprocessing(mixed):
    X, Y = mixed
    est = quick(preprocessing="auto", n_bags=2, max_epochs=4)
    grid = {"task_weights__binary0": [0.3, 1.0], "lr": [0.003, 0.03]}
    ours, theirs = both(est, grid, X, pd.DataFrame(Y))
    assert ours.feature_names_in_.tolist() == theirs.feature_names_in_.tolist() == X.columns.tolist()
    assert ours.stacked_["n_nets"].tolist() == [6] * 4


def test_randomized(X, Y):
    drawn = {"lr": loguniform(1e-3, 1e-1), "task_weights__type": [0.1, 1.0]}
    ours, _ = both(
        quick(), drawn, X, MultiTaskTarget(Y), ours=StackedRandomizedSearchCV, n_iter=3, random_state=1
    )
    assert isinstance(ours, RandomizedSearchCV)


@pytest.mark.parametrize(
    "grid",
    [
        [{"lr": [0.01]}, {"trunk__hidden_sizes": [(4,), (8,)], "weight_decay": [0.0]}],
        {"preprocessing": [None, StandardScaler(), MinMaxScaler()], "lr": [0.01, 0.02]},
        {"random_state": [0, 1], "n_bags": [1, 2]},
        {"validation_fraction": [0.1, 0.3], "early_stopping": [True, False]},
        {"tasks__price__loss": ["huber", "squared_error"], "tasks__type__label_smoothing": [0.0, 0.1]},
        [{"precision": ["float32", "float64"]}, {"calibrate": [True, False], "linear_blend": [True]}],
        {"task_weights": [None, {"type": 0.0}, {"price": 0.0}]},
        {"batch_size": [8, 16], "max_epochs": [1, 3], "optimizer": ["sgd", "adam"]},
    ],
    ids=lambda grid: "+".join(
        dict.fromkeys(k for g in ([grid] if isinstance(grid, dict) else grid) for k in g)
    ),
)
def test_any_parameter_may_be_searched(grid, X, Y):
    est = quick(tasks={"price": "regression", "type": "classification"})
    both(est, grid, X, MultiTaskTarget(Y))


def test_several_scores(X, Y):
    scoring = multitask_scoring(["price", "type"], {"type": ["accuracy", "neg_log_loss"]})
    ours, _ = both(quick(), GRID, X, MultiTaskTarget(Y), scoring=scoring, refit="mean")
    assert ours.multimetric_ is True
    assert list(ours.scorer_) == list(scoring)
    both(quick(), GRID, X, MultiTaskTarget(Y), scoring=scoring, refit=False)


def scores_of_both(estimator, X, y):
    by_task = estimator.score_tasks(X, y)
    return {"price": by_task["price"], "type": by_task["type"]}


def last_candidate(results):
    return len(results["params"]) - 1


def test_callable_scoring_and_refit(X, Y):
    Y = MultiTaskTarget(Y)
    both(quick(), GRID, X, Y, scoring=scores_of_both, refit="price")
    ours, _ = both(quick(), GRID, X, Y, refit=last_candidate)
    assert ours.best_index_ == 3
    assert not hasattr(ours, "best_score_")
    both(quick(), GRID, X, Y, scoring=task_scorer("price", "neg_mean_absolute_error"))
    message = "refit must be set to a"
    with pytest.raises(ValueError, match=message):
        StackedGridSearchCV(quick(), GRID, cv=CV, scoring=scores_of_both).fit(X, Y)


def test_the_single_kinds_and_arrays(X, Y):
    labels = Y["type"]
    ours, _ = both(quick(MultiTaskClassifier), {"lr": [0.003, 0.03]}, X, labels, cv=3, scoring="accuracy")
    assert is_classifier(ours)
    assert ours.classes_.tolist() == ["flat", "house"]
    assert ours.predict_proba(X).shape == (72, 2)
    ours, _ = both(
        quick(MultiTaskRegressor),
        {"lr": [0.003, 0.03]},
        X,
        X[:, :2],
        cv=list(StratifiedKFold(2).split(X, labels)),
    )
    assert is_regressor(ours)


@pytest.mark.parametrize("error_score", ["raise", np.nan])
@pytest.mark.parametrize(
    ("scoring", "found"),
    [
        (task_scorer("prise", "r2"), "prise"),
        (multitask_scorer({"price": None, "tipe": None}), "tipe"),
        (multitask_scoring(["price", "tipe"]), "tipe"),
    ],
    ids=["task", "mean", "several"],
)
def test_a_score_of_a_task_that_there_is_not_is_refused_before_training(
    X, Y, monkeypatch, scoring, found, error_score
):
    monkeypatch.setattr(fitting, "train_nets", lambda *args, **kwargs: pytest.fail("trained"))
    refit = "mean" if isinstance(scoring, dict) else True
    message = rf"`scoring` names unknown tasks \['{found}'\]; the tasks are \['price', 'type'\]\."
    for search in SEARCHES:
        with pytest.raises(ValueError, match=message):
            search(quick(), {"lr": [0.01]}, cv=CV, scoring=scoring, refit=refit, error_score=error_score).fit(
                X, Y
            )


SEARCHES = [StackedGridSearchCV, StackedHalvingGridSearchCV, partial(StackedRandomizedSearchCV, n_iter=1)]


@pytest.mark.parametrize("search", SEARCHES, ids=["grid", "halving", "random"])
@pytest.mark.parametrize("container", [dict, MultiTaskTarget, pd.DataFrame])
def test_a_classifier_of_several_tasks_takes_a_number_of_folds(X, Y, search, container):
    """They are no classes to stratify by, with gaps or without: folds are as for a mixed estimator."""
    labels = Y["type"].astype(object)
    gaps = np.where(np.arange(72) % 7 == 0, None, labels)
    ours = search(quick(MultiTaskClassifier), {"lr": [0.01]}, cv=3)
    for Y_of_two in ({"a": labels, "b": np.arange(72) % 2}, {"a": labels, "b": gaps}):
        by_number = clone(ours).fit(X, container(Y_of_two)).cv_results_
        by_folds = clone(ours).set_params(cv=KFold(3)).fit(X, container(Y_of_two)).cv_results_
        assert by_number["split0_test_score"] == by_folds["split0_test_score"]
    assert clone(ours).fit(X, container({"a": gaps})).n_splits_ == 3


def test_folds_of_a_classifier_are_those_of_scikit_learn_where_it_has_any(X, Y):
    """One column of classes is stratified, sorted ones too; several columns are not."""
    both(quick(MultiTaskClassifier), {"lr": [0.03]}, X, pd.DataFrame({"a": np.sort(Y["type"])}), cv=2)
    several = pd.DataFrame({"a": np.arange(72) % 2, "b": np.arange(72) // 9 % 2})
    both(quick(MultiTaskClassifier), {"lr": [0.03]}, X, several, cv=2)


def test_groups(X, Y):
    groups = np.arange(72) % 5
    both(quick(), GRID, X, MultiTaskTarget(Y), {"groups": groups}, cv=GroupKFold(3))


def test_sample_weight_without_routing(X, Y):
    weight = np.linspace(0.1, 2.0, 72)
    both(quick(), GRID, X, MultiTaskTarget(Y), {"sample_weight": weight})
    by_task = {"price": weight, "type": np.ones(72)}
    ours = StackedGridSearchCV(quick(), GRID, cv=CV).fit(X, Y, sample_weight=by_task)
    theirs = GridSearchCV(quick(), GRID, cv=CV)
    theirs.fit(X, MultiTaskTarget(Y), sample_weight=MultiTaskTarget(by_task))
    assert_same_results(ours.cv_results_, theirs.cv_results_)


def test_sample_weight_with_routing(X, Y, routing):
    weight = np.linspace(0.1, 2.0, 72)
    network = quick()
    est = clone(network).set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
    ours, _ = both(est, GRID, X, MultiTaskTarget(Y), {"sample_weight": weight})
    unweighted = StackedGridSearchCV(network, GRID, cv=CV).fit(X, Y)
    assert not np.allclose(ours.cv_results_["mean_test_score"], unweighted.cv_results_["mean_test_score"])
    est.set_score_request(sample_weight=True)
    pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), est)
    grid = {f"multitaskclassifierregressor__{name}": values for name, values in GRID.items()}
    both(pipe, grid, X, MultiTaskTarget(Y), {"sample_weight": weight})


def test_candidates_that_ask_for_other_metadata(X, Y, routing):
    asks = quick().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    asks_not = quick().set_fit_request(sample_weight=False).set_score_request(sample_weight=True)
    scale = StandardScaler().set_fit_request(sample_weight=True)
    pipe = Pipeline([("scale", scale), ("model", asks)])
    both(
        pipe, {"model": [asks, asks_not]}, X, MultiTaskTarget(Y), {"sample_weight": np.linspace(0.1, 2.0, 72)}
    )


def test_pipeline(X, Y):
    pipe = Pipeline([("scale", StandardScaler()), ("pca", PCA(3, random_state=0)), ("model", quick())])
    grid = {
        "scale": [StandardScaler(), "passthrough"],
        "model__lr": [0.003, 0.03],
        "pca__n_components": [2, 3],
    }
    both(pipe, grid, X, MultiTaskTarget(Y))
    within = Pipeline([("scale", MinMaxScaler()), ("rest", Pipeline([("pca", PCA(2)), ("model", quick())]))])
    both(within, {"rest__model__lr": [0.003, 0.03]}, X, MultiTaskTarget(Y))


def test_own_validation_rows(X, Y):
    own = {"X_val": X[:20], "y_val": MultiTaskTarget({name: values[:20] for name, values in Y.items()})}
    # Not as many as there are rows: they are not split.
    both(quick(), GRID, X, MultiTaskTarget(Y), own)


def test_global_random_state_draws_as_in_scikit_learn(X, Y):
    found = []
    for search in (StackedGridSearchCV, GridSearchCV):
        np.random.seed(3)  # noqa: NPY002 - scikit-learn's default generator
        found.append(search(quick(random_state=None), GRID, cv=CV).fit(X, MultiTaskTarget(Y)))
    assert_same_results(found[0].cv_results_, found[1].cv_results_)


# --------------------------------------------------------------------------- what fits share


def plans_of(monkeypatch, search, X, Y):
    """Return the plans that the search hands over at once."""
    handed = []

    def spy(plans, **settings):
        handed.append(list(plans))
        return train_nets(plans, **settings)

    monkeypatch.setattr(fitting, "train_nets", spy)
    search.fit(X, Y)
    assert len(handed) == 1
    return handed[0]


def test_all_nets_are_handed_over_at_once_and_share_their_rows(monkeypatch, X, Y):
    search = StackedGridSearchCV(quick(n_bags=2), GRID, cv=CV, refit=False)
    plans = plans_of(monkeypatch, search, X, Y)
    assert len(plans) == 4 * 3 * 2
    # Two nets of a bag, three folds: the candidates add none.
    assert len({id(plan.train) for plan in plans}) == len({id(plan.valid) for plan in plans}) == 6


def test_what_shapes_the_rows_is_not_shared(monkeypatch, X, Y):
    grid = {"random_state": [0, 1], "preprocessing": [None, StandardScaler()], "lr": [0.1, 0.2]}
    plans = plans_of(monkeypatch, StackedGridSearchCV(quick(), grid, cv=CV, refit=False), X, Y)
    assert len({id(plan.train) for plan in plans}) == 3 * 4
    drawn = StackedGridSearchCV(quick(random_state=None), {"lr": [0.1, 0.2]}, cv=CV, refit=False)
    plans = plans_of(monkeypatch, drawn, X, Y)
    assert len({id(plan.train) for plan in plans}) == 6


class Counted(StandardScaler):
    n_fits = 0

    def fit(self, X, y=None, sample_weight=None):
        type(self).n_fits += 1
        return super().fit(X, y, sample_weight)


def test_preprocessing_runs_once_for_each_fold(monkeypatch, X, Y):
    monkeypatch.setattr(Counted, "n_fits", 0)
    encoded = []
    transform = FeatureEncoder.transform
    monkeypatch.setattr(FeatureEncoder, "transform", lambda *a: encoded.append(1) or transform(*a))
    search = StackedGridSearchCV(quick(preprocessing=Counted()), GRID, cv=CV, refit=False)
    search.fit(X, Y)
    assert Counted.n_fits == 3
    monkeypatch.setattr(Counted, "n_fits", 0)
    pipe = Pipeline([("scale", Counted()), ("model", quick())])
    grid = {"model__lr": [0.1, 0.2, 0.3], "scale__with_mean": [True, False]}
    StackedGridSearchCV(pipe, grid, cv=CV, refit=False).fit(X, Y)
    assert Counted.n_fits == 3 * 2


def test_rows_to_score_are_encoded_once_for_each_fold_and_encoder(monkeypatch, X, Y):
    encoded = []
    transform = FeatureEncoder.transform

    def spy(encoder, X, rows=None):
        blocks = transform(encoder, X, rows)
        encoded.append(len(blocks["x"]))
        return blocks

    monkeypatch.setattr(FeatureEncoder, "transform", spy)
    frame, Y = pd.DataFrame(X, columns=list("abcd")), MultiTaskTarget(Y)
    scoring = {**multitask_scoring(["price", "type"]), "own": mean_price}
    settings = {"cv": CV, "refit": False, "scoring": scoring}
    StackedGridSearchCV(quick(preprocessing="auto"), GRID, **settings).fit(frame, Y)
    # The 48 rows to train on are encoded to be learnt from, the 24 others to be scored on.
    assert sorted(encoded) == [24] * 3 + [48] * 3
    encoded.clear()
    grid = {**GRID, "preprocessing": ["auto", StandardScaler()]}
    StackedGridSearchCV(quick(), grid, **settings, return_train_score=True).fit(frame, Y)
    assert sorted(encoded) == [24] * 6 + [48] * 12


def mean_price(estimator, X, y):
    return float(estimator.predict(X)["price"].mean())


def test_what_is_scored_takes_no_rows_of_the_search_along(X, Y):
    sizes = []

    def size(estimator, X, y):
        estimator.predict(X)
        assert [asked.rows.X is X for asked in estimator._fitted.shared] == [True]
        sizes.append(len(pickle.loads(pickle.dumps(estimator))._fitted.shared))
        # Of rows that are another object nothing is remembered.
        changed = X + 1.0
        np.testing.assert_array_equal(estimator.predict(changed)["price"], clean(estimator, changed))
        return 0.0

    def clean(estimator, X):
        return pickle.loads(pickle.dumps(estimator)).predict(X)["price"]

    search = StackedGridSearchCV(quick(), {"lr": [0.01, 0.1]}, cv=2, scoring=size).fit(X, Y)
    assert sizes == [0] * 4
    assert not search.best_estimator_._fitted.shared


def test_preprocessing_that_writes_to_its_rows_gets_its_own(X, Y):
    own, grid = quick(preprocessing=StandardScaler(copy=False)), {"lr": [0.003, 0.03]}
    both(own, grid, X, MultiTaskTarget(Y))
    pipe = Pipeline([("scale", StandardScaler(copy=False)), ("model", quick())])
    ours, _ = both(pipe, {"model__lr": [0.003, 0.03]}, X, MultiTaskTarget(Y))
    front = ours.pareto_front_.filter(like="mean_test_").mean(axis=1)
    np.testing.assert_allclose(front, ours.cv_results_["mean_test_score"][front.index], atol=1e-6)


def test_steps_that_can_not_be_compared_are_not_shared(X, Y):
    offset = 1.0
    step = FunctionTransformer(lambda values: values + offset)
    pipe = Pipeline([("shift", step), ("model", quick())])
    both(pipe, {"model__lr": [0.003, 0.03]}, X, MultiTaskTarget(Y))


# --------------------------------------------------------------------------- what can't be stacked


def test_other_estimators_are_searched_as_scikit_learn_does_it(X, Y):
    ours, _ = both(Ridge(), {"alpha": [0.1, 1.0]}, X, Y["price"], n_jobs=2)
    assert ours.stacked_["stacked"].tolist() == [False, False]
    assert ours.stacked_["reason"].unique().tolist() == [
        "Ridge is neither a multi-task estimator nor a Pipeline that ends in one"
    ]
    assert not hasattr(ours, "pareto_front_")
    around = TransformedTargetRegressor(quick(MultiTaskRegressor))
    ours, _ = both(around, {"regressor__lr": [0.01, 0.1]}, X, Y["price"])
    assert not ours.stacked_["stacked"].any()


def test_why_nets_were_trained_alone(X, Y):
    grid = [{"optimizer": ["adamw"], "lr": [0.003, 0.01]}, {"optimizer": ["sgd"]}]
    search = StackedGridSearchCV(quick(), grid, cv=CV, refit=False).fit(X, Y)
    found = search.stacked_
    assert found.columns.tolist() == ["candidate", "params", "n_nets", "stacked", "reason"]
    assert found["params"].tolist() == search.cv_results_["params"]
    assert found["stacked"].tolist() == [True, True, False]
    assert found["n_nets"].tolist() == [3, 3, 3]
    assert found["reason"][0] == ""
    assert found["reason"][2].startswith("its optimizer is SGD")


def test_nets_in_no_stack_are_trained_in_several_processes(X, Y):
    grid = {"optimizer": ["sgd", "rmsprop"], "lr": [0.003, 0.01]}
    ours, _ = both(quick(), grid, X, MultiTaskTarget(Y), n_jobs=2)
    assert not ours.stacked_["stacked"].any()
    assert ours.stacked_["reason"][0].startswith("its optimizer is SGD")


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_jobs_of_any_backend_come_to_an_end(X, Y, backend):
    # What scores a net is parallel itself: it must not meet the jobs that are still running.
    estimator = quick(preprocessing="auto", optimizer="sgd")
    with parallel_config(backend=backend, n_jobs=2):
        ours, _ = both(estimator, {"lr": [0.003, 0.01]}, X, MultiTaskTarget(Y))
    assert not ours.stacked_["stacked"].any()


class OwnFit(MultiTaskClassifierRegressor):
    def fit(self, X, y):
        return super().fit(X, y)


def test_a_fit_of_its_own_is_called(X, Y):
    ours, _ = both(quick(OwnFit), GRID, X, MultiTaskTarget(Y))
    assert ours.stacked_["reason"].unique().tolist() == ["OwnFit has a fit of its own"]
    assert len(ours.pareto_front_) >= 1


def test_candidates_of_both_sorts(X, Y):
    pipe = Pipeline([("scale", StandardScaler()), ("model", quick(MultiTaskRegressor))])
    ours, _ = both(pipe, {"model": [Ridge(), quick(MultiTaskRegressor)]}, X, Y["price"], n_jobs=2)
    assert ours.stacked_["n_nets"].tolist() == [0, 3]
    assert "Ridge" in ours.stacked_["reason"][0]
    assert ours.pareto_front_.index.tolist() == [1]


# --------------------------------------------------------------------------- fits that fail


def messages(caught):
    """Of the fits' failure, without the traces."""
    return [(w.category, str(w.message).split("Below")[0]) for w in caught]


def failing(search, X, y, **settings):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        grid = {"task_weights__prise": [0.1], "lr": [0.1]}, {"lr": [0.1, -1.0]}
        fitted = search(quick(), list(grid), cv=CV, **settings).fit(X, y)
    return fitted, caught


@pytest.mark.parametrize("error_score", [np.nan, -7.0])
@pytest.mark.parametrize("scoring", [None, {"p": task_scorer("price")}, scores_of_both])
def test_failed_fits_score_what_they_should(X, Y, error_score, scoring):
    Y = MultiTaskTarget(Y)
    refit = {None: True}.get(scoring if scoring is None else 0, "p" if isinstance(scoring, dict) else "price")
    settings = {"error_score": error_score, "scoring": scoring, "refit": refit}
    (ours, caught), (theirs, expected) = (
        failing(search, X, Y, **settings) for search in (StackedGridSearchCV, GridSearchCV)
    )
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    assert messages(caught) == messages(expected)
    assert any(w.category is FitFailedWarning for w in caught)
    assert ours.stacked_["reason"][0].startswith("the fit failed before training: ValueError: `task_weights`")
    assert ours.pareto_front_.index.tolist() == [1]


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_net_that_fails_is_a_fit_that_failed(X, Y):
    with pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 6"):
        search = StackedGridSearchCV(quick(optimizer="sgd"), {"lr": [0.01, 1e30]}, cv=CV).fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


def test_all_fits_failed(X, Y):
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        StackedGridSearchCV(quick(), {"lr": [-1.0]}, cv=CV).fit(X, Y)


def test_errors_are_raised_if_asked(X, Y):
    with pytest.raises(ValueError, match="`lr` must be a positive number"):
        StackedGridSearchCV(quick(), {"lr": [0.1, -1.0]}, cv=CV, error_score="raise").fit(X, Y)
    with pytest.raises(ValueError, match="nan or infinite in the first epoch"):
        StackedGridSearchCV(quick(optimizer="sgd"), {"lr": [1e30]}, cv=CV, error_score="raise").fit(X, Y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cv": 1}, "cv"),
        ({"scoring": "no such"}, "scoring"),
        ({"max_members": 0}, "`max_members` must be None or a positive integer. Found 0."),
        ({"max_members": "many"}, "max_members"),
        ({"refit": True, "scoring": ["r2", "accuracy"]}, "refit must be set to a"),
        ({"error_score": "ignore"}, "error_score"),
    ],
)
def test_what_is_wrong_is_said(X, Y, settings, message):
    with pytest.raises(ValueError, match=message):
        StackedGridSearchCV(quick(), GRID, **settings).fit(X, Y)


def test_an_unknown_parameter_is_raised(X, Y):
    with pytest.raises(ValueError, match="Invalid parameter 'learning_rate'"):
        StackedGridSearchCV(quick(), {"learning_rate": [1.0]}, cv=CV).fit(X, Y)


def test_interrupt_stops_the_search(monkeypatch, X, Y):
    def interrupted(plans, **settings):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(fitting, "train_nets", interrupted)
    with pytest.raises(KeyboardInterrupt):
        StackedGridSearchCV(quick(), GRID, cv=CV).fit(X, Y)


# --------------------------------------------------------------------------- a search among estimators


def test_clone_params_repr_html_pickle(X, Y):
    est = quick()
    search = StackedGridSearchCV(est, GRID, cv=CV, max_members=5)
    before = repr(est.get_params())
    copied = clone(search)
    assert copied.get_params()["max_members"] == 5
    assert copied.set_params(estimator__lr=0.5).estimator.lr == 0.5
    assert "max_members=5" in repr(search)
    search.fit(X, Y)
    assert repr(est.get_params()) == before
    assert search.estimator is est
    assert not hasattr(est, "tasks_")
    assert "fit" not in vars(est)
    assert "StackedGridSearchCV" in search._repr_html_()
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X)["price"], search.predict(X)["price"])
    check_is_fitted(search)


def test_a_search_within_a_search_and_scored_by_folds(X, Y):
    Y = MultiTaskTarget(Y)
    inner = [search(quick(), {"lr": [0.003, 0.03]}, cv=2) for search in (StackedGridSearchCV, GridSearchCV)]
    ours, theirs = (cross_val_score(search, X, Y, cv=CV) for search in inner)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    outer = StackedGridSearchCV(inner[0], {"estimator__weight_decay": [0.0, 0.1]}, cv=2).fit(X, Y)
    assert not outer.stacked_["stacked"].any()
    assert outer.best_estimator_.best_estimator_.weight_decay in (0.0, 0.1)


def test_no_refit(X, Y):
    search = StackedGridSearchCV(quick(), GRID, cv=CV, refit=False).fit(X, Y)
    assert not hasattr(search, "best_estimator_")
    assert search.best_params_ == search.cv_results_["params"][search.best_index_]


def test_callbacks_of_scikit_learn_are_called(X, Y):
    callback = pytest.importorskip("sklearn.callback")
    search = StackedGridSearchCV(quick(), {"lr": [0.01, 0.1]}, cv=CV)
    followed = []

    class Followed:
        def setup(self, estimator, context):
            followed.append("setup")

        def on_fit_task_begin(self, *args, **kwargs):
            followed.append("begin")

        def on_fit_task_end(self, *args, **kwargs):
            followed.append("end")
            return False

        def teardown(self, estimator, context):
            followed.append("teardown")

    if not isinstance(Followed(), callback._base.FitCallback):
        pytest.skip("this release of scikit-learn wants other callbacks")
    search.set_callbacks(Followed()).fit(X, Y)
    assert "begin" in followed
    assert search.stacked_["reason"].unique().tolist() == ["callbacks of scikit-learn follow its own search"]


def test_a_bar_is_shown_if_asked(X, Y, capsys):
    StackedGridSearchCV(quick(), GRID, cv=CV, refit=False).fit(X, Y)
    assert capsys.readouterr() == ("", "")
    StackedGridSearchCV(quick(), GRID, cv=CV, refit=False, verbose=1).fit(X, Y)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("4 candidates × 3 folds: 33% in ")
    assert first.endswith(" s, 0 of 12 networks done, 12 in training, epoch 1")
    assert last.startswith("4 candidates × 3 folds: done in ")
    assert last.endswith(" s, 12 networks trained")


def test_the_bar_of_a_search_counts_networks_that_are_alone(X, Y, capsys):
    alone = quick(optimizer="sgd", max_epochs=1)
    StackedGridSearchCV(alone, {"lr": [0.01]}, cv=CV, refit=False, verbose=1).fit(X, Y)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("1 candidate × 3 folds: 33% in ")
    assert first.endswith(" s, 1 of 3 networks done")
    assert last.endswith(" s, 3 networks trained")


# --------------------------------------------------------------------------- the front


def test_front(X, Y):
    grid = {"task_weights": [{"type": 0.0}, None, {"price": 0.0}]}
    scorer = task_scorer("price", "neg_mean_absolute_error")
    search = StackedGridSearchCV(quick(max_epochs=10, lr=0.03), grid, cv=CV, scoring=scorer).fit(X, Y)
    tasks = multitask_scoring(["price", "type"])
    plain = GridSearchCV(quick(max_epochs=10, lr=0.03), grid, cv=CV, scoring=tasks, refit=False)
    plain.fit(X, MultiTaskTarget(Y))
    front = search.pareto_front_
    names = ["mean_test_price", "std_test_price", "mean_test_type", "std_test_type"]
    assert front.columns.tolist() == ["param_task_weights", *names]
    assert front.index.name == "candidate"
    results = search.task_results_
    assert len(results) == 3
    np.testing.assert_allclose(results[names], pd.DataFrame(plain.cv_results_)[names], atol=1e-6)
    assert results["param_task_weights"].tolist() == grid["task_weights"]
    pd.testing.assert_frame_equal(front, results.loc[front.index])
    expected = pd.DataFrame(plain.cv_results_)[["mean_test_price", "mean_test_type"]]
    np.testing.assert_allclose(front[expected.columns], expected.loc[front.index], atol=1e-6)
    beaten = [
        any((other >= own).all() and (other > own).any() for other in expected.to_numpy())
        for own in expected.to_numpy()
    ]
    assert front.index.tolist() == np.flatnonzero(~np.array(beaten)).tolist()
    assert front["param_task_weights"].tolist() == [grid["task_weights"][i] for i in front.index]


def test_front_leaves_out_tasks_without_labels(X, Y):
    gaps = {**Y, "price": np.where(np.arange(72) < 60, Y["price"], np.nan)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = StackedGridSearchCV(quick(), GRID, cv=6, refit=False).fit(X, gaps)
    assert search.pareto_front_.notna().all(axis=None)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_task_results_of_a_failed_candidate_are_nan(X, Y):
    with pytest.warns(FitFailedWarning):
        search = StackedGridSearchCV(quick(), {"lr": [0.1, -1.0]}, cv=CV, refit=False).fit(X, Y)
    assert search.task_results_.isna().all(axis=1).tolist() == [False, False]
    assert search.task_results_.filter(like="test_").isna().all(axis=1).tolist() == [False, True]
    assert search.pareto_front_.index.tolist() == [0]


def test_configuration_reaches_the_fits(X, Y):
    with sklearn.config_context(transform_output="pandas"):
        both(
            make_pipeline(StandardScaler(), quick()),
            {"multitaskclassifierregressor__lr": [0.1]},
            X,
            MultiTaskTarget(Y),
        )
