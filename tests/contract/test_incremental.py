"""Training goes on where it stopped: `warm_start` and `partial_fit`."""

from inspect import signature

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.trunks import MLP, TabM

TRUNKS = {"mlp": MLP((8,), dropout=0.2), "tabm": TabM((8,), members=2)}


def learning_rate(est):
    """Return the learning rate that the optimizer ended with."""
    return est.net_.optimizer_.param_groups[0]["lr"]


def assert_frozen(tasks, later):
    """Names, kinds, classes and scales are what they were."""
    assert list(tasks) == list(later)
    for name, task in tasks.items():
        assert type(task) is type(later[name])
        for frozen in ("loc", "scale", "classes", "class_weight"):
            if hasattr(task, frozen):
                np.testing.assert_array_equal(getattr(task, frozen), getattr(later[name], frozen))


def assert_same(left, right, X):
    for name, values in left.predict(X).items():
        np.testing.assert_array_equal(values, right.predict(X)[name])
    if hasattr(left, "predict_proba"):
        for name, values in left.predict_proba(X).items():
            np.testing.assert_array_equal(values, right.predict_proba(X)[name])
    pd.testing.assert_frame_equal(left.history_, right.history_)
    np.testing.assert_array_equal(left.transform(X), right.transform(X))


# Warm start.


@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize(
    "params",
    [
        {"early_stopping": False},
        {"early_stopping": False, "ema_decay": None},
        {"early_stopping": False, "n_bags": 2, "optimizer": "sgd"},
        {"early_stopping": True},
        {"early_stopping": True, "n_bags": 2},
        {"early_stopping": True, "ema_decay": None, "calibrate": False},
    ],
    ids=str,
)
def test_twelve_epochs_are_five_and_then_seven_to_the_bit(quick, houses, trunk, params):
    X, Y = houses
    params = {"trunk": TRUNKS[trunk], "lr": 0.01, "patience": 20, "batch_size": 16, **params}
    whole = quick(max_epochs=12, **params).fit(X, Y)
    halves = quick(max_epochs=5, warm_start=True, **params).fit(X, Y)
    assert halves.n_iter_ == 5
    halves.set_params(max_epochs=12).fit(X, Y)
    assert halves.n_iter_ == 12
    assert_same(whole, halves, X)


def test_patience_goes_on_counting(quick, houses):
    X, Y = houses
    noise = np.random.RandomState(1).normal(size=len(X))
    Y = {"noise": noise}
    params = {"early_stopping": True, "patience": 3, "lr": 0.05, "batch_size": 8}
    whole = quick(max_epochs=60, **params).fit(X, Y)
    stopped = whole.n_iter_
    assert 3 < stopped < 60
    parts = quick(max_epochs=stopped - 1, warm_start=True, **params).fit(X, Y)
    parts.set_params(max_epochs=60).fit(X, Y)
    assert parts.n_iter_ == stopped
    assert_same(whole, parts, X)


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_the_learning_rate_schedule_goes_on(quick, houses, schedule):
    X, Y = houses
    whole = quick(lr_schedule=schedule, lr=0.01, max_epochs=6).fit(X, Y)
    parts = quick(lr_schedule=schedule, lr=0.01, max_epochs=3, warm_start=True).fit(X, Y)
    halfway = learning_rate(parts)
    # From the fourth epoch on it is the schedule of six.
    parts.set_params(max_epochs=6).fit(X, Y)
    assert learning_rate(parts) == learning_rate(whole) != halfway
    assert parts.history_["epoch"].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_parts_follow_the_schedule_of_all_epochs_to_the_bit(quick, houses, schedule):
    X, Y = houses
    params = {"lr_schedule": schedule, "lr": 0.01, "max_epochs": 4}
    whole, parts = quick(**params).fit(X, Y), quick(**params)
    for _ in range(4):
        parts.partial_fit(X, Y)
    assert learning_rate(parts) == learning_rate(whole)
    assert_same(whole, parts, X)


def test_a_warm_start_freezes_tasks_scales_and_features(quick, houses):
    X, Y = houses
    est = quick(warm_start=True).fit(X, Y)
    before = est.tasks_
    est.set_params(max_epochs=4).fit(X, Y.assign(price=1000.0 + Y["price"]))
    assert_frozen(before, est.tasks_)


def test_a_warm_start_with_nothing_left_to_do_warns_and_leaves_the_estimator(quick, houses):
    X, Y = houses
    est = quick(warm_start=True).fit(X, Y)
    before = est.predict(X)
    with pytest.warns(UserWarning, match="`max_epochs` must be raised for a warm start to train on. Found 2"):
        est.fit(X, Y)
    pd.testing.assert_frame_equal(est.predict(X), before)
    assert est.n_iter_ == 2


