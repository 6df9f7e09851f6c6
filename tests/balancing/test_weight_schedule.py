"""Task weights by epoch."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.balancing import WeightSchedule

X = np.random.default_rng(0).normal(size=(60, 3))
Y = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]}
COLUMNS = ["weight_a", "weight_b", "weight_c"]


def named(epoch):
    return {"b": 0.5**epoch, "c": float(epoch >= 2)}


def make(weights, **params):
    settings = {"trunk": "mlp", "n_bags": 1, "max_epochs": 4, "early_stopping": False, "random_state": 0}
    return MultiTaskRegressor(balancing=WeightSchedule(weights), **{**settings, **params})


BY_EPOCH = [[1.0, 1.0, 0.0], [1.0, 0.5, 0.0], [1.0, 0.25, 1.0], [1.0, 0.125, 1.0]]


@pytest.mark.parametrize("n_bags", [1, 2])
@pytest.mark.parametrize(
    "weights",
    [
        named,
        {"b": lambda epoch: 0.5**epoch, "c": [0, 0, 1]},
        {"a": 1, "b": np.array([1.0, 0.5, 0.25, 0.125]), "c": (0.0, 0.0, 1.0)},
    ],
    ids=["function", "functions by task", "sequences"],
)
def test_weights_of_each_epoch(weights, n_bags):
    found = make(weights, n_bags=n_bags).fit(X, Y).history_[COLUMNS].to_numpy()
    assert found.tolist() == BY_EPOCH * n_bags


def test_the_users_weights_multiply():
    found = make(named, task_weights={"a": 0.5, "b": 3.0}).fit(X, Y).history_[COLUMNS].to_numpy()
    np.testing.assert_allclose(found, np.array(BY_EPOCH) * [0.5, 3.0, 1.0])


def test_a_task_that_is_not_yet_on_is_not_learned():
    est = make({"c": [0, 0, 0, 1]}, lr=0.01).fit(X, Y)
    losses = est.history_["train_loss_c"].to_numpy()
    plain = make({}, lr=0.01).fit(X, Y).history_["train_loss_c"].to_numpy()
    assert losses[2] > plain[2]


def test_constant_weights_are_task_weights():
    given = make({"b": 3.0}).fit(X, Y)
    plain = MultiTaskRegressor(**{**make({}).get_params(deep=False), "balancing": None})
    plain.set_params(task_weights={"b": 3.0}).fit(X, Y)
    np.testing.assert_allclose(given.score_tasks(X, Y), plain.score_tasks(X, Y), rtol=1e-6)


def test_training_on_goes_on_in_the_schedule():
    est = make(named, warm_start=True, max_epochs=2).fit(X, Y)
    est.set_params(max_epochs=4).fit(X, Y)
    assert est.history_[COLUMNS].to_numpy().tolist() == BY_EPOCH


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (
            {"d": 1.0},
            ValueError,
            r"name tasks\. Found unknown tasks \['d'\]; the tasks are \['a', 'b', 'c'\]",
        ),
        (lambda epoch: {"d": 1.0}, ValueError, r"name tasks\. Found unknown tasks \['d'\]"),
        ({"a": -1.0}, ValueError, r"finite non-negative numbers\. Found -1\.0 for task 'a' in epoch 0"),
        (
            {"a": [1.0, np.nan]},
            ValueError,
            r"finite non-negative numbers\. Found nan for task 'a' in epoch 1",
        ),
        ({"a": [1.0] * 150 + [-1.0, 1.0]}, ValueError, r"Found -1\.0 for task 'a' in epoch 150"),
        ({"a": np.array(2.0)}, ValueError, r"finite non-negative numbers\. Found array\(2\.\) for task 'a'"),
        ({"a": lambda epoch: 5.0 - epoch}, ValueError, r"Found -1\.0 for task 'a' in epoch 6"),
        ({"a": "high"}, ValueError, r"finite non-negative numbers\. Found 'high' for task 'a'"),
        ({"a": []}, ValueError, r"finite non-negative numbers\. Found \[\] for task 'a'"),
        ({"a": 0, "b": 0, "c": [1, 0]}, ValueError, r"Found 0 for every task in epoch 1"),
        (lambda epoch: [1.0, 2.0], TypeError, r"return a mapping by task\. Found \[1\.0, 2\.0\] for epoch 0"),
        ({"a": lambda: 3.0}, ValueError, r"Found for task 'a' a function that raises TypeError for 0: "),
        ({"b": lambda e: [3.0, 2.0][e]}, ValueError, r"for task 'b' a function that raises IndexError for 2"),
        (lambda: {"a": 3.0}, ValueError, r"one argument, .* Found a function that raises TypeError for 0"),
        ([1.0, 2.0], TypeError, r"be a mapping by task or a function of the epoch\. Found \[1\.0, 2\.0\]"),
    ],
)
def test_bad_schedules_are_refused_before_training(weights, error, message):
    est = make(weights)
    with pytest.raises(error, match=message):
        est.fit(X, Y)
    assert not hasattr(est, "history_")


@pytest.mark.parametrize("weights", [named, {"b": [1.0, 0.5], "c": 2.0}], ids=["function", "mapping"])
def test_a_fold_without_a_task_has_a_schedule_for_the_others(weights):
    schedule = WeightSchedule(weights).without(["c"])
    est = make({}).set_params(balancing=schedule).fit(X, {"a": Y["a"], "b": Y["b"]})
    assert est.history_["weight_b"].tolist()[:2] == [1.0, 0.5]
    assert clone(schedule).get_params()["weights"] == schedule.weights


def test_a_fold_without_a_task_leaves_bad_schedules_to_the_fit():
    assert WeightSchedule([1.0]).without(["c"]).weights == [1.0]
    with pytest.raises(TypeError, match="return a mapping by task"):
        make({}).set_params(balancing=WeightSchedule(lambda epoch: 1.0).without(["c"])).fit(X, Y)


LATE = {"c": [0.0] * 12 + [1.0]}
STOPPING = {"early_stopping": True, "patience": 1, "lr": 0.1, "linear_blend": False}


@pytest.mark.parametrize("n_bags", [1, 2])
@pytest.mark.parametrize("ema_decay", [None, 0.5])
def test_early_stopping_waits_for_every_task(n_bags, ema_decay):
    # Without waiting, training stops while c is off, as its loss of nothing learned is watched too.
    est = make(LATE, n_bags=n_bags, ema_decay=ema_decay, **STOPPING, max_epochs=30).fit(X, Y)
    by_net = [est.history_] if n_bags == 1 else [of_net for _, of_net in est.history_.groupby("bag")]
    for of_net in by_net:
        before, losses = of_net["valid_loss"].to_numpy()[:12], of_net["valid_loss"].to_numpy()[12:]
        assert (np.diff(before) > 0).any()
        assert len(losses) == 18 or len(losses) - 1 - np.argmin(losses) == STOPPING["patience"]
    assert est.score_tasks(X, Y)["c"] > 0.0


def test_weights_from_before_all_tasks_are_trained_are_not_kept():
    est = make(LATE, warm_start=True, **STOPPING, max_epochs=12).fit(X, Y)
    assert est.n_iter_ == 12
    est.set_params(max_epochs=30).fit(X, Y)
    whole = make(LATE, **STOPPING, max_epochs=30).fit(X, Y)
    assert est.n_iter_ == whole.n_iter_
    np.testing.assert_array_equal(est.predict(X)["c"], whole.predict(X)["c"])


@pytest.mark.parametrize("task_weights", [None, {"c": 0.0}])
def test_early_stopping_does_not_wait_for_a_task_that_is_never_on(task_weights):
    weights = {"c": 0.0} if task_weights is None else LATE
    est = make(weights, task_weights=task_weights, **STOPPING, max_epochs=30).fit(X, Y)
    assert est.n_iter_ < 12


@pytest.mark.parametrize("schedule", [{"c": [0, 0, 1]}, lambda epoch: {"c": float(epoch >= 2)}])
def test_a_task_that_is_switched_on_when_training_is_over_is_warned_of(schedule):
    with pytest.warns(UserWarning, match=r"epochs before WeightSchedule trains all tasks\. Found 2, and 2 "):
        make(schedule, max_epochs=2).fit(X, Y)


def test_a_task_that_is_switched_on_in_the_last_epoch_or_weighs_nothing_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make({"c": [0, 0, 1]}, max_epochs=3).fit(X, Y)
        make({"c": [0, 0, 1]}, max_epochs=2, task_weights={"c": 0.0}).fit(X, Y)
