"""A fit that was ended goes on from its checkpoint, and ends with the bits of one that was not."""

import os
from errno import EACCES, ENOSPC, EROFS

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from sklearn.base import clone
from skorch.callbacks import Callback, LRScheduler

pytest.importorskip("safetensors")

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.balancing import DWA, FAMO, ExcessMTL, GradNorm, UncertaintyWeighting
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.training.checkpoints import Checkpoint, CheckpointFolder
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.stacking.trainer import StackedTrainer
from sklearn_mtl.trunks import MLP

X, Y = make_multitask(
    120, 5, n_regression=1, n_binary=1, noise=2.0, missing_labels=0.1, string_labels=True, random_state=0
)
GRADES = np.random.default_rng(0).choice(["a", "b", "c"], len(X))


def quick(**params):
    settings = {"trunk": MLP((8,), dropout=0.1), "n_bags": 1, "lr": 0.02, "batch_size": 32, "max_epochs": 6}
    general = {"linear_blend": False, "preprocessing": None, "random_state": 0}
    return MultiTaskClassifierRegressor(**{**general, **settings, **params})


class Ended(BaseException):
    """Ends a process, as far as the estimator knows."""


def end_at(monkeypatch, number):
    """End the process once so many states are written; return their names."""
    write, names = CheckpointFolder.write, list[str]()

    def ended(self, name, *args):
        write(self, name, *args)
        names.append(name)
        if len(names) == number:
            raise Ended

    monkeypatch.setattr(CheckpointFolder, "write", ended)
    return names


def fit_ended_at(est, number, X=X, Y=Y, **kwargs):
    with pytest.MonkeyPatch.context() as monkeypatch:
        end_at(monkeypatch, number)
        with pytest.raises(Ended):
            est.fit(X, Y, **kwargs)


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found.history_, expected.history_, check_exact=True)
    for one, other in zip(found.nets_, expected.nets_, strict=True):
        states = one.network.state_dict(), other.network.state_dict()
        assert states[0].keys() == states[1].keys()
        for name, value in states[0].items():
            np.testing.assert_array_equal(value.numpy(), states[1][name].numpy(), err_msg=name)
        assert one.totals() == other.totals()
    np.testing.assert_array_equal(found.predict(X)["regression0"], expected.predict(X)["regression0"])
    np.testing.assert_array_equal(found.predict_proba(X)["binary0"], expected.predict_proba(X)["binary0"])


def assert_goes_on(tmp_path, number, **params):
    """End a fit after so many states, fit again in the same folder, and compare with an undisturbed fit."""
    expected = quick(**params).fit(X, Y)
    est = quick(checkpoint=tmp_path / "fit", **params)
    fit_ended_at(est, number)
    assert not hasattr(est, "nets_")
    found = clone(est).fit(X, Y)
    assert_same(found, expected)
    return found


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_one_net_goes_on(tmp_path, ema_decay, early_stopping):
    assert_goes_on(tmp_path, 3, ema_decay=ema_decay, early_stopping=early_stopping)


@pytest.mark.parametrize("number", [1, 6, 8])
def test_two_nets_one_after_the_other_go_on(tmp_path, number):
    assert_goes_on(tmp_path, number, n_bags=2, early_stopping=False, max_epochs=4)


# The nets of this bag stop after different numbers of epochs: it writes fifteen states or so.
@pytest.mark.parametrize("number", [1, 5, 9])
def test_a_stack_goes_on_with_the_nets_that_are_left(tmp_path, number):
    found = assert_goes_on(tmp_path, number, n_bags=5, max_epochs=20, patience=2)
    assert len({len(net.history) for net in found.nets_}) > 2


@pytest.mark.parametrize("lr_schedule", ["cosine", "one_cycle", None, LRScheduler("StepLR", step_size=2)])
def test_the_learning_rate_goes_on(tmp_path, lr_schedule):
    assert_goes_on(tmp_path, 2, lr_schedule=lr_schedule, max_epochs=4)


