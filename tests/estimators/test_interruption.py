"""Ctrl-C ends a fit with what is fitted by then."""

import gc
import pickle
import signal
import threading
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.stacking.trainer import StackedTrainer
from sklearn_mtl.training.stacking.weights import StackedWeights
from sklearn_mtl.trunks import MLP

X, Y = make_multitask(
    160, 6, n_regression=1, n_binary=1, noise=2.0, missing_labels=0.1, string_labels=True, random_state=0
)


def quick(**params):
    settings = {"trunk": MLP((32,)), "n_bags": 1, "lr": 0.02, "batch_size": 32, "max_epochs": 9}
    return MultiTaskClassifierRegressor(random_state=0, **{**settings, **params})


class Interrupt(Callback):
    """Presses Ctrl-C at a step of an epoch, counted from 1."""

    def __init__(self, epoch, step=3):
        self.epoch = epoch
        self.step = step

    def on_epoch_begin(self, net, **kwargs):
        self.left_ = self.step

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.left_ -= 1
        if len(net.history) == self.epoch and self.left_ == 0:
            for _, parameter in named_parameters:
                # What was half done must not be seen.
                parameter.data.fill_(float("nan"))
            raise KeyboardInterrupt


class InterruptAtTheEnd(Interrupt):
    """Presses Ctrl-C once an epoch is over."""

    def on_grad_computed(self, net, named_parameters, **kwargs):
        pass

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


def interrupted(est, *data, method="fit", kept=True, **kwargs):
    before = dict(vars(est))
    with pytest.raises(KeyboardInterrupt) as raised:
        getattr(est, method)(*(data or (X, Y)), **kwargs)
    assert type(raised.value) is KeyboardInterrupt
    if kept:
        assert est.interrupted_ is True
    else:
        assert vars(est).keys() == before.keys()
        assert all(vars(est)[name] is value for name, value in before.items())
    return est


def assert_same_predictions(found, expected):
    for name, values in expected.predict(X).items():
        np.testing.assert_array_equal(found.predict(X)[name], values)
    np.testing.assert_array_equal(found.predict_proba(X)["binary0"], expected.predict_proba(X)["binary0"])


def interrupt_calls(monkeypatch, of, name, number, *, before=False):
    """Press Ctrl-C in, or before, the given call of a method."""
    method, calls = getattr(of, name), []

    def watched(self, *args, **kwargs):
        calls.append(None)
        if before and len(calls) == number:
            raise KeyboardInterrupt
        found = method(self, *args, **kwargs)
        if len(calls) == number:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(of, name, watched)


@pytest.mark.parametrize("ema_decay", [None, 0.9])
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("epoch", [2, 6])
def test_the_epochs_that_are_over_are_kept(epoch, early_stopping, ema_decay):
    settings = {"early_stopping": early_stopping, "ema_decay": ema_decay, "patience": 50}
    before = torch.get_rng_state()
    est = interrupted(quick(callbacks=[Interrupt(epoch)], **settings))
    assert torch.equal(torch.get_rng_state(), before)
    shorter = quick(max_epochs=epoch - 1, **settings).fit(X, Y)
    assert shorter.interrupted_ is False
    assert_same_predictions(est, shorter)
    assert est.n_iter_ == len(est.history_) == len(est.net_.history) == epoch - 1
    np.testing.assert_array_equal(est.history_["train_loss"], shorter.history_["train_loss"])


def test_an_epoch_at_whose_end_ctrl_c_is_pressed_is_over():
    est = interrupted(quick(callbacks=[InterruptAtTheEnd(1)]))
    assert_same_predictions(est, quick(max_epochs=1).fit(X, Y))
    assert est.n_iter_ == 1


@pytest.mark.parametrize("fitted", [False, True])
def test_before_the_first_epoch_is_over_the_estimator_is_as_it_was(fitted):
    est = quick(max_epochs=2)
    if fitted:
        est.fit(X[:, :4], Y)
    interrupted(est.set_params(callbacks=[Interrupt(1)]), kept=False)
    if fitted:
        assert est.interrupted_ is False
        assert est.predict(X[:, :4])["regression0"].shape == (160,)
    else:
        assert not hasattr(est, "n_features_in_")
        with pytest.raises(NotFittedError):
            check_is_fitted(est)


def test_ctrl_c_while_x_is_preprocessed_leaves_the_estimator_as_it_was():
    def press(X):
        raise KeyboardInterrupt

    est = quick().fit(X, Y)
    before = est.predict(X)
    interrupted(est.set_params(preprocessing=FunctionTransformer(press)), X[:, :3], Y, kept=False)
    assert est.n_features_in_ == 6
    np.testing.assert_array_equal(est.predict(X)["regression0"], before["regression0"])


def test_what_fails_leaves_the_estimator_as_it_was():
    est = quick().fit(X, Y)
    with pytest.raises(ValueError, match="first epoch"):
        est.set_params(lr=1e30).fit(X[:, :3], Y)
    assert est.interrupted_ is False
    assert est.n_features_in_ == 6
    assert len(est.predict(X)) == 160


def test_nets_of_a_bag_that_have_no_epoch_are_left_out(monkeypatch):
    # Two nets are trained one after the other: the second is interrupted in its first epoch.
    interrupt_calls(monkeypatch, MultiTaskNet, "validation_step", 10)
    est = interrupted(quick(n_bags=2))
    assert len(est.nets_) == 1
    assert "bag" not in est.history_
    assert est.n_iter_ == 9
    # The first has the held-out rows of a bag of two.
    monkeypatch.undo()
    whole = quick(n_bags=2).fit(X, Y)
    np.testing.assert_array_equal(est.history_["valid_loss"], whole.history_.query("bag == 0")["valid_loss"])
    est.set_params(warm_start=True, max_epochs=11)
    with pytest.warns(UserWarning, match=r"^1 of 2 networks .* `fit` with warm_start=False trains all"):
        est.fit(X, Y)
    assert (len(est.nets_), est.n_iter_, est.interrupted_) == (1, 11, False)
    with pytest.warns(UserWarning, match="^1 of 2 networks"):
        est.partial_fit(X, Y)