def test_a_warm_start_that_is_not_asked_for_starts_anew(quick, houses):
    X, Y = houses
    once, twice = quick().fit(X, Y), quick().fit(X, Y).fit(X, Y)
    assert_same(once, twice, X)


def test_a_warm_start_does_not_touch_what_was_fitted_before(quick, houses):
    X, Y = houses
    est = quick(warm_start=True).fit(X, Y)
    net, weights = est.net_, [p.clone() for p in est.net_.module_.parameters()]
    est.set_params(max_epochs=4).fit(X, Y)
    assert est.net_ is not net
    assert all((a == b).all() for a, b in zip(weights, net.module_.parameters(), strict=True))


def test_a_clone_of_a_warm_estimator_is_cold(quick, houses):
    X, Y = houses
    est = quick(warm_start=True).fit(X, Y)
    assert_same(clone(est).fit(X, Y), quick().fit(X, Y), X)


def test_a_warm_start_refuses_other_tasks_features_and_classes(quick, houses):
    X, Y = houses
    est = quick(warm_start=True).fit(X, Y).set_params(max_epochs=4)
    with pytest.raises(ValueError, match=r"`y` must have the tasks of `fit`, \['price', 'type', 'quality'\]"):
        est.fit(X, Y[["price", "type"]])
    with pytest.raises(ValueError, match="feature names should match"):
        est.fit(X.rename(columns={"area": "size"}), Y)
    with pytest.raises(ValueError, match=r"task 'type' must be among .* Found \['tent'\]"):
        est.fit(X, Y.assign(type="tent"))


# Partial fit.

DECLARED = {"type": ["flat", "house", "tent"], "quality": [0, 1, 2]}


def test_each_call_is_one_epoch_over_its_rows(quick, houses):
    X, Y = houses
    est = quick(batch_size=10)
    for calls in (1, 2, 3):
        est.partial_fit(X[:40], Y[:40])
        assert est.n_iter_ == calls
        assert len(est.history_) == calls
        assert est.net_.n_steps == 4 * calls


@pytest.mark.parametrize("trunk", TRUNKS)
def test_calls_on_the_same_rows_are_the_epochs_of_a_fit_to_the_bit(quick, houses, trunk):
    X, Y = houses
    whole = quick(trunk=TRUNKS[trunk], max_epochs=3).fit(X, Y)
    parts = quick(trunk=TRUNKS[trunk])
    for _ in range(3):
        assert parts.partial_fit(X, Y) is parts
    assert_same(whole, parts, X)


def test_no_row_is_held_out_whatever_early_stopping_says(quick, houses):
    X, Y = houses
    parts = [quick(early_stopping=stop).partial_fit(X, Y) for stop in (False, True)]
    assert "valid_loss" not in parts[1].history_
    assert_same(*parts, X)


def test_classes_declared_up_front_may_come_later(quick, houses):
    X, Y = houses
    est = quick().partial_fit(X[:40], Y[:40], classes=DECLARED)
    assert est.classes_["type"].tolist() == DECLARED["type"]
    assert est.predict_proba(X)["type"].shape == (80, 3)
    est.partial_fit(X[40:], Y[40:].assign(type="tent"))
    assert est.classes_["type"].tolist() == DECLARED["type"]


def test_a_first_part_of_one_class_knows_the_others(quick, houses):
    X, Y = houses
    flats = (Y["type"] == "flat").to_numpy()
    est = quick().partial_fit(X[flats], Y[flats], classes=DECLARED)
    est.partial_fit(X[~flats], Y[~flats])
    assert est.predict_proba(X)["type"].shape == (80, 3)


def test_classes_of_arrays_are_an_array_or_a_list_as_in_scikit_learn(quick):
    X = np.random.RandomState(0).normal(size=(30, 2))
    y = np.arange(30) % 2
    est = quick(MultiTaskClassifier).partial_fit(X, y, classes=np.array([0, 1, 2]))
    assert est.classes_.tolist() == [0, 1, 2]
    est = quick(MultiTaskClassifier).partial_fit(X, np.column_stack([y, y]), classes=[[0, 1], [0, 1, 5]])
    assert [classes.tolist() for classes in est.classes_] == [[0, 1], [0, 1, 5]]


def test_an_undeclared_class_is_refused_with_its_task(quick, houses):
    X, Y = houses
    with pytest.raises(ValueError, match=r"task 'type' must be among .* Found \['tent'\]"):
        quick().partial_fit(X, Y.assign(type="tent"), classes={"type": ["flat", "house"]})
    est = quick().partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"task 'type' must be among .* Found \['tent'\]"):
        est.partial_fit(X, Y.assign(type="tent"))