@pytest.mark.parametrize(
    ("balancing", "n_bags"),
    [(ExcessMTL(), 1), (GradNorm(), 1), (FAMO(), 4), (DWA(), 4), (UncertaintyWeighting(), 4)],
)
def test_a_balancer_goes_on(tmp_path, balancing, n_bags):
    assert_goes_on(tmp_path, 3, balancing=balancing, n_bags=n_bags, max_epochs=4)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_an_optimizer_goes_on(tmp_path, optimizer):
    assert_goes_on(
        tmp_path, 2, optimizer=optimizer, max_epochs=4, gradient_conflict=3, sampler="task_balanced"
    )


def test_models_beside_the_nets_are_the_same(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1100, 3))
    Y = {"number": np.sin(3 * X[:, 0]) + 0.1 * rng.normal(size=1100), "class": X[:, 1] > 0}
    params = {"linear_blend": True, "tree_blend": True, "n_bags": 2, "max_epochs": 2, "batch_size": 256}
    expected, est = quick(**params).fit(X, Y), quick(checkpoint=tmp_path, **params)
    fit_ended_at(est, 3, X, Y)
    found = est.fit(X, Y)
    np.testing.assert_array_equal(found.predict(X)["number"], expected.predict(X)["number"])


class Remembers(Callback):
    """Halves the learning rate when it has seen the loss fall three times."""

    def on_train_begin(self, net, **kwargs):
        self.seen_ = []
        self.n_falls_ = 0

    def on_epoch_end(self, net, **kwargs):
        self.seen_.append({"epoch": len(net.history), "loss": np.float64(net.history[-1, "train_loss"])})
        self.n_falls_ += net.history[-1, "train_loss_best"]
        if self.n_falls_ == 3:
            for group in net.optimizer_.param_groups:
                group["lr"] /= 2


def test_callbacks_get_their_state_back(tmp_path):
    found = assert_goes_on(tmp_path, 2, callbacks=[Remembers()], lr_schedule=None)
    (remembers,) = [one for _, one in found.net_.callbacks_ if isinstance(one, Remembers)]
    assert [row["epoch"] for row in remembers.seen_] == [1, 2, 3, 4, 5, 6]


class Unwritable(Remembers):
    def on_train_begin(self, net, **kwargs):
        super().on_train_begin(net)
        self.held_ = {1, 2}


class WithStateDict(Unwritable):
    def state_dict(self):
        return {"seen": self.seen_, "n_falls": self.n_falls_, "held": sorted(self.held_)}

    def load_state_dict(self, state):
        self.seen_, self.n_falls_, self.held_ = state["seen"], state["n_falls"], set(state["held"])


def test_a_callback_whose_state_cannot_be_written_is_refused_before_any_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(MultiTaskNet, "run_single_epoch", None)
    with pytest.raises(TypeError, match=r"`callbacks` must hold.*`held_` of Unwritable, of type set"):
        quick(checkpoint=tmp_path, callbacks=[Unwritable()]).fit(X, Y)


def test_a_callback_may_say_itself_what_its_state_is(tmp_path):
    assert_goes_on(tmp_path, 2, callbacks=[WithStateDict()], lr_schedule=None)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(3)], ids=["None", "RandomState"])
def test_what_was_drawn_for_the_first_fit_is_drawn_again(tmp_path, random_state):
    est = quick(checkpoint=tmp_path, random_state=random_state, max_epochs=3)
    fit_ended_at(est, 1)
    first = est.fit(X, Y)
    assert_same(clone(est).fit(X, Y), first)


def test_a_random_state_draws_what_it_draws_without_a_checkpoint(tmp_path):
    expected = quick(random_state=np.random.RandomState(3), max_epochs=3).fit(X, Y)
    est = quick(checkpoint=tmp_path, random_state=np.random.RandomState(3), max_epochs=3)
    fit_ended_at(est, 1)
    assert_same(est.fit(X, Y), expected)


def test_a_random_state_of_another_generator_is_refused(tmp_path):
    other = np.random.RandomState(np.random.PCG64(0))
    with pytest.raises(ValueError, match="Found one of PCG64"):
        quick(checkpoint=tmp_path, random_state=other).fit(X, Y)


def test_a_finished_fit_is_there_without_training(tmp_path, monkeypatch):
    first = quick(checkpoint=tmp_path, n_bags=2, max_epochs=2).fit(X, Y)
    monkeypatch.setattr(MultiTaskNet, "run_single_epoch", None)
    assert_same(quick(checkpoint=str(tmp_path), n_bags=2, max_epochs=2).fit(X, Y), first)


