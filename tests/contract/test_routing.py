"""Sample weights reach `fit` and `score` sliced with their rows, with metadata routing on and off."""

from typing import ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score, learning_curve
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.trunks import MLP

N_ROWS = 60
CV = KFold(3, shuffle=True, random_state=0)
X = np.random.RandomState(0).normal(size=(N_ROWS, 3))
# Weights that tell which row they belong to.
ROW_WEIGHT = 1.0 + np.arange(N_ROWS)
PRICE_WEIGHT = 100.0 + np.arange(N_ROWS)
FEATURES = np.column_stack([X, np.arange(N_ROWS)])
Y = MultiTaskTarget({"price": X[:, 0], "type": np.where(X[:, 1] > 0, "flat", "house")})

CONTAINERS = {
    "1-D": lambda: ROW_WEIGHT,
    "Series": lambda: pd.Series(ROW_WEIGHT, index=[f"row{i}" for i in range(N_ROWS)]),
    "pandas": lambda: pd.DataFrame({"type": ROW_WEIGHT, "price": PRICE_WEIGHT}),
    "pandas, one task": lambda: pd.DataFrame({"price": PRICE_WEIGHT}),
    "polars": lambda: pl.DataFrame({"type": ROW_WEIGHT, "price": PRICE_WEIGHT}),
    "MultiTaskTarget": lambda: MultiTaskTarget({"type": ROW_WEIGHT, "price": PRICE_WEIGHT}),
}
containers = pytest.mark.parametrize("container", CONTAINERS)


def by_task(container, rows):
    """Return the weights that the two tasks should get on the given rows."""
    price = ROW_WEIGHT if container in ("1-D", "Series") else PRICE_WEIGHT
    kind = np.ones(N_ROWS) if container == "pandas, one task" else ROW_WEIGHT
    return {"price": price[rows], "type": kind[rows]}


class Recording(MultiTaskClassifierRegressor):
    """Remembers what `fit` and `score` were given; the last feature is the number of the row."""

    calls: ClassVar[list] = []

    def fit(self, X, y, sample_weight=None):
        self.calls.append(("fit", np.asarray(X)[:, -1].astype(int), sample_weight))
        return super().fit(X, y, sample_weight)

    def score(self, X, y, sample_weight=None):
        self.calls.append(("score", np.asarray(X)[:, -1].astype(int), sample_weight))
        return super().score(X, y, sample_weight)


@pytest.fixture
def recording():
    Recording.calls.clear()
    return Recording(
        trunk=MLP((8,)), n_bags=1, max_epochs=1, early_stopping=False, preprocessing=None, random_state=0
    )


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


def requested(est, routing):
    if not routing:
        return est
    # A learning curve asks for the wishes of `partial_fit` as well, whether or not it calls it.
    est.set_fit_request(sample_weight=True).set_partial_fit_request(sample_weight=True)
    return est.set_score_request(sample_weight=True)


def assert_sliced(container, methods):
    weighted = [call for call in Recording.calls if call[-1] is not None]
    assert {method for method, _, _ in weighted} == methods
    for _, rows, weight in weighted:
        expected = by_task(container, rows)
        if container in ("1-D", "Series"):
            np.testing.assert_array_equal(np.asarray(weight), expected["price"])
            continue
        assert type(weight) is type(CONTAINERS[container]())
        names = weight.columns if hasattr(weight, "columns") else weight.keys()
        for name in names:
            np.testing.assert_array_equal(np.asarray(weight[name]), expected[name])


@containers
def test_cross_validation_slices_weights(recording, routing, container):
    est = requested(recording, routing)
    params = {"sample_weight": CONTAINERS[container]()}
    scores = cross_val_score(est, FEATURES, Y, cv=CV, params=params, error_score="raise")
    assert np.isfinite(scores).all()
    assert len(Recording.calls) == 6
    # Without routing scikit-learn hands weights to `fit` only.
    assert_sliced(container, {"fit", "score"} if routing else {"fit"})


@containers
def test_a_search_slices_weights(recording, routing, container):
    est = requested(recording, routing)
    search = GridSearchCV(est, {"lr": [1e-3, 1e-2]}, cv=CV, error_score="raise")
    search.fit(FEATURES, Y, sample_weight=CONTAINERS[container]())
    # Two candidates on three folds, fitted and scored, and the best one fitted to all rows.
    assert len(Recording.calls) == 2 * 3 * 2 + 1
    assert_sliced(container, {"fit", "score"})


