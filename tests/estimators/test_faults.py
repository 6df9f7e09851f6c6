"""A fit that does not end, whatever fails in it and at whichever stage, leaves the estimator as it was."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.estimators import fitted as fitted_module
from sklearn_mtl.estimators import fitting, rows, warm_start
from sklearn_mtl.estimators.fit_parameters import FitParameters
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.features.accepted import AcceptedInput
from sklearn_mtl.model_selection import StackedGridSearchCV, StackedHalvingGridSearchCV
from sklearn_mtl.model_selection.search import stacked_search, trials
from sklearn_mtl.network import Blueprint
from sklearn_mtl.targets import Layout
from sklearn_mtl.training import runs
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.stacking.trainer import StackedTrainer
from sklearn_mtl.trunks import MLP

X, Y = make_multitask(60, 4, n_regression=1, n_binary=1, noise=1.0, string_labels=True, random_state=0)
TABLE = pd.DataFrame(X, columns=["a", "b", "c", "d"])
# Other features, other tasks and another container than the first fit's.
OTHER_X = pd.DataFrame(X[:, :3], columns=["p", "q", "r"])
OTHER_Y = pd.DataFrame({"first": Y["regression0"], "second": 2 * Y["regression0"]})


def quick(cls=MultiTaskClassifierRegressor, **params):
    settings = {"trunk": MLP((8,)), "n_bags": 2, "max_epochs": 3, "batch_size": 16, "patience": 50}
    return cls(random_state=0, linear_blend=False, **{**settings, **params})


# What each stage before the end of the first epoch calls, and the call that fails.
STAGES = {
    "parameters": (FitParameters, "weights_of", 1),
    "X": (AcceptedInput, "read", 1),
    "y": (rows, "read_targets", 1),
    "weights": (rows, "read_sample_weight", 1),
    "kinds": (FitParameters, "kinds_of", 1),
    "seen": (Stages, "seen_labels", 1),
    "split": (Stages, "split", 1),
    "bind": (Stages, "bind", 1),
    "encoder": (Stages, "fit_encoder", 1),
    "validation rows": (Stages, "validation_table", 1),
    "encode": (Stages, "encode", 1),
    "parts": (Stages, "train_and_validation", 1),
    "plan": (fitting, "plan_bag", 1),
    "plan further": (warm_start, "plan_further", 1),
    "statistics": (Blueprint, "fit_statistics", 1),
    "build": (Blueprint, "build", 1),
    "loss": (Blueprint, "build_loss", 1),
    "go on from": (MultiTaskNet, "continue_from", 1),
    "ready": (runs, "make_net", 1),
    "first step": (MultiTaskNet, "train_step", 1),
    "first stacked step": (StackedTrainer, "_train", 1),
    "loop": (MultiTaskNet, "open_training", 1),
    "keep": (fitted_module, "conflict_frame", 1),
    "classes": (Layout, "restore_classes", 1),
}


def fail_from(monkeypatch, of, name, number, error):
    """Make a function fail from the given call on; return the list of its calls."""
    function, calls = getattr(of, name), []

    def failing(*args, **kwargs):
        calls.append(name)
        if len(calls) >= number:
            raise error(name)
        return function(*args, **kwargs)

    monkeypatch.setattr(of, name, failing)
    return calls


def responses(est, X=X):
    return {"predict": est.predict(X), "transform": est.transform(X), "proba": est.predict_proba(X)}


def assert_as_before(stage, est, before, expected):
    found = vars(est)
    assert found.keys() == before.keys(), stage
    assert all(found[name] is before[name] for name in found), stage
    if expected is None:
        with pytest.raises(NotFittedError):
            check_is_fitted(est)
        assert not [name for name in found if name.endswith("_")]
        return
    for name, values in responses(est).items():
        np.testing.assert_equal(dict(values) if name != "transform" else values, expected[name])


# After the first epoch of a net Ctrl-C keeps it; an error keeps nothing.
LATER_STAGES = {
    "build the second": (Blueprint, "build", 2),
    "second to go on from": (MultiTaskNet, "continue_from", 2),
    "later step": (MultiTaskNet, "train_step", 6),
    "validation": (MultiTaskNet, "validation_step", 2),
    "end of an epoch": (MultiTaskNet, "record_training", 2),
    "calibration": (runs, "calibrate", 1),
    "end of training": (MultiTaskNet, "close_training", 1),
}
BEFORE = {
    "unfitted": lambda: quick(),
    "fitted": lambda: quick().fit(X, Y),
    "unpickled": lambda: pickle.loads(pickle.dumps(quick().fit(X, Y))),
}
FITS = {
    "fit": lambda est: est.fit(X, Y),
    "others": lambda est: est.fit(OTHER_X, OTHER_Y),
    "validated": lambda est: est.fit(TABLE, Y, X_val=TABLE[:20], y_val={k: v[:20] for k, v in Y.items()}),
    "partial_fit": lambda est: est.partial_fit(X, Y),
    "warm start": lambda est: est.set_params(warm_start=True, max_epochs=5).fit(X, Y),
}


@pytest.fixture(scope="module")
def fitted_before():
    """Estimators in each state, pickled: they are cheap to have again."""
    made = {name: pickle.dumps(make()) for name, make in BEFORE.items()}

    def before(name):
        return pickle.loads(made[name]) if name != "fitted" else BEFORE["fitted"]()

    return before


def failed_at_each(stages, est, fit, error, expected):
    """Fit, each of the stages failing in turn, and compare; return the stages that the fit has come by."""
    start, reached = dict(vars(est)), set()
    for stage, (of, name, number) in stages.items():
        est.__dict__ = dict(start)
        with pytest.MonkeyPatch.context() as monkeypatch:
            calls = fail_from(monkeypatch, of, name, number, error)
            try:
                FITS[fit](est)
            except error:
                reached.add(stage)
        if stage in reached:
            assert_as_before(stage, est, start, expected)
        else:
            assert len(calls) < number, stage
    return reached


def expected_of(est):
    if not hasattr(est, "nets_"):
        return None
    return {name: v if name == "transform" else dict(v) for name, v in responses(est).items()}


# Ctrl-C ends training in another way than an error does; what was there before is put back by the same.
@pytest.mark.parametrize(
    ("before", "error"),
    [*((before, MemoryError) for before in BEFORE), ("fitted", KeyboardInterrupt)],
)
@pytest.mark.parametrize("fit", FITS)
def test_a_fit_that_fails_before_an_epoch_is_over_leaves_the_estimator_as_it_was(
    before, fit, error, fitted_before
):
    est = fitted_before(before)
    if fit == "warm start":
        est.set_params(warm_start=True, max_epochs=5)
    reached = failed_at_each(STAGES, est, fit, error, expected_of(est))
    assert {"X", "y", "weights", "encode", "ready", "keep"} <= reached


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("n_bags", [1, 2])
def test_an_error_in_a_later_epoch_leaves_the_estimator_as_it_was(n_bags, fit):
    est = quick(n_bags=n_bags).fit(X, Y)
    if fit == "warm start":
        est.set_params(warm_start=True, max_epochs=5)
    reached = failed_at_each(LATER_STAGES, est, fit, MemoryError, expected_of(est))
    assert "later step" in reached or fit == "partial_fit"


def test_ctrl_c_in_a_later_epoch_leaves_nothing_of_the_fit_before():
    est = quick(n_bags=1).fit(X, Y)
    with pytest.MonkeyPatch.context() as patched:
        fail_from(patched, MultiTaskNet, "record_validation", 2, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            est.fit(OTHER_X, OTHER_Y)
    assert est.interrupted_ is True
    shorter = quick(n_bags=1, max_epochs=1).fit(OTHER_X, OTHER_Y)
    assert vars(est).keys() == vars(shorter).keys()
    assert est.feature_names_in_.tolist() == ["p", "q", "r"]
    pd.testing.assert_frame_equal(est.predict(OTHER_X), shorter.predict(OTHER_X))


class FailsTheSecondTime(Callback):
    """A user's callback that fails at its event when that comes for the second time."""

    def fail(self, net, **kwargs):
        self.calls_ = getattr(self, "calls_", 0) + 1
        if self.calls_ == self.call:
            raise RuntimeError(self.event)