@pytest.mark.parametrize(
    ("params", "change", "found"),
    [
        ({"lr": 0.01}, None, r"`lr` was 0\.02, and is 0\.01"),
        ({"trunk": MLP((9,))}, None, r"`trunk` was MLP\(.*\(8,\)\), and is MLP\(.*\(9,\)\)"),
        ({"random_state": 1}, None, r"`random_state` was 0, and is 1"),
        ({}, "X", r"X, as it is encoded, is not the same"),
        ({}, "y", r": y is not the same"),
        ({}, "weight", "the weight of rows is not the same"),
    ],
)
def test_another_fit_is_refused_and_what_differs_is_said(tmp_path, params, change, found):
    quick(checkpoint=tmp_path, max_epochs=1).fit(X, Y)
    other_X, other_Y, weight = X.copy(), {name: labels.copy() for name, labels in Y.items()}, None
    if change == "X":
        other_X[5, 2] += 1e-6
    elif change == "y":
        row = np.flatnonzero(~np.isnan(Y["regression0"]))[0]
        other_Y["regression0"][[row, row + 1]] = other_Y["regression0"][[row + 1, row]]
    elif change == "weight":
        weight = np.linspace(1, 2, len(X))
    est = quick(**{"checkpoint": tmp_path, "max_epochs": 1, **params})
    with pytest.raises(ValueError, match=found) as raised:
        est.fit(other_X, other_Y, weight)
    assert str(raised.value).startswith("`checkpoint` must be a folder of this very fit")
    assert str(tmp_path) in str(raised.value)


def test_classes_with_an_order_are_another_fit(tmp_path):
    est = quick(checkpoint=tmp_path, max_epochs=1).fit(X, pd.DataFrame({"grade": GRADES}))
    with pytest.raises(ValueError, match="what the tasks are is not the same"):
        est.fit(X, pd.DataFrame({"grade": pd.Categorical(GRADES, ["a", "b", "c"], ordered=True)}))


def test_tasks_of_other_names_are_another_fit(tmp_path):
    params = {"task_weights": {"one": 9.0}, "checkpoint": tmp_path, "max_epochs": 1}
    est = quick(**params).fit(X, {"one": X[:, 0], "two": X[:, 1]})
    with pytest.raises(ValueError, match="what the tasks are is not the same"):
        est.fit(X, {"two": X[:, 0], "one": X[:, 1]})


class FitsAnother(Callback):
    """Begins a fit in the same folder while its own is at work."""

    def __init__(self, folder):
        self.folder = folder

    def on_epoch_begin(self, net, **kwargs):
        with pytest.raises(ValueError, match="`checkpoint` must be a folder that no other fit writes to"):
            quick(checkpoint=self.folder, random_state=None).fit(X, Y)


def test_a_folder_is_of_one_fit_at_a_time_and_any_number_may_read_it_then(tmp_path):
    est = quick(checkpoint=tmp_path, random_state=None, max_epochs=2, callbacks=[FitsAnother(str(tmp_path))])
    first = est.fit(X, Y)
    with CheckpointFolder(str(tmp_path)).held():
        assert_same(clone(est).fit(X, Y), first)


@pytest.mark.parametrize("errno", [EACCES, EROFS])
def test_who_may_not_write_needs_no_lock(tmp_path, monkeypatch, errno):
    def refused(*args, **kwargs):
        raise OSError(errno, os.strerror(errno))

    monkeypatch.setattr(FileLock, "acquire", refused)
    with CheckpointFolder(str(tmp_path)).held():
        pass
    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(OSError, match="`checkpoint` must be a folder that can be written to"):
        quick(checkpoint=tmp_path).fit(X, Y)


def test_verbose_may_change(tmp_path):
    est = quick(checkpoint=tmp_path, max_epochs=3)
    fit_ended_at(est, 2)
    found, expected = clone(est).set_params(verbose=1).fit(X, Y), quick(max_epochs=3).fit(X, Y)
    pd.testing.assert_frame_equal(found.history_, expected.history_, check_exact=True)