def test_classes_of_an_unknown_task_are_refused(quick, houses):
    X, Y = houses
    with pytest.raises(ValueError, match=r"`classes` names unknown tasks \['typ'\]; the tasks are \['price'"):
        quick().partial_fit(X, Y, classes={"typ": ["flat", "house"]})


def test_other_classes_in_a_later_call_are_refused_as_in_scikit_learn(quick, houses):
    X, Y = houses
    est = quick().partial_fit(X, Y, classes=DECLARED)
    est.partial_fit(X, Y, classes=DECLARED)
    with pytest.raises(ValueError, match=r"'type'.*not the same as on last call"):
        est.partial_fit(X, Y, classes={"type": ["flat", "house", "boat"]})


def test_other_tasks_and_features_are_refused(quick, houses):
    X, Y = houses
    est = quick().partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"`y` must have the tasks of `fit`"):
        est.partial_fit(X, Y[["price"]])
    with pytest.raises(ValueError, match="feature names should match"):
        est.partial_fit(X.rename(columns={"area": "size"}), Y)
    with (
        pytest.warns(UserWarning, match="does not have valid feature names"),
        pytest.raises(ValueError, match="X has 2 features, but MultiTaskClassifierRegressor is expecting 4"),
    ):
        est.partial_fit(X.to_numpy()[:, :2], Y)


def test_tasks_scales_and_preprocessing_are_those_of_the_first_call(quick, houses):
    X, Y = houses
    est = quick().partial_fit(X, Y)
    tasks = est.tasks_
    encoded = est._fitted.encoder.transform(X)
    est.partial_fit(100.0 * X, Y.assign(price=1e6 * Y["price"]))
    assert_frozen(tasks, est.tasks_)
    for name, block in est._fitted.encoder.transform(X).items():
        np.testing.assert_array_equal(block, encoded[name])


def test_a_part_may_be_a_single_row(quick, houses):
    X, Y = houses
    assert quick().partial_fit(X, Y).partial_fit(X[:1], Y[:1]).n_iter_ == 2


def test_a_part_may_lack_the_labels_of_a_task(quick, houses):
    X, Y = houses
    est = quick().partial_fit(X, Y)
    est.partial_fit(X, Y.assign(price=np.nan))
    assert np.isfinite(est.predict(X)["price"]).all()
    assert np.isnan(est.history_["train_loss_price"].iloc[-1])


def test_weights_of_a_part_count(quick, houses):
    X, Y = houses
    weight = np.where(np.arange(80) < 40, 1.0, 0.0)
    masked = quick(MultiTaskRegressor, preprocessing=None, batch_size=100, precision="float64")
    masked.partial_fit(X, Y[["price"]], sample_weight=weight)
    alone = clone(masked).partial_fit(X[:40], Y[["price"]][:40])
    np.testing.assert_allclose(masked.predict(X)["price"], alone.predict(X)["price"], rtol=1e-9)


def test_partial_fit_goes_on_from_a_fit(quick, houses):
    X, Y = houses
    est = quick(max_epochs=2).fit(X, Y).partial_fit(X, Y)
    assert est.n_iter_ == 3
    assert_same(est, quick(max_epochs=3).fit(X, Y), X)


def test_the_weights_of_a_regressor_come_third_as_in_scikit_learn():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    weight = np.repeat([1.0, 0.0], 30)

    def make():
        return MultiTaskRegressor(trunk=MLP((8,)), n_bags=1, random_state=0)

    third = make().partial_fit(X, y, weight).partial_fit(X, y, weight)
    named = make().partial_fit(X, y, sample_weight=weight).partial_fit(X, y, sample_weight=weight)
    without = make().partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(third.predict(X), named.predict(X))
    assert (third.predict(X) != without.predict(X)).any()


@pytest.mark.parametrize(
    ("cls", "parameters"),
    [
        (MultiTaskRegressor, ["sample_weight"]),
        (MultiTaskClassifier, ["classes", "sample_weight"]),
        (MultiTaskClassifierRegressor, ["classes", "sample_weight"]),
    ],
)
def test_partial_fit_asks_for_what_scikit_learn_knows(cls, parameters):
    with config_context(enable_metadata_routing=True):
        est = cls().set_partial_fit_request(**dict.fromkeys(parameters, True))
        assert sorted(est.get_metadata_routing().partial_fit.requests) == parameters
    assert list(signature(cls.partial_fit).parameters)[3:] == parameters
