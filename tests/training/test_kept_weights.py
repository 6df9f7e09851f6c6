import warnings

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.trunks import MLP


@pytest.fixture(scope="module")
def data():
    # Noise enough for a network of this size to overfit within some epochs.
    return make_multitask(
        n_samples=160,
        n_features=6,
        n_regression=2,
        n_binary=1,
        n_factors=2,
        noise=2.0,
        missing_labels=0.2,
        random_state=0,
    )


def quick(**params):
    settings = {
        "trunk": MLP((32,)),
        "n_bags": 1,
        "lr": 0.02,
        "patience": 4,
        "max_epochs": 100,
        "ema_decay": None,
        "random_state": 0,
        "calibrate": False,
        "linear_blend": False,
    }
    return MultiTaskClassifierRegressor(**{**settings, **params})


def halves(data):
    X, Y = data
    return (
        (X[:100], {name: y[:100] for name, y in Y.items()}),
        (X[100:], {name: y[100:] for name, y in Y.items()}),
    )


# Early stopping


@pytest.mark.parametrize("weights", [None, {"regression0": 5.0, "binary0": 0.0}, {"regression1": 0.01}])
def test_watched_is_the_plain_mean_over_the_tasks_of_positive_weight(data, weights):
    est = quick(task_weights=weights, max_epochs=6).fit(*data)
    names = [name for name in est.tasks_ if (weights or {}).get(name, 1) > 0]
    columns = [f"valid_loss_{name}" for name in names]
    np.testing.assert_allclose(est.history_["valid_loss"], est.history_[columns].mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize("patience", [1, 4, 7])
def test_training_stops_when_patience_is_spent(data, patience):
    est = quick(patience=patience).fit(*data)
    best = int(est.history_["valid_loss"].idxmin())
    assert est.n_iter_ == len(est.history_) == best + 1 + patience < 100


def test_patience_that_is_never_spent_trains_to_the_end(data):
    assert quick(patience=50, max_epochs=9).fit(*data).n_iter_ == 9


def test_without_early_stopping_no_row_is_held_out_and_all_epochs_are_trained(data):
    est = quick(early_stopping=False, max_epochs=30).fit(*data)
    assert est.n_iter_ == 30
    assert not [column for column in est.history_ if column.startswith("valid")]
    # The last epoch's weights: another epoch makes others.
    shorter = quick(early_stopping=False, max_epochs=29).fit(*data)
    assert (est.predict(data[0])["regression0"] != shorter.predict(data[0])["regression0"]).any()


def test_all_rows_are_learned_from_where_validation_rows_are_given(data):
    (X, Y), (X_val, Y_val) = halves(data)
    given = quick(max_epochs=5, patience=5).fit(X, Y, X_val=X_val, y_val=Y_val)
    none = quick(max_epochs=5, early_stopping=False).fit(X, Y)
    np.testing.assert_allclose(given.history_["train_loss"], none.history_["train_loss"], rtol=1e-6)
    # Up to the best epoch there is nothing to average.
    best = int(given.history_["valid_loss"].idxmin()) + 1
    given = quick(max_epochs=best).fit(X, Y, X_val=X_val, y_val=Y_val)
    stopped = quick(max_epochs=best, early_stopping=False).fit(X, Y)
    np.testing.assert_allclose(given.predict(X)["regression0"], stopped.predict(X)["regression0"], rtol=1e-5)


def test_fewer_than_ten_rows_are_all_learned_from(data):
    X, _ = data
    est = quick(max_epochs=3).fit(X[:9], {"regression0": np.arange(9.0)})
    assert "valid_loss" not in est.history_
    assert est.n_iter_ == 3


def test_held_out_rows_without_labels_of_a_watched_task_do_not_end_training(data):
    X, Y = data
    rare = np.full(160, np.nan)
    rare[:2] = [0.3, 0.9]
    for seed in range(3):
        est = quick(max_epochs=2, random_state=seed, task_weights={"regression0": 0.0})
        assert est.fit(X, {"regression0": Y["regression0"], "rare": rare}).n_iter_ == 2


# Ctrl-C and the user's own stopping


class Interrupt(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 3:
            raise KeyboardInterrupt


class InterruptInABatch(Callback):
    def on_batch_end(self, net, training, **kwargs):
        if len(net.history) == 2 and training:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("callback", "n_epochs"), [(Interrupt(), 3), (InterruptInABatch(), 1)])
@pytest.mark.parametrize("others", [[], [EarlyStopping(patience=5)]])
def test_ctrl_c_is_passed_on(data, callback, n_epochs, others):
    before = torch.get_rng_state()
    est = quick(callbacks=[callback, *others])
    with pytest.raises(KeyboardInterrupt):
        est.fit(*data)
    assert est.n_iter_ == n_epochs
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_skorchs_early_stopping_ends_training_in_good_order(data, early_stopping):
    monitor = "valid_loss" if early_stopping else "train_loss"
    stopping = EarlyStopping(monitor, patience=2, threshold=10.0, threshold_mode="abs")
    est = quick(early_stopping=early_stopping, patience=50, callbacks=[stopping]).fit(*data)
    assert est.n_iter_ == 3
    assert est.predict(data[0])["regression0"].shape == (160,)
    assert stopping.misses_ == 0


class Broken(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise OSError("disk full")


def test_what_a_callback_raises_is_passed_on(data):
    with pytest.raises(OSError, match="disk full"):
        quick(callbacks=[Broken()]).fit(*data)


# Losses that are no longer finite


class Poison(Callback):
    """Makes the weights nan as the third epoch begins."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            for parameter in net.module_.parameters():
                parameter.data.fill_(float("nan"))


class PoisonATask(Callback):
    """Makes one task's head nan before any step."""

    def on_train_begin(self, net, **kwargs):
        net.module_.heads.branches[0].bias.data[..., 1] = float("nan")


class PoisonAtTheEnd(Callback):
    """Makes the weights nan after the last step of the third epoch, and of the validation that follows."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 3:
            for parameter in net.module_.parameters():
                parameter.data.fill_(float("inf"))


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_a_loss_that_is_nan_in_a_later_epoch_warns_and_the_last_finite_weights_are_kept(
    data, early_stopping, ema_decay
):
    settings = {"early_stopping": early_stopping, "ema_decay": ema_decay}
    with pytest.warns(RuntimeWarning, match=r"nan or infinite in epoch 3; the weights of the last finite"):
        poisoned = quick(callbacks=[Poison()], **settings).fit(*data)
    two = quick(max_epochs=2, **settings).fit(*data)
    for name, values in two.predict(data[0]).items():
        np.testing.assert_array_equal(poisoned.predict(data[0])[name], values)
    assert poisoned.n_iter_ == 3


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_weights_that_are_no_longer_finite_are_found_before_they_are_kept(data, ema_decay):
    settings = {"early_stopping": False, "ema_decay": ema_decay, "max_epochs": 5}
    with pytest.warns(RuntimeWarning, match=r"nan or infinite in epoch [34]"):
        est = quick(callbacks=[PoisonAtTheEnd()], **settings).fit(*data)
    assert np.isfinite(est.predict(data[0])["regression0"]).all()


def test_a_loss_that_is_nan_in_the_first_epoch_is_an_error_that_names_the_task(data):
    with pytest.raises(
        ValueError, match=r"The loss of task 'regression1' became nan .* first epoch; try a s"
    ):
        quick(callbacks=[PoisonATask()]).fit(*data)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_absurd_learning_rate_is_an_error_that_says_what_to_try(data, early_stopping):
    est = quick(lr=1e30, batch_size=16, early_stopping=early_stopping)
    with pytest.raises(ValueError, match=r"task 'regression0'.* nan or infinite in the first epoch; .*`lr`"):
        est.fit(*data)
    assert not hasattr(est, "tasks_")


def test_a_finite_training_warns_of_nothing(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(max_epochs=3).fit(*data)