def test_so_many_states_are_kept_after_every_so_many_epochs(tmp_path, monkeypatch):
    names = end_at(monkeypatch, 0)
    est = quick(checkpoint=Checkpoint(tmp_path, every=2, keep=2), max_epochs=7, early_stopping=False)
    monkeypatch.setattr(MultiTaskNet, "close_training", lambda *_: pytest.fail("The last epoch is over."))
    with pytest.raises(BaseException, match="over"):
        est.fit(X, Y)
    assert len(names) == 3
    states = ["net-0-4.safetensors", "net-0-6.safetensors"]
    assert sorted(os.listdir(tmp_path)) == [".lock", "checkpoint.json", *states]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"warm_start": True}, "`checkpoint` must be None with warm_start=True"),
        ({"checkpoint": 3}, "`checkpoint` must be None, the path of a folder, or Checkpoint"),
        ({"checkpoint": Checkpoint("x", every=0)}, "`every` of Checkpoint must be a positive integer"),
        ({"checkpoint": Checkpoint("x", keep=1.5)}, "`keep` of Checkpoint must be a positive integer"),
    ],
)
def test_what_it_may_not_be_is_refused(tmp_path, params, message):
    with pytest.raises(ValueError, match=message):
        quick(**{"checkpoint": tmp_path / "new", **params}).fit(X, Y)
    assert not (tmp_path / "new").exists()


def test_partial_fit_has_no_checkpoint(tmp_path):
    with pytest.raises(ValueError, match="`checkpoint` must be None for `partial_fit`"):
        quick(checkpoint=tmp_path).partial_fit(X, Y)


def test_a_damaged_state_is_named(tmp_path):
    est = quick(checkpoint=tmp_path)
    fit_ended_at(est, 2)
    (state,) = tmp_path.glob("*.safetensors")
    state.write_bytes(state.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"Found a damaged file, .*net-0-2\.safetensors"):
        est.fit(X, Y)


def test_what_a_killed_process_left_unfinished_is_removed(tmp_path):
    est = quick(checkpoint=tmp_path, max_epochs=2)
    fit_ended_at(est, 1)
    (tmp_path / ".sklearn_mtl-00ff.tmp").write_bytes(b"half")
    est.fit(X, Y)
    assert sorted(os.listdir(tmp_path)) == [".lock", "checkpoint.json", "net-0.safetensors"]


def test_a_full_disk_ends_the_fit_and_the_last_state_is_whole(tmp_path):
    est, fsync, calls = quick(checkpoint=tmp_path), os.fsync, []

    def full(file):
        calls.append(file)
        if len(calls) == 4:
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        fsync(file)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="`checkpoint` must be a folder that can be written to") as raised:
            est.fit(X, Y)
    assert raised.value.errno == ENOSPC
    assert sorted(os.listdir(tmp_path)) == [".lock", "checkpoint.json", "net-0-2.safetensors"]
    assert_same(est.fit(X, Y), quick().fit(X, Y))


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileExistsError, match="`checkpoint` must be a folder"):
        quick(checkpoint=tmp_path / "file").fit(X, Y)


class Interrupt(Callback):
    """Presses Ctrl-C in the fourth epoch, once."""

    pressed = False

    def on_batch_end(self, net, training, **kwargs):
        if len(net.history) == 4 and not Interrupt.pressed:
            Interrupt.pressed = True
            raise KeyboardInterrupt


@pytest.mark.parametrize("n_bags", [1, 2])
def test_ctrl_c_loses_nothing(tmp_path, n_bags):
    Interrupt.pressed = False
    est = quick(checkpoint=tmp_path, n_bags=n_bags, callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        est.fit(X, Y)
    assert est.interrupted_
    assert est.n_iter_ == 3
    assert_same(est.fit(X, Y), quick(n_bags=n_bags).fit(X, Y))
    assert not est.interrupted_


def test_ctrl_c_in_a_stack_loses_nothing(tmp_path, monkeypatch):
    train, calls = StackedTrainer._train, []

    def interrupted(self):
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        train(self)

    est = quick(checkpoint=tmp_path, n_bags=4)
    with monkeypatch.context() as pressed:
        pressed.setattr(StackedTrainer, "_train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            est.fit(X, Y)
    assert est.n_iter_ == 2
    assert_same(est.fit(X, Y), quick(n_bags=4).fit(X, Y))
