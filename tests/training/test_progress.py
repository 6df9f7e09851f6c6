"""What is shown of a fit while it trains."""

import io
import sys
from contextlib import redirect_stderr
from types import SimpleNamespace

import numpy as np
import pytest
import tqdm.auto
from skorch.callbacks import Callback

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.training.callbacks import StopTraining
from sklearn_mtl.training.observer import NetObserver, SeveralObservers
from sklearn_mtl.training.progress_view import Bar, Lines

rng = np.random.default_rng(0)
X = rng.normal(size=(160, 3))
Y = {"price": X[:, 0] + rng.normal(size=160), "type": np.where(X[:, 1] > 0, "flat", "house")}
MANY = {f"a task of a long name {i}": X[:, 0] for i in range(6)}


def make(**params):
    params = {"trunk": "mlp", "n_bags": 1, "max_epochs": 4, "lr": 0.02, "random_state": 0, **params}
    return MultiTaskClassifierRegressor(**params, linear_blend=False, tree_blend=False)


class Terminal(io.StringIO):
    """Stands for a terminal, and keeps what is written to it."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(Bar, "every", 0.0)
    return Terminal()


@pytest.fixture
def every_line(monkeypatch):
    monkeypatch.setattr(Lines, "every", 0.0)


def test_nothing_is_written_by_default(capfd):
    est = make(n_bags=4).fit(X, Y)
    est.predict(X)
    est.partial_fit(X, Y)
    search = StackedGridSearchCV(make(), {"lr": [0.01, 0.02]}, cv=2).fit(X, MultiTaskTarget(Y))
    search.score(X, MultiTaskTarget(Y))
    assert capfd.readouterr() == ("", "")


def test_lines_go_where_no_terminal_is(capfd, every_line):
    est = make(verbose=1).fit(X, Y)
    out, err = capfd.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.split(" epochs in ")[0] for line in lines] == [f"{i} of at most 4" for i in (1, 2, 3)] + [
        "4"
    ]
    first = est.history_.iloc[0]
    assert lines[0].endswith(
        f" s, best epoch 1, loss: price {first['valid_loss_price']:.3g}, type {first['valid_loss_type']:.3g}"
    )
    by_epoch = est.history_.set_index("epoch")
    best = by_epoch["valid_loss"].idxmin()
    price, kind = by_epoch.loc[best, ["valid_loss_price", "valid_loss_type"]]
    assert lines[-1].endswith(f" s, best epoch {best}, loss: price {price:.3g}, type {kind:.3g}")


def test_lines_are_seconds_apart(capfd):
    make(verbose=1, max_epochs=12).fit(X, Y)
    assert len(capfd.readouterr().err.splitlines()) == 2


def test_without_held_out_rows_the_losses_are_those_of_training(capfd):
    est = make(verbose=1, early_stopping=False).fit(X, {"price": X[:, 0]})
    last = est.history_["train_loss_price"].iloc[-1]
    assert capfd.readouterr().err.splitlines()[-1].endswith(f" s, loss: price {last:.3g}")
    make(verbose=1).partial_fit(X, {"price": X[:, 0]})
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("1 epoch in ")


def test_of_many_tasks_some_are_shown_after_the_mean(capfd):
    est = make(verbose=1, max_epochs=1).fit(X, MANY)
    losses = capfd.readouterr().err.splitlines()[-1].split("loss: ")[1].split(", ")
    assert losses[0] == f"mean {est.history_['valid_loss'].iloc[0]:.3g}"
    assert [loss.split(" 0.")[0] for loss in losses[1:5]] == ["a task of a long na…"] * 4
    assert losses[5:] == ["and 2 more"]


@pytest.mark.parametrize("n_bags", [2, 4])
def test_a_bag_has_one_bar(terminal, n_bags):
    with redirect_stderr(terminal):
        est = make(verbose=1, n_bags=n_bags, max_epochs=9).fit(X, Y)
    looks = terminal.getvalue().replace("\n", "").split("\r")[1:]
    assert f"| 0/{9 * n_bags} epochs [00:00<?" in looks[0]
    done = len(est.history_)
    assert f"| {done}/{done} epochs [" in looks[-1]
    assert f"{n_bags} of {n_bags} networks done" in looks[-1]
    best = est.history_.set_index("epoch").groupby("bag")["valid_loss"].idxmin()
    same = best.min() == best.max()
    assert (f"best epoch {best.min()}," if same else f"best epochs {best.min()} to {best.max()},") in looks[
        -1
    ]
    assert terminal.getvalue().count("\n") == 1


def test_looking_on_changes_nothing(terminal):
    with redirect_stderr(terminal):
        quiet, shown = (make(n_bags=4, verbose=verbose).fit(X, Y) for verbose in (0, 1))
    np.testing.assert_array_equal(quiet.predict(X)["price"], shown.predict(X)["price"])
    assert quiet.history_.equals(shown.history_)
    assert not any("print_log" in dict(net.callbacks_) for net in shown.nets_)


def test_a_bar_ends_where_an_error_or_ctrl_c_ends_the_fit(terminal):
    def ended(self, net, **kwargs):
        raise KeyboardInterrupt

    stops = type("Stops", (Callback,), {"on_epoch_end": ended})
    with pytest.raises(KeyboardInterrupt), redirect_stderr(terminal):
        make(verbose=1, callbacks=[stops()]).fit(X, Y)
    assert terminal.getvalue().endswith("\n")


def test_the_bar_of_a_notebook_knows_the_whole(monkeypatch):
    widget = SimpleNamespace(max=0)

    class Widgets(tqdm.std.tqdm):
        container = SimpleNamespace(children=["text", widget, "text"])

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            widget.max = kwargs["total"]

    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", SimpleNamespace())
    monkeypatch.setattr(tqdm.auto, "tqdm", Widgets)
    est = make(verbose=1, max_epochs=60, patience=1, lr=0.1).fit(X, Y)
    assert widget.max == len(est.history_) < 60


def test_above_one_every_net_prints_its_table(capfd):
    make(verbose=2, n_bags=2).fit(X, Y)
    out, err = capfd.readouterr()
    assert len(out.strip().splitlines()) == 2 * (2 + 4)
    assert err == ""


def test_several_observers_are_all_told():
    told = []

    class Told(NetObserver):
        def __init__(self, stops):
            self.stops = stops

        def on_train_begin(self, net, **kwargs):
            told.append("train")

        def begin_epoch(self, net):
            told.append("begin")

        def end_epoch(self, net):
            told.append("end")
            return self.stops

        def end(self, net):
            told.append("over")

    both = SeveralObservers([Told(True), Told(False)])
    both.on_train_begin(None)
    both.on_epoch_begin(None)
    with pytest.raises(StopTraining):
        both.on_epoch_end(None)
    both.on_train_end(SimpleNamespace(history=[]))
    assert told == [word for word in ("train", "begin", "end", "over") for _ in range(2)]
