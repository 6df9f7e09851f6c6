"""scikit-learn's callbacks see the nets and epochs of a fit, and may end it."""

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EarlyStopping

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.model_selection import StackedGridSearchCV

callback = pytest.importorskip("sklearn.callback")

X = np.random.default_rng(0).normal(size=(80, 2))
Y = X @ [1.0, 2.0]


def make(**params):
    settings = {"trunk": "mlp", "n_bags": 1, "max_epochs": 4, "patience": 50, "random_state": 0, **params}
    return MultiTaskRegressor(**settings)


class Noting:
    """Notes the tasks that begin and end, and asks to stop after some epochs."""

    def __init__(self, stop_at=None):
        self.begun, self.ended, self.torn_down, self.scores = [], [], 0, []
        self.stop_at = stop_at

    def setup(self, estimator, context):
        self.set_up = True

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(place(context))

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.ended.append(place(context))
        self.scores.append(fitted_estimator.score(X, y))
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_at


def place(context):
    parents = [] if context.parent is None else [context.parent.task_id]
    return (context.task_name, *parents, context.task_id)


def test_epochs_are_tasks_of_the_fit():
    noting = Noting()
    est = make().set_callbacks(noting).fit(X, Y)
    epochs = [("epoch", 0, number) for number in range(4)]
    assert noting.begun == [("fit", 0), *epochs]
    assert noting.ended == [*epochs, ("fit", 0)]
    assert noting.torn_down == 1
    assert not [
        name for name in vars(est) if "callback" in name and name not in ("callbacks", "_skl_callbacks")
    ]


@pytest.mark.parametrize("n_bags", [2, 5])
def test_nets_are_tasks_whether_stacked_or_not(n_bags):
    noting = Noting()
    make(n_bags=n_bags).set_callbacks(noting).fit(X, Y)
    nets = [("fit-net", 0, net) for net in range(n_bags)]
    every = {("fit", 0), *nets, *(("epoch", net, number) for net in range(n_bags) for number in range(4))}
    assert len(noting.begun) == len(noting.ended) == len(every)
    assert set(noting.begun) == set(noting.ended) == every
    # From four on they are trained in lockstep.
    in_turn = noting.begun.index(("epoch", 1, 0)) > noting.begun.index(("epoch", 0, 1))
    assert in_turn == (n_bags < 4)


@pytest.mark.parametrize("n_bags", [1, 5])
@pytest.mark.parametrize("warm_start", [False, True])
def test_the_result_is_that_of_a_fit_without_callbacks(n_bags, warm_start):
    noting = Noting()
    watched, alone = (make(n_bags=n_bags, warm_start=warm_start) for _ in range(2))
    watched.set_callbacks(noting)
    for epochs in (2, 4) if warm_start else (4,):
        for est in (alone, watched):
            est.set_params(max_epochs=epochs).fit(X, Y)
    np.testing.assert_array_equal(watched.predict(X), alone.predict(X))
    assert watched.history_.equals(alone.history_)
    assert len([task for task in noting.ended if task[0] == "epoch"]) == 4 * n_bags


@pytest.mark.parametrize("n_bags", [1, 5])
def test_a_callback_may_end_the_training(n_bags):
    est = make(n_bags=n_bags).set_callbacks(Noting(stop_at=3)).fit(X, Y)
    assert est.n_iter_ == 3
    assert len(est.history_) == 3 * n_bags
    np.testing.assert_array_equal(est.predict(X), make(n_bags=n_bags, max_epochs=3).fit(X, Y).predict(X))


def test_the_epoch_by_which_another_callback_stops_is_told_of():
    noting = Noting()
    stops = EarlyStopping("train_loss", patience=1, threshold=1e9, threshold_mode="abs")
    est = make(callbacks=[stops]).set_callbacks(noting).fit(X, Y)
    assert est.n_iter_ == 2
    assert noting.ended == [("epoch", 0, 0), ("epoch", 0, 1), ("fit", 0)]


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_the_estimator_of_an_epoch_predicts_as_a_fit_that_ends_there(ema_decay):
    noting = Noting()
    plain = {"early_stopping": False, "calibrate": False, "ema_decay": ema_decay}
    make(**plain).set_callbacks(noting).fit(X, Y)
    expected = [make(max_epochs=epochs, **plain).fit(X, Y).score(X, Y) for epochs in (1, 2, 3, 4)]
    assert noting.scores == [*expected, expected[-1]]


def test_a_fit_that_fails_is_torn_down_and_leaves_the_estimator():
    noting = Noting()
    est = make(lr=1e30).set_callbacks(noting)
    with pytest.raises(ValueError, match="nan or infinite"):
        est.fit(X, Y)
    assert noting.torn_down == 1
    assert noting.begun == [("fit", 0), ("epoch", 0, 0)]
    assert set(vars(est)) == {*est.get_params(deep=False), "_skl_callbacks"}


def test_scikit_learns_monitor_has_the_score_of_every_epoch():
    monitor = callback.ScoringMonitor(scoring=["r2"])
    est = make().set_callbacks(monitor).fit(X, Y, sample_weight=np.ones(len(X)))
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 4
    assert monitor.get_logs().data[0]["r2"] == pytest.approx(est.score(X, Y))


def lines_of(capsys):
    return [
        line for line in re.sub(r"\x1b\[[\d;?]*\w", "", capsys.readouterr().out).splitlines() if "%" in line
    ]


def test_scikit_learns_progress_bar_shows_nets_and_epochs(capsys):
    make(n_bags=2).set_callbacks(callback.ProgressBar()).fit(X, Y)
    shown = "\n".join(lines_of(capsys))
    assert "MultiTaskRegressor - fit " in shown
    assert "MultiTaskRegressor - fit-net #1" in shown
    assert "100%" in shown


@pytest.mark.parametrize("search", [GridSearchCV, StackedGridSearchCV])
def test_its_progress_bar_goes_through_searches_and_pipelines(search, capsys):
    pipe = make_pipeline(StandardScaler(), make())
    found = search(pipe, {"multitaskregressor__lr": [0.01, 0.02]}, cv=2)
    found.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, Y)
    shown = "\n".join(lines_of(capsys))
    assert "MultiTaskRegressor - fit" in shown
    assert not hasattr(found.best_estimator_[-1], "_skl_callbacks")


def test_a_clone_and_a_pickle_keep_callbacks():
    est = make().set_callbacks(Noting())
    assert clone(est)._skl_callbacks[0] is est._skl_callbacks[0]
    assert isinstance(pickle.loads(pickle.dumps(est))._skl_callbacks[0], Noting)
    with pytest.raises(TypeError, match="FitCallback"):
        est.set_callbacks(EarlyStopping())