@containers
def test_a_pipeline_hands_weights_on(recording, routing, container):
    pipeline = make_pipeline(FunctionTransformer(), requested(recording, routing))
    name = "sample_weight" if routing else "recording__sample_weight"
    weights = {name: CONTAINERS[container]()}
    cross_val_score(pipeline, FEATURES, Y, cv=CV, params=weights, error_score="raise")
    assert_sliced(container, {"fit", "score"} if routing else {"fit"})


def test_a_learning_curve_slices_weights(recording, routing):
    est = requested(recording, routing)
    learning_curve(
        est,
        FEATURES,
        Y,
        cv=CV,
        train_sizes=[0.5, 1.0],
        params={"sample_weight": CONTAINERS["MultiTaskTarget"]()},
        error_score="raise",
    )
    fits = [(rows, weight) for method, rows, weight in Recording.calls if method == "fit"]
    assert len(fits) == 6
    for rows, weight in fits:
        np.testing.assert_array_equal(weight["price"], PRICE_WEIGHT[rows])


def test_weights_that_nobody_asked_for_are_refused(recording):
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(UnsetMetadataPassedError, match="not explicitly set as requested or not requested"),
    ):
        cross_val_score(recording, FEATURES, Y, params={"sample_weight": ROW_WEIGHT}, error_score="raise")


def test_weights_declined_are_not_passed(recording):
    with sklearn.config_context(enable_metadata_routing=True):
        est = recording.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        cross_val_score(est, FEATURES, Y, cv=CV, params={"sample_weight": ROW_WEIGHT}, error_score="raise")
    assert all((weight is None) == (method == "score") for method, _, weight in Recording.calls)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_weights_can_be_requested_of_every_method_that_takes_them(quick, method):
    with sklearn.config_context(enable_metadata_routing=True):
        est = getattr(quick(), f"set_{method}_request")(sample_weight="importance")
        assert getattr(est.get_metadata_routing(), method).requests["sample_weight"] == "importance"


def test_validation_rows_can_be_routed(quick):
    # They go to every fold as they are: rows of their own are in no fold.
    own = {"X_val": FEATURES[:20], "y_val": MultiTaskTarget({name: Y[name][:20] for name in Y})}
    with sklearn.config_context(enable_metadata_routing=True):
        est = quick(early_stopping=True).set_fit_request(X_val=True, y_val=True)
        scores = cross_val_score(est, FEATURES, Y, cv=CV, params=own, error_score="raise")
    assert np.isfinite(scores).all()


# Validation rows, transformed as X is.


@pytest.mark.parametrize("search", [None, GridSearchCV, StackedGridSearchCV])
def test_validation_rows_go_through_the_steps_of_a_pipeline(quick, search):
    scaler = StandardScaler().fit(X)
    own = {"X_val": X[:20], "y_val": MultiTaskTarget({name: Y[name][:20] for name in Y})}
    with sklearn.config_context(enable_metadata_routing=True):
        est = quick(early_stopping=True, max_epochs=3).set_fit_request(X_val=True, y_val=True)
        pipe = Pipeline([("scale", StandardScaler()), ("net", est)], transform_input=["X_val"])
        if search is None:
            fitted = pipe.fit(X, Y, **own)
        else:
            fitted = search(pipe, {"net__lr": [0.01]}, cv=CV, error_score="raise").fit(X, Y, **own)
            assert np.isfinite(fitted.best_score_)
            fitted = fitted.best_estimator_
    lr = fitted[-1].lr
    alone = quick(early_stopping=True, max_epochs=3, lr=lr)
    alone.fit(scaler.transform(X), Y, X_val=scaler.transform(X[:20]), y_val=own["y_val"])
    pd.testing.assert_frame_equal(fitted[-1].history_, alone.history_)


# Groups of the rows that tell when to stop.

GROUPS = np.arange(N_ROWS) // 5


class RecordingGroups(MultiTaskClassifierRegressor):
    calls: ClassVar[list] = []

    def fit(self, X, y, groups=None):
        self.calls.append((np.asarray(X)[:, -1].astype(int), groups))
        return super().fit(X, y, groups=groups)