def callback_that_fails(event):
    call = 1 if event.startswith("train") else 2
    members = {f"on_{event}": FailsTheSecondTime.fail, "event": event, "call": call}
    return type("Fails", (FailsTheSecondTime,), members)()


EVENTS = ["train_begin", "epoch_begin", "batch_begin", "batch_end", "epoch_end", "train_end"]


@pytest.mark.parametrize(
    ("method", "event"),
    # A part is trained on for one epoch only.
    [("fit", event) for event in EVENTS]
    + [("partial_fit", event) for event in EVENTS if not event.startswith("epoch")],
)
def test_a_callback_that_fails_leaves_the_estimator_as_it_was(event, method):
    est = quick(callbacks=[callback_that_fails(event)])
    start = dict(vars(est))
    with pytest.raises(RuntimeError, match=event):
        getattr(est, method)(X, Y)
    assert vars(est) == start


class FailingTransformer(FunctionTransformer):
    """A user's transformer that fails in a method."""

    def __init__(self, method="fit", error=RuntimeError):
        super().__init__()
        self.method = method
        self.error = error

    def fit(self, X, y=None):
        if self.method == "fit":
            raise self.error("fit")
        return super().fit(X, y)

    def transform(self, X):
        if self.method == "transform":
            raise self.error("transform")
        return super().transform(X)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_a_transformer_that_fails_leaves_the_estimator_as_it_was(method, error):
    est = quick().fit(X, Y)
    expected, transformer = expected_of(est), FailingTransformer(method, error)
    start = dict(vars(est.set_params(preprocessing=transformer)))
    with pytest.raises(error):
        est.fit(OTHER_X, OTHER_Y)
    assert_as_before(method, est, start, expected)


