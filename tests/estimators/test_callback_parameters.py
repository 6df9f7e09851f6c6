"""Callbacks by name: in `get_params`, `set_params`, `clone` and grids; the caller's are left alone."""

import threading

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, LoadInitState, LRScheduler
from torch.optim.lr_scheduler import StepLR

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.estimators.callback_parameters import named
from sklearn_mtl.model_selection import StackedGridSearchCV

X = np.random.default_rng(0).normal(size=(60, 2))
Y = X @ [1.0, 2.0]


def make(callbacks=None, **params):
    settings = {"trunk": "mlp", "n_bags": 1, "max_epochs": 6, "patience": 50, "random_state": 0, **params}
    return MultiTaskRegressor(callbacks=callbacks, **settings)


def never_better(patience=2):
    """Stop after one epoch more than the patience."""
    return EarlyStopping("train_loss", patience=patience, threshold=1e9, threshold_mode="abs")


def test_names_are_those_of_skorch():
    callbacks = [EarlyStopping(), ("mine", Checkpoint()), EarlyStopping, Checkpoint]
    est = make([EarlyStopping("train_loss"), ("mine", EarlyStopping()), EarlyStopping("train_loss")]).fit(
        X, Y
    )
    assert [name for name, _ in named(callbacks)] == [
        "EarlyStopping_1", "mine", "EarlyStopping_2", "Checkpoint",
    ]  # fmt: skip
    assert {name for name, _ in est.net_.callbacks_} >= {name for name, _ in named(est.callbacks)}


def test_get_params_lists_callbacks_and_their_parameters():
    early = EarlyStopping(patience=3)
    found = make([("early", early), Checkpoint]).get_params()
    assert found["callbacks__early"] is early
    assert found["callbacks__early__patience"] == 3
    assert found["callbacks__Checkpoint"] is Checkpoint
    assert "callbacks__early" not in make([("early", early)]).get_params(deep=False)
    for nothing in (None, [], "x", 3):
        assert not [name for name in make(nothing).get_params() if name.startswith("callbacks__")]


def test_a_parameter_is_set_in_a_copy():
    early, saved = EarlyStopping(patience=3), Checkpoint()
    est = make([("early", early), saved, LoadInitState(saved)])
    given = est.callbacks
    est.set_params(callbacks__early__patience=7, callbacks__Checkpoint__monitor=None)
    assert (early.patience, saved.monitor) == (3, "valid_loss_best")
    assert given[0] == ("early", early)
    assert est.get_params()["callbacks__early__patience"] == 7
    assert est.get_params()["callbacks__LoadInitState__checkpoint"].monitor is None


def test_a_class_becomes_a_callback_with_the_parameter():
    est = make([EarlyStopping]).set_params(callbacks__EarlyStopping__patience=7)
    assert est.get_params()["callbacks__EarlyStopping__patience"] == 7


def test_a_name_stays_when_another_of_its_class_is_set():
    est = make([EarlyStopping(patience=1), EarlyStopping(patience=2)])
    est.set_params(callbacks__EarlyStopping_1=None)
    assert est.get_params()["callbacks__EarlyStopping_2__patience"] == 2


def test_none_switches_a_callback_off_and_another_takes_its_place():
    est = make([("early", never_better())])
    assert est.fit(X, Y).n_iter_ == 3
    assert est.set_params(callbacks__early=None).fit(X, Y).n_iter_ == 6
    other = never_better()
    assert est.set_params(callbacks__early=other, callbacks__early__patience=3).fit(X, Y).n_iter_ == 4
    assert other.patience == 2


@pytest.mark.parametrize(
    ("callbacks", "params", "message"),
    [
        ([EarlyStopping()], {"callbacks__late__patience": 3}, r"`callbacks__late` must name .*\['EarlyStopp"),
        ([EarlyStopping()], {"callbacks__late": None}, r"`callbacks__late` must name a callback"),
        ([EarlyStopping()], {"callbacks__EarlyStopping__patiense": 3}, r"no parameter 'patiense'; there are"),
        ([("early", None)], {"callbacks__early__patience": 3}, r"`callbacks__early` must be a callback"),
        (None, {"callbacks__early__patience": 3}, r"`callbacks` must be a list .*Found None"),
        (None, {"lr_schedule__step_size": 3}, r"`lr_schedule` must be a callback .*Found 'inverse_sqrt'"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(callbacks, params, message):
    with pytest.raises(ValueError, match=message):
        make(callbacks).set_params(**params)


@pytest.mark.parametrize("name", ["early", "EarlyStopping"])
def test_two_of_one_name_are_refused_before_training(name):
    callbacks = [(name, EarlyStopping()), (name, EarlyStopping())]
    with pytest.raises(ValueError, match=rf"`callbacks` must have names that differ\. Found '{name}'"):
        make(callbacks).fit(X, Y)


def test_a_schedule_is_set_in_a_copy():
    schedule = LRScheduler(StepLR, step_size=5)
    est = make(lr_schedule=schedule).set_params(lr_schedule__step_size=2)
    assert (schedule.step_size, est.lr_schedule.step_size) == (5, 2)


class Reports(Callback):
    """Reports to what can't be copied."""

    def __init__(self, study):
        self._study = study

    def on_epoch_end(self, net, **kwargs):
        self._study["reports"].append(len(net.history))


def study():
    return {"lock": threading.Lock(), "reports": []}


def test_a_clone_shares_what_callbacks_were_given():
    est = make([Reports(study())], lr_schedule=LRScheduler(StepLR, step_size=5))
    again = clone(clone(est))
    assert again.callbacks[0] is not est.callbacks[0]
    assert again.lr_schedule is not est.lr_schedule
    est.callbacks[0].on_epoch_end(est.fit(X, Y).net_)
    again.fit(X, Y)
    reports = again.get_params()["callbacks__Reports"]._study["reports"]
    assert reports == [1, 2, 3, 4, 5, 6, 6, 1, 2, 3, 4, 5, 6]


def test_a_list_of_a_clone_is_its_own():
    est = make([EarlyStopping])
    clone(est).callbacks.append(Checkpoint)
    assert est.callbacks == [EarlyStopping]


def test_folds_of_a_search_report_to_one_study():
    study_ = study()
    pipe = make_pipeline(StandardScaler(), make([Reports(study_)], max_epochs=2))
    GridSearchCV(pipe, {"multitaskregressor__lr": [0.01, 0.02]}, cv=2, refit=False).fit(X, Y)
    assert study_["reports"] == [1, 2] * 4


@pytest.mark.parametrize("search", [GridSearchCV, StackedGridSearchCV])
def test_a_grid_over_a_callbacks_parameter(search):
    early = never_better(patience=1)
    grid = {"callbacks__early__patience": [2, 4], "callbacks__early": [early]}
    found = search(make([("early", early)]), {**grid}, cv=2).fit(X, Y)
    assert found.best_estimator_.n_iter_ == 1 + found.best_params_["callbacks__early__patience"]
    assert len(found.cv_results_["params"]) == 2
    assert early.patience == 1