STEPS_OF_AN_EPOCH = -(-144 // 32)


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize(
    ("of", "name"), [(StackedWeights, "clip"), (StackedWeights, "step"), (StackedTrainer, "_train")]
)
def test_a_stack_keeps_the_epochs_that_are_over(monkeypatch, of, name, early_stopping):
    settings = {"n_bags": 4, "early_stopping": early_stopping, "gradient_clip": 1.0}
    number = 4 if name == "_train" else 3 * STEPS_OF_AN_EPOCH + 2
    interrupt_calls(monkeypatch, of, name, number)
    est = interrupted(quick(**settings))
    monkeypatch.undo()
    shorter = quick(max_epochs=3, **settings).fit(X, Y)
    assert len(est.nets_) == 4
    assert est.n_iter_ == 3
    assert est.history_["epoch"].tolist() == shorter.history_["epoch"].tolist()
    for name, values in shorter.predict(X).items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(est.predict(X)[name], values, rtol=1e-5)
    # Nothing of the stack is kept alive.
    for net in est.nets_:
        assert all(p.untyped_storage().nbytes() == p.nbytes for p in net.module_.parameters())
    assert est.partial_fit(X, Y).n_iter_ == 4


def test_nets_that_have_left_the_stack_are_whole(monkeypatch):
    settings = {"n_bags": 4, "patience": 1, "max_epochs": 40}
    whole = quick(**settings).fit(X, Y)
    lengths = whole.history_.groupby("bag").size()
    assert lengths.nunique() > 1
    interrupt_calls(monkeypatch, StackedTrainer, "_validate", int(lengths.max()), before=True)
    est = interrupted(quick(**settings))
    expected = [min(n, lengths.max() - 1) for n in lengths]
    assert est.history_.groupby("bag").size().tolist() == expected


def test_ctrl_c_while_a_stack_is_tried_out(monkeypatch):
    interrupt_calls(monkeypatch, StackedTrainer, "forward", 1)
    est = interrupted(quick(n_bags=4), kept=False)
    assert not hasattr(est, "nets_")


@pytest.fixture
def listening():
    """Python's own answer to Ctrl-C: a process that was started in the background ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("n_bags", [1, 8])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_signal(n_bags, streamed, tmp_path, monkeypatch):
    np.save(tmp_path / "X.npy", X)
    rows = np.load(tmp_path / "X.npy", mmap_mode="r") if streamed else X
    est = quick(n_bags=n_bags, early_stopping=False, max_epochs=2_000)
    press = partial(signal.pthread_kill, threading.main_thread().ident, signal.SIGINT)
    begin, timers = MultiTaskNet.on_epoch_begin, []

    def soon(net, *args, **kwargs):
        begin(net, *args, **kwargs)
        if len(net.history) == 3 and not timers:
            timers.append(threading.Timer(0.05, press))
            timers[0].start()

    monkeypatch.setattr(MultiTaskNet, "on_epoch_begin", soon)
    interrupted(est, rows, Y)
    assert len(est.nets_) == n_bags
    assert 2 <= est.n_iter_ < 2_000
    assert len(est.history_) == sum(len(net.history) for net in est.nets_)
    assert np.isfinite(est.predict(X)["regression0"]).all()
    # Iterations that were broken off end when what was raised is forgotten.
    gc.collect()
    assert not [thread for thread in threading.enumerate() if "sklearn_mtl-reader" in thread.name]


def test_warm_start_and_partial_fit_keep_what_was_there():
    est = quick(max_epochs=2, warm_start=True).fit(X, Y)
    before = est.predict_proba(X)["binary0"]
    interrupted(est.set_params(max_epochs=6, callbacks=[Interrupt(3)]), kept=False)
    np.testing.assert_array_equal(est.predict_proba(X)["binary0"], before)
    interrupted(est, method="partial_fit", kept=False)
    np.testing.assert_array_equal(est.predict_proba(X)["binary0"], before)
    assert est.n_iter_ == 2
    interrupted(est.set_params(callbacks=[Interrupt(5)]))
    assert est.n_iter_ == 4
    est.set_params(callbacks=None).fit(X, Y)
    assert (est.n_iter_, est.interrupted_) == (6, False)


def test_partial_fit_leaves_nets_as_they_were_whose_epoch_is_not_over(monkeypatch):
    est = quick(n_bags=2).partial_fit(X, Y)
    before = [pickle.dumps(net.history_) for net in est.nets_]
    # The first net has five steps, of which the second has two.
    interrupt_calls(monkeypatch, MultiTaskNet, "train_step", 7)
    interrupted(est, method="partial_fit")
    assert [len(net.history) for net in est.nets_] == [2, 1]
    assert pickle.dumps(est.nets_[1].history_) == before[1]


def test_the_mark_and_the_bag_go_through_pickle(monkeypatch):
    interrupt_calls(monkeypatch, MultiTaskNet, "validation_step", 10)
    est = pickle.loads(pickle.dumps(interrupted(quick(n_bags=2))))
    assert est.interrupted_ is True
    assert_same_predictions(pickle.loads(pickle.dumps(est)), est)
    assert est._fitted.n_splits == 2