def test_an_error_in_the_fit_of_a_view_leaves_the_view_as_it_was():
    view = quick().fit(TABLE, Y).task("regression0")
    start, expected = dict(vars(view)), view.predict(TABLE)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        view.fit(OTHER_X, Y["regression0"][:10])
    assert vars(view) == start
    np.testing.assert_array_equal(view.predict(TABLE), expected)


# ------------------------------------------------------------------------------------------ searches

SEARCH_STAGES = {
    "split": (stacked_search.StackedSearch, "_folds", 1),
    "plan": (stacked_search.TrialRunner, "plan", 1),
    "train": (StackedTrainer, "_train", 1),
    "score": (trials.Trial, "scored", 1),
    "results": (stacked_search.SearchResults, "cv_results", 1),
    "comparison": (stacked_search, "pareto_front", 1),
}


# A stack for which memory is short is halved, with a warning.
@pytest.mark.filterwarnings("ignore:Memory was short")
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("search", [StackedGridSearchCV, StackedHalvingGridSearchCV])
def test_a_search_that_fails_is_as_it_was(search, error):
    est = quick(n_bags=1, max_epochs=1)
    search = search(est, {"lr": [0.001, 0.01]}, cv=2, error_score="raise").fit(X, Y)
    start, expected = dict(vars(search)), dict(search.predict(X))
    reached = set()
    for stage, (of, name, number) in SEARCH_STAGES.items():
        search.__dict__ = dict(start)
        with pytest.MonkeyPatch.context() as monkeypatch:
            fail_from(monkeypatch, of, name, number, error)
            try:
                search.fit(OTHER_X, OTHER_Y)
            except error:
                reached.add(stage)
        if stage in reached:
            assert vars(search) == start, stage
            np.testing.assert_equal(dict(search.predict(X)), expected)
    assert {"split", "plan", "score", "results", "comparison"} <= reached


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_a_search_whose_best_is_not_fitted_has_none(error, monkeypatch):
    search = StackedGridSearchCV(quick(n_bags=1), {"lr": [0.001, 0.01]}, cv=2).fit(X, Y)
    start = dict(vars(search))
    fail_from(monkeypatch, fitting.PlannedFit, "train", 1, error)
    with pytest.raises(error):
        search.fit(OTHER_X, OTHER_Y)
    if error is MemoryError:
        assert vars(search) == start
    else:
        # What was found is kept, and nothing of the search before.
        assert search.interrupted_ is True
        assert not hasattr(search, "best_estimator_")
        assert search.cv_results_ is not start["cv_results_"]


# ------------------------------------------------------------------------------------------- devices


@pytest.mark.parametrize("device", ["mps", "meta", "cuda:7", "hpu"])
def test_what_was_trained_on_another_machine_predicts_here_and_says_where_it_can_not_train(device):
    est = quick().fit(X, Y)
    moved = pickle.loads(pickle.dumps(est.set_params(device=device)))
    assert moved.device == device
    start, expected = dict(vars(moved)), expected_of(est)
    for train in (moved.partial_fit, moved.fit):
        with pytest.raises(ValueError, match=f"`device` must be a device of this machine. Found '{device}'"):
            train(X, Y)
        assert_as_before("device", moved, start, expected)
    assert moved.set_params(device="cpu").fit(X, Y).nets_