def test_groups_go_to_the_splitter_and_to_the_estimator():
    RecordingGroups.calls.clear()
    est = RecordingGroups(trunk=MLP((8,)), n_bags=1, max_epochs=1, preprocessing=None, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(est.set_fit_request(groups=True), {"lr": [0.01]}, cv=GroupKFold(3))
        search.fit(FEATURES, Y, groups=GROUPS)
    assert len(RecordingGroups.calls) == 4
    for rows, groups in RecordingGroups.calls:
        np.testing.assert_array_equal(groups, GROUPS[rows])


def test_groups_reach_the_fits_of_a_stacked_search(quick):
    histories = []

    def keep(est, X, y):
        histories.append(est.history_)
        return est.score(X, y)

    with sklearn.config_context(enable_metadata_routing=True):
        est = quick(early_stopping=True).set_fit_request(groups=True)
        for search in (GridSearchCV, StackedGridSearchCV):
            search(est, {"lr": [0.01]}, cv=GroupKFold(3), scoring=keep, refit=False).fit(X, Y, groups=GROUPS)
        not_asked = quick(early_stopping=True).set_fit_request(groups=False)
        StackedGridSearchCV(not_asked, {"lr": [0.01]}, cv=GroupKFold(3), scoring=keep).fit(
            X, Y, groups=GROUPS
        )
    for theirs, ours, without in zip(histories[:3], histories[3:6], histories[6:], strict=True):
        np.testing.assert_allclose(ours["valid_loss"], theirs["valid_loss"], rtol=1e-4)
        assert (ours["valid_loss"] != without["valid_loss"]).all()


def test_groups_that_nobody_asked_for_are_refused(quick):
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(UnsetMetadataPassedError, match=r"\[groups\] are passed but are not explicitly set"),
    ):
        cross_val_score(quick(), X, Y, cv=GroupKFold(3), params={"groups": GROUPS}, error_score="raise")


# A plain dict is what scikit-learn can't slice.


def test_a_dict_of_weights_is_as_good_as_a_frame_outside_of_a_search(quick):
    named = {"type": ROW_WEIGHT, "price": PRICE_WEIGHT}
    frame = pd.DataFrame(named)
    fitted = [quick().fit(FEATURES, Y, weights) for weights in (named, frame, MultiTaskTarget(named))]
    scores = [
        est.score(FEATURES, Y, weights) for est, weights in zip(fitted, (named, frame, frame), strict=True)
    ]
    assert scores[0] == scores[1] == scores[2]


def test_a_dict_of_weights_is_refused_in_a_fold_with_what_to_do(quick, routing):
    est = requested(quick(), routing)
    named = {"type": ROW_WEIGHT, "price": PRICE_WEIGHT}
    message = (
        r"`sample_weight\['price'\]` must hold one weight for each row of X: .*\(60,\), expected \(40,\).*"
        r"pass weights by task as a DataFrame or MultiTaskTarget"
    )
    with pytest.raises(ValueError, match=message):
        cross_val_score(est, FEATURES, Y, cv=CV, params={"sample_weight": named}, error_score="raise")
    search = GridSearchCV(est, {"lr": [1e-3]}, cv=CV, error_score="raise")
    with pytest.raises(ValueError, match=message):
        search.fit(FEATURES, Y, sample_weight=named)


def test_score_refuses_weights_of_other_rows(quick):
    est = quick().fit(FEATURES, Y)
    for method in (est.score, est.score_tasks):
        with pytest.raises(ValueError, match=r"`sample_weight\['price'\]` must hold one weight for each row"):
            method(FEATURES[:10], Y[:10], {"price": PRICE_WEIGHT})


def test_a_task_whose_weights_are_all_zero_can_not_be_learned(quick):
    with pytest.raises(ValueError, match="Task 'price' needs at least one labelled row of positive weight"):
        quick().fit(FEATURES, Y, {"price": np.zeros(N_ROWS)})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (ROW_WEIGHT[:10], r"sample_weight\.shape == \(10,\), expected \(60,\)"),
        (ROW_WEIGHT[:, None], "Sample weights must be 1D array or scalar"),
        (-ROW_WEIGHT, "Negative values in data passed to `sample_weight`"),
        (np.where(ROW_WEIGHT > 5, ROW_WEIGHT, np.nan), "contains NaN"),
        (np.zeros(N_ROWS), "at least one non-zero number|must hold some positive weight. Found 0"),
        ({"price": -PRICE_WEIGHT}, r"Negative values in data passed to `sample_weight\['price'\]`"),
        ({"price": np.full(N_ROWS, np.nan)}, r"sample_weight\['price'\].* contains NaN"),
        (
            {"prise": PRICE_WEIGHT},
            r"`sample_weight` names unknown tasks \['prise'\]; the tasks are \['price'",
        ),
        (pd.DataFrame({"prise": PRICE_WEIGHT}), r"`sample_weight` names unknown tasks \['prise'\]"),
    ],
)
def test_weights_that_are_none_are_refused(quick, wrong, message):
    est = quick()
    with pytest.raises(ValueError, match=message):
        est.fit(FEATURES, Y, wrong)
    est.fit(FEATURES, Y)
    with pytest.raises(ValueError, match=message):
        est.score(FEATURES, Y, wrong)
