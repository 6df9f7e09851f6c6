"""Every callback that skorch ships works, or is refused with the reason before any training."""

import io
import json
import pickle
import sys
from collections import defaultdict
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import skorch.callbacks
import torch
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    Initializer,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    MlflowLogger,
    NeptuneLogger,
    ParamMapper,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
    SacredLogger,
    TensorBoard,
    TrainEndCheckpoint,
    Unfreezer,
    WandbLogger,
    WarmRestartLR,
)
from skorch.history import History
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.training.schedules import InverseSqrt
from sklearn_mtl.trunks import MLP

X, VALUES = make_multitask(160, 6, n_regression=1, n_binary=1, noise=2.0, string_labels=True, random_state=0)
Y = {"price": VALUES["regression0"], "kind": VALUES["binary0"]}


def quick(**params):
    settings = {
        "trunk": MLP((16,)),
        "n_bags": 1,
        "lr": 0.02,
        "batch_size": 32,
        "max_epochs": 6,
        "patience": 50,
    }
    return MultiTaskClassifierRegressor(random_state=0, **{**settings, **params})


def fitted(*callbacks, **params):
    return quick(callbacks=list(callbacks), **params).fit(X, Y)


def callback_of(est, kind):
    return next(callback for _, callback in est.net_.callbacks_ if isinstance(callback, kind))


def weights_of(path):
    return torch.load(path, weights_only=True)


def assert_weights(found, expected):
    expected = expected.state_dict() if isinstance(expected, torch.nn.Module) else expected
    # A temperature is fitted after the last callback has been told.
    names = [name for name in expected if name != "raw_scale"]
    assert all(torch.equal(found[name], expected[name]) for name in names)


class Recorder:
    """Stands for what a logger writes to; it can't be copied, as a writer can't."""

    def __init__(self, tmp_path):
        self.calls, self.values, self.closed, self.dir = [], defaultdict(list), 0, str(tmp_path)
        self.info = SimpleNamespace(run_id="run")

    def __deepcopy__(self, memo):
        raise TypeError("cannot pickle '_thread.lock' object")

    def __getitem__(self, key):
        return self

    def __setitem__(self, key, value):
        self.values[key] = value

    def append(self, value):
        self.calls.append(value)

    def watch(self, module):
        self.watched = module

    def log(self, values):
        self.calls.append(values)

    def add_scalar(self, tag, scalar_value, global_step):
        self.values[tag].append(scalar_value)

    def log_scalar(self, name, value, step=None):
        self.values[name].append(value)

    def log_metric(self, run_id, key, value, step):
        self.values[key].append(value)

    def log_artifact(self, run_id, path):
        self.calls.append(Path(path).name)

    def set_terminated(self, run_id):
        self.closed += 1

    stop = close = lambda self: self.set_terminated(None)


# What skorch ships, and how it is seen to work


def checkpoint(tmp_path, monkeypatch):
    est = fitted(Checkpoint(dirname=str(tmp_path)))
    # What is saved is what was best on the held-out rows, averaged, and so what the estimator kept.
    assert_weights(weights_of(tmp_path / "params.pt"), est.net_.module_)
    written = json.loads((tmp_path / "history.json").read_text())
    assert len(written) == 1 + est.history_["valid_loss"].idxmin()
    assert {"valid_loss_price", "train_loss_kind", "valid_accuracy_kind_best"} <= set(written[-1])
    assert {path.name for path in tmp_path.iterdir()} == {
        "params.pt", "optimizer.pt", "criterion.pt", "history.json",
    }  # fmt: skip
    assert est.net_.history[:, "event_cp"] == est.net_.history[:, "valid_loss_best"]


def train_end_checkpoint(tmp_path, monkeypatch):
    est = fitted(TrainEndCheckpoint(dirname=str(tmp_path)))
    assert_weights(weights_of(tmp_path / "train_end_params.pt"), est.net_.module_)


def load_init_state(tmp_path, monkeypatch):
    saved = Checkpoint(dirname=str(tmp_path), monitor=None)
    first = fitted(saved, early_stopping=False)
    callbacks = [saved, LoadInitState(saved)]
    second = fitted(*callbacks, early_stopping=False)
    assert (first.n_iter_, second.n_iter_) == (6, 12)
    np.testing.assert_array_equal(second.history_["train_loss"][:6], first.history_["train_loss"])
    assert second.history_["train_loss"][6] < first.history_["train_loss"][0]


def early_stopping(tmp_path, monkeypatch):
    stopping = EarlyStopping("valid_loss_price", patience=2, threshold=10.0, threshold_mode="abs")
    assert fitted(stopping).n_iter_ == 3
    of_score = EarlyStopping(
        "valid_r2_price", lower_is_better=False, patience=1, threshold=9, threshold_mode="abs"
    )
    assert fitted(of_score).n_iter_ == 2
    best = fitted(
        EarlyStopping("train_loss", lower_is_better=False, load_best=True, patience=5), ema_decay=None
    )
    assert best.n_iter_ == 6
    one = quick(ema_decay=None, max_epochs=1).fit(X, Y)
    assert_weights(best.net_.module_.state_dict(), one.net_.module_)


def lr_scheduler(tmp_path, monkeypatch):
    plateau = LRScheduler(ReduceLROnPlateau, monitor="valid_loss_price", patience=0, threshold=10.0)
    rates = fitted(plateau, optimizer="adam").net_.history[:, "event_lr"]
    assert rates[0] == 0.02
    assert rates[-1] < 0.001
    halves = LRScheduler(StepLR, step_size=5, gamma=0.5, step_every="batch")
    in_steps = fitted(halves, lr_schedule=None)
    assert in_steps.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(0.02 / 2**6)
    # 30 steps, the last of which sets the rate of the schedule before it is halved once more.
    beside = fitted(halves, lr_schedule="inverse_sqrt")
    expected = 0.02 / 2**6 * InverseSqrt()(29)
    assert beside.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(expected)


def warm_restart_lr(tmp_path, monkeypatch):
    rates = fitted(LRScheduler(WarmRestartLR, max_lr=0.02)).net_.history[:, "event_lr"]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 0.02


def gradient_norm_clipping(tmp_path, monkeypatch):
    clipped, free = fitted(GradientNormClipping(1e-4), optimizer="sgd"), fitted(optimizer="sgd")
    assert clipped.history_["train_loss"].iloc[-1] > free.history_["train_loss"].iloc[-1] + 0.02


def frozen(est):
    return [name for name, parameter in est.net_.module_.named_parameters() if not parameter.requires_grad]


def freezer(tmp_path, monkeypatch):
    est = fitted(Freezer("sharing.*"), max_epochs=2)
    assert frozen(est)
    assert all(name.startswith("sharing") for name in frozen(est))


def unfreezer(tmp_path, monkeypatch):
    assert not frozen(fitted(Freezer("sharing.*"), Unfreezer("sharing.*", at=2), max_epochs=2))


def initializer(tmp_path, monkeypatch):
    zeros = Initializer("heads.*", fn=torch.nn.init.zeros_)
    assert (
        fitted(zeros, max_epochs=1).history_["train_loss"][0]
        != fitted(max_epochs=1).history_["train_loss"][0]
    )


def param_mapper(tmp_path, monkeypatch):
    seen = []
    fitted(ParamMapper("*", fn=lambda parameter: seen.append(parameter.shape), at=2))
    assert seen


def progress_bar(tmp_path, monkeypatch):
    with redirect_stderr(io.StringIO()):
        bar = callback_of(fitted(ProgressBar(detect_notebook=False)), ProgressBar).pbar_
    assert bar.n == bar.total == 6


def print_log(tmp_path, monkeypatch):
    lines = []
    fitted(PrintLog(sink=lines.append))
    assert len(lines) == 8
    assert {"train_loss_price", "valid_accuracy_kind"} <= set(lines[0].split())


def epoch_timer(tmp_path, monkeypatch):
    assert len(fitted(EpochTimer()).net_.history[:, "dur"]) == 6


def passthrough_scoring(tmp_path, monkeypatch):
    class Noting(Callback):
        def on_batch_end(self, net, training, **kwargs):
            if not training:
                net.history.record_batch("noted", float(len(net.history)))

    est = fitted(Noting(), PassthroughScoring("noted"))
    assert est.net_.history[:, "noted"] == [1, 2, 3, 4, 5, 6]
    losses = fitted(PassthroughScoring("train_loss", on_train=True), Noting()).net_.history[:, "train_loss"]
    np.testing.assert_allclose(losses, fitted().history_["train_loss"], rtol=1e-6)


def tensor_board(tmp_path, monkeypatch):
    writer = Recorder(tmp_path)
    est = fitted(TensorBoard(writer))
    assert writer.values["Loss/valid_loss_price"] == est.history_["valid_loss_price"].tolist()
    assert writer.closed == 1


def wandb_logger(tmp_path, monkeypatch):
    run = Recorder(tmp_path)
    est = fitted(WandbLogger(run))
    assert [values["valid_loss_kind"] for values in run.calls] == est.history_["valid_loss_kind"].tolist()
    assert_weights(weights_of(tmp_path / "best_model.pth"), est.net_.module_)


def neptune_logger(tmp_path, monkeypatch):
    content = SimpleNamespace(from_content=lambda text, extension: text)
    for name, members in {"types": {"File": content}, "handler": {"Handler": dict}}.items():
        module = ModuleType(f"neptune.{name}")
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, f"neptune.{name}", module)
    monkeypatch.setitem(sys.modules, "neptune", ModuleType("neptune"))
    run = Recorder(tmp_path)
    est = fitted(NeptuneLogger(run, log_on_batch_end=True))
    assert est.history_["train_loss_price"][0] in run.calls
    assert run.closed == 1


def sacred_logger(tmp_path, monkeypatch):
    experiment = Recorder(tmp_path)
    est = fitted(SacredLogger(experiment))
    assert experiment.values["train_loss_kind"] == est.history_["train_loss_kind"].tolist()


def mlflow_logger(tmp_path, monkeypatch):
    run, client = Recorder(tmp_path), Recorder(tmp_path)
    est = fitted(MlflowLogger(run, client))
    assert client.values["valid_r2_price"] == est.history_["valid_r2_price"].tolist()
    assert set(client.calls) == {"params.pth", "optimizer.pth", "criterion.pth", "history.json"}


WORKS = {
    Checkpoint: checkpoint,
    TrainEndCheckpoint: train_end_checkpoint,
    LoadInitState: load_init_state,
    EarlyStopping: early_stopping,
    LRScheduler: lr_scheduler,
    WarmRestartLR: warm_restart_lr,
    GradientNormClipping: gradient_norm_clipping,
    Freezer: freezer,
    Unfreezer: unfreezer,
    Initializer: initializer,
    ParamMapper: param_mapper,
    ProgressBar: progress_bar,
    PrintLog: print_log,
    EpochTimer: epoch_timer,
    PassthroughScoring: passthrough_scoring,
    TensorBoard: tensor_board,
    WandbLogger: wandb_logger,
    NeptuneLogger: neptune_logger,
    SacredLogger: sacred_logger,
    MlflowLogger: mlflow_logger,
}
REFUSED = {
    EpochScoring: (EpochScoring("r2"), r"Found EpochScoring: it scores one target.*monitor='valid_r2_price'"),
    BatchScoring: (BatchScoring("r2"), r"Found BatchScoring: it scores one target"),
    InputShapeSetter: (InputShapeSetter, r"Found InputShapeSetter: the network is built to the width of X"),
}
OTHERS = {
    "an EarlyStopping that loads weights that are not averaged": (
        EarlyStopping(load_best=True), r"EarlyStopping: its load_best=True .* not averaged.*ema_decay=None",
    ),
    "a plateau at each step": (
        LRScheduler("ReduceLROnPlateau", step_every="batch"), r"LRScheduler: losses are read once an epoch",
    ),
    "a checkpoint to an open file": (
        Checkpoint(f_params=io.BytesIO()), r"Checkpoint: each net .* f_params must be a path, not an open f",
    ),
    "a state without its history": (LoadInitState(Checkpoint(f_history=None)), "f_history must not be None"),
    "a state from an open file": (LoadInitState(Checkpoint(f_params=io.BytesIO())), "must be a path"),
    "a state of no checkpoint": (LoadInitState(3), "LoadInitState: its checkpoint must be a Checkpoint or a"),
    "no folder": (Checkpoint(dirname="\0"), r"Checkpoint: its dirname must be a path, not '\\x00'"),
    "no last folder": (TrainEndCheckpoint(dirname=3), "its dirname must be a path, not 3"),
    "no folder to load from": (LoadInitState(Checkpoint(dirname="\0")), "its dirname must be a path"),
    "no policy": (LRScheduler(policy="x"), "LRScheduler: its policy must be a schedule of torch .* not 'x'"),
    "a policy of skorch's that is none": (LRScheduler(policy="LRScheduler"), "not 'LRScheduler'"),
    "a policy of another type": (LRScheduler(policy=3), "a schedule of torch or the name of one, not 3"),
    "a policy without its argument": (LRScheduler(policy=StepLR), "StepLR takes other arg.* 'step_size'"),
    "a policy with another argument": (LRScheduler(StepLR, step_size=1, gam=2), "other arguments.* 'gam'"),
}  # fmt: skip
EVERY = [callback for callback in skorch.callbacks.__all__ if callback != "Callback"]


@pytest.mark.parametrize("name", EVERY)
def test_every_callback_of_skorch_works_or_is_refused(name, tmp_path, monkeypatch):
    kind = getattr(skorch.callbacks, name)
    assert (kind in WORKS) != (kind in REFUSED)
    if kind in WORKS:
        WORKS[kind](tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("callback", "message"),
    [*REFUSED.values(), *OTHERS.values()],
    ids=[k.__name__ for k in REFUSED] + [*OTHERS],
)
@pytest.mark.parametrize("named", [False, True])
def test_what_is_refused_is_refused_before_training(callback, message, named):
    est = quick(callbacks=[("mine", callback) if named else callback])
    with pytest.raises(
        ValueError, match=r"`callbacks` must be such as nets of several tasks can serve\. .*" + message
    ):
        est.fit(X, Y)
    assert not hasattr(est, "n_features_in_")


@pytest.mark.parametrize(
    ("callbacks", "found"),
    [(EpochTimer(), "EpochTimer"), ([(1, EpochTimer())], r"\[\(1, <"), ([(1, None)], r"\[\(1, None\)\]")],
    ids=["alone", "numbered", "numbered and off"],
)
def test_what_is_no_list_of_callbacks_is_refused(callbacks, found):
    with pytest.raises(ValueError, match=rf"each alone or as \(name, callback\)\. Found {found}"):
        quick(callbacks=callbacks).fit(X, Y)


@pytest.mark.parametrize("n_bags", [1, 2])
def test_the_last_state_is_loaded_where_no_callback_writes_it(tmp_path, n_bags):
    last = TrainEndCheckpoint(dirname=str(tmp_path))
    est = quick(callbacks=[last], n_bags=n_bags).fit(X, Y)
    going_on = quick(callbacks=[LoadInitState(last)], n_bags=n_bags).fit(X, Y)
    assert going_on.n_iter_ > est.n_iter_
    assert not hasattr(last, "checkpoint_")


# skorch's history


def test_the_history_of_skorch_has_every_column_by_task():
    est = fitted()
    rows, frame = est.net_.history, est.history_
    for column in frame:
        assert rows[:, column] == frame[column].tolist()
    for column in frame.columns.drop(["epoch", "weight_price", "weight_kind"]):
        sign = -1 if column.startswith(("valid_r2", "valid_accuracy")) else 1
        best = sign * frame[column] < (sign * frame[column]).cummin().shift(fill_value=np.inf)
        assert rows[:, f"{column}_best"] == best.tolist()


@pytest.mark.parametrize("n_bags", [1, 4])
def test_the_history_has_the_batches_of_the_last_epoch(n_bags):
    for net in fitted(n_bags=n_bags).nets_:
        assert len(net.history[-1, "batches", :, "train_loss"]) == 5
        assert net.history[-1, "batches", :, "train_batch_size"] == [32, 32, 32, 32, 16]
        assert sum(net.history[-1, "batches", :, "valid_batch_size"]) == 16
        assert "valid_loss" in net.history[-1, "batches", -1]
        assert [len(batches) for batches in net.history[:, "batches"]][:-1] == [1] * 5
        mean = np.average(net.history[-1, "batches", :, "train_loss"], weights=[32, 32, 32, 32, 16])
        assert mean == pytest.approx(net.history[-1, "train_loss"], rel=1e-6)


@pytest.mark.parametrize("n_bags", [1, 3])
@pytest.mark.parametrize("key", ["train_loss", "valid_loss"])
def test_losses_are_passed_through_where_nobody_listens_at_steps(key, n_bags):
    scoring = PassthroughScoring(key, on_train=key == "train_loss")
    for net, alone in zip(fitted(scoring, n_bags=n_bags).nets_, fitted(n_bags=n_bags).nets_, strict=True):
        np.testing.assert_allclose(net.history[:, key], alone.history[:, key], rtol=1e-6)


def test_a_missing_label_is_never_best():
    Y_rare = {"price": Y["price"], "rare": np.where(np.arange(160) < 20, Y["price"], np.nan)}
    est = quick(validation_fraction=0.02).fit(X, Y_rare)
    lost = est.history_["valid_loss_rare"].isna().tolist()
    assert [
        best for best, gone in zip(est.net_.history[:, "valid_loss_rare_best"], lost, strict=True) if gone
    ] == ([False] * sum(lost))


def test_a_task_that_is_named_as_a_flag_has_its_losses_and_the_flag_its_truth(tmp_path):
    Y_best = {"best": Y["price"], "price": Y["price"], "price_best": Y["kind"]}
    est = quick(callbacks=[EarlyStopping("valid_loss")]).fit(X, Y_best)
    rows = est.net_.history
    for flag in ("train_loss_best", "valid_loss_price_best"):
        assert {type(value) for value in rows[:, flag]} == {bool}
        assert rows[:, f"{flag}__value"] == est.history_[flag].tolist()
        assert est.history_[flag].dtype == float
    again = pickle.loads(pickle.dumps(est))
    assert again.history_.equals(est.history_)


class LoadsAnother(Callback):
    """Puts another record in the place of a net's own."""

    def __init__(self, path):
        self.path = path

    def on_train_end(self, net, **kwargs):
        net.history = History.from_file(self.path)


@pytest.mark.parametrize("n_bags", [1, 2])
def test_the_frame_is_that_of_a_record_that_took_the_place_of_the_own(tmp_path, n_bags):
    path = str(tmp_path / "history.json")
    other = fitted(max_epochs=3)
    other.net_.history.to_file(path)
    est = fitted(LoadsAnother(path), n_bags=n_bags)
    assert est.n_iter_ == 3
    assert len(est.history_) == 3 * n_bags
    assert est.history_["valid_loss_price"].tolist() == other.history_["valid_loss_price"].tolist() * n_bags
    assert pickle.loads(pickle.dumps(est)).history_.equals(est.history_)


def test_the_frame_of_a_foreign_record_has_what_that_has(tmp_path):
    path = str(tmp_path / "history.json")
    record = History([{"epoch": 1, "train_loss": 0.5, "batches": [], "train_batch_count": 1}])
    record.to_file(path)
    assert fitted(LoadsAnother(path)).history_.to_dict("list") == {"epoch": [1], "train_loss": [0.5]}


@pytest.mark.parametrize("kept", ["history.json", None])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_the_frame_is_in_step_after_loading(tmp_path, kept, early_stopping):
    monitor = "train_loss_price_best"
    saved = Checkpoint(monitor, dirname=str(tmp_path), f_history=kept, load_best=True)
    first = fitted(saved, early_stopping=early_stopping)
    before = [LoadInitState(saved)] if kept else []
    second = fitted(*before, saved, early_stopping=early_stopping)
    for est in (first, second):
        rows = est.net_.history
        assert est.history_["epoch"].tolist() == list(range(1, len(rows) + 1))
        for column in est.history_:
            assert rows[:, column] == est.history_[column].tolist()
    going_on = second.n_iter_ + 2
    second.set_params(warm_start=True, max_epochs=going_on, callbacks=None).fit(X, Y)
    assert second.n_iter_ == len(second.history_) == going_on


def test_the_history_goes_through_pickle_and_on():
    est = fitted()
    again = pickle.loads(pickle.dumps(est))
    expected = [{key: value for key, value in row.items() if key != "batches"} for row in est.net_.history]
    found = [{key: value for key, value in row.items() if key != "batches"} for row in again.net_.history]
    assert found == expected
    # What the tasks came to is there once, as arrays.
    state = again.__getstate__()["_fitted"]["nets"][0]
    assert set(state["history"][0]) == {
        "epoch", "train_loss", "train_loss_best", "train_batch_count", "valid_loss", "valid_loss_best",
        "valid_batch_count",
    }  # fmt: skip
    going_on = again.set_params(warm_start=True, max_epochs=8, callbacks=[EarlyStopping("valid_loss_price")])
    assert going_on.fit(X, Y).n_iter_ == 8
    assert (
        going_on.net_.history[:, "valid_loss_price_best"][:6] == est.net_.history[:, "valid_loss_price_best"]
    )


def test_a_line_of_the_log_is_as_short_as_ever():
    with redirect_stdout(io.StringIO()) as shown:
        fitted(verbose=2)
    assert shown.getvalue().splitlines()[0].split() == ["epoch", "train_loss", "valid_loss", "dur"]


# Monitors


def test_one_task_is_monitored(tmp_path):
    est = fitted(Checkpoint("valid_loss_price_best", dirname=str(tmp_path), load_best=True), max_epochs=30)
    best = int(est.history_["valid_loss_price"].idxmin())
    # The history that was saved with the best is the one that is loaded with it.
    assert est.n_iter_ == len(est.history_) == best + 1
    one = quick(max_epochs=best + 1, early_stopping=True).fit(X, Y)
    assert est.net_.history[-1, "valid_loss_price"] == one.net_.history[-1, "valid_loss_price"]
    assert_weights(weights_of(tmp_path / "params.pt"), est.net_.module_)
    assert est.set_params(warm_start=True, callbacks=None, max_epochs=best + 3).fit(X, Y).n_iter_ == best + 3


@pytest.mark.parametrize(
    "callback",
    [
        Checkpoint(),
        EarlyStopping(),
        LRScheduler(ReduceLROnPlateau, monitor="valid_loss"),
        WandbLogger(Recorder(".")),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_validation_is_not_monitored_where_no_row_is_held_out(callback):
    for est in (quick(early_stopping=False, callbacks=[callback]), quick(callbacks=[callback])):
        with pytest.raises(
            ValueError, match=r"must not monitor validation where rows are not held out.*valid_loss"
        ):
            (est.partial_fit if est.early_stopping else est.fit)(X, Y)


MISSPELT = {
    "EarlyStopping": (EarlyStopping("valid_loss_prise"), "valid_loss_prise", "valid_loss_price"),
    "Checkpoint": (Checkpoint("valid_los_best"), "valid_los_best", "valid_loss_best"),
    "LRScheduler": (
        LRScheduler(ReduceLROnPlateau, monitor="valid_r2_pric"), "valid_r2_pric", "valid_r2_price"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISSPELT)
@pytest.mark.parametrize("n_bags", [1, 2])
def test_a_misspelt_monitor_is_refused_before_training(kind, n_bags):
    callback, monitor, nearest = MISSPELT[kind]
    seen = []
    sees = ParamMapper("*", fn=seen.append, at=1)
    message = rf"Found {kind} with monitor='{monitor}'; the nearest is '{nearest}'\. There are \['train_loss'"
    with pytest.raises(ValueError, match=message):
        fitted(sees, callback, n_bags=n_bags)
    if kind == "LRScheduler":
        with pytest.raises(ValueError, match=message):
            fitted(sees, lr_schedule=callback, n_bags=n_bags)
    assert not seen


def test_a_monitor_of_nothing_near_is_refused():
    with pytest.raises(
        ValueError, match=r"EarlyStopping with monitor='x'\. There are .* such as 'train_loss_b"
    ):
        fitted(EarlyStopping("x"))
    with pytest.raises(ValueError, match=r"monitor='weight_price_best'; the nearest is 'weight_price'"):
        fitted(EarlyStopping("weight_price_best"))
    # It is written down after the stopping has looked.
    with pytest.raises(ValueError, match=r"before they see it\. Found EarlyStopping with monitor='dur'"):
        fitted(EarlyStopping("dur"), EpochTimer())


@pytest.mark.parametrize("early_stopping", [True, False])
def test_every_key_of_an_epoch_can_be_monitored(early_stopping):
    keys = fitted(early_stopping=early_stopping, max_epochs=1).net_.history[-1].keys() - {"batches"}
    stops = [EarlyStopping(key, patience=99) for key in keys]
    assert fitted(*stops, early_stopping=early_stopping, max_epochs=1).n_iter_ == 1


def test_what_the_callbacks_before_write_down_can_be_monitored(tmp_path):
    before = [
        EpochTimer(),
        LRScheduler(StepLR, step_size=1),
        Checkpoint(dirname=str(tmp_path)),
        PassthroughScoring("valid_loss"),
    ]
    stops = [EarlyStopping(key, patience=99) for key in ("dur", "event_lr", "event_cp", "valid_loss_best")]
    assert fitted(*before, *stops, max_epochs=2).n_iter_ == 2
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        assert fitted(EarlyStopping("dur", patience=99), max_epochs=2, verbose=1).n_iter_ == 2


def test_callbacks_of_ones_own_may_write_down_what_is_monitored():
    class Own(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("own", 1.0)

    stopping = EarlyStopping("own", patience=2, threshold=0.5, threshold_mode="abs")
    assert fitted(Own(), stopping).n_iter_ == 3


def test_a_schedule_may_begin_after_the_first_epoch():
    est = pickle.loads(pickle.dumps(quick(max_epochs=2, warm_start=True).fit(X, Y)))
    est.set_params(lr_schedule=LRScheduler(StepLR, step_size=1, gamma=0.5), max_epochs=5).fit(X, Y)
    assert est.n_iter_ == 5


# Several nets, several files


@pytest.mark.parametrize("folder", [str, Path])
def test_each_net_of_a_bag_writes_files_of_its_own(tmp_path, folder):
    saved = Checkpoint(
        f_params=folder(tmp_path / "weights.pt"), f_history=None, f_optimizer=None, f_criterion=None
    )
    ended = TrainEndCheckpoint(dirname=str(tmp_path), f_history=None, f_optimizer=None, f_criterion=None)
    # A linear model is put beside the weights when all callbacks have been told of the end.
    est = fitted(saved, ended, n_bags=2, linear_blend=False)
    assert {path.name for path in tmp_path.iterdir()} == {
        "net0_weights.pt", "net1_weights.pt", "train_end_net0_params.pt", "train_end_net1_params.pt",
    }  # fmt: skip
    for number, net in enumerate(est.nets_):
        # The checkpoint is of the best epoch alone, from which on the net's own weights are averaged.
        assert_weights(weights_of(tmp_path / f"net{number}_weights.pt"), net.resume_.kept.best)
        assert_weights(weights_of(tmp_path / f"train_end_net{number}_params.pt"), net.module_)
    assert Path(saved.f_params).name == "weights.pt"


@pytest.mark.parametrize("listed", [False, True])
def test_each_net_of_a_bag_loads_its_own_state(tmp_path, listed):
    saved = Checkpoint(dirname=str(tmp_path), monitor=None)
    first = fitted(saved, n_bags=2)
    second = fitted(*([saved] if listed else []), LoadInitState(saved), n_bags=2)
    for before, after in zip(first.nets_, second.nets_, strict=True):
        assert after.history[:6, "train_loss"] == before.history[:, "train_loss"]


@pytest.mark.parametrize(
    "logger",
    [TensorBoard, WandbLogger, NeptuneLogger, SacredLogger, MlflowLogger],
    ids=lambda kind: kind.__name__,
)
def test_several_nets_do_not_write_to_one_logger(logger, tmp_path):
    est = quick(callbacks=[logger(Recorder(tmp_path))], n_bags=2)
    with pytest.raises(
        ValueError, match=rf"not write to one place, as {logger.__name__} does.*2 nets; n_bags=1"
    ):
        est.fit(X, Y)


def test_all_fits_of_a_search_do_not_write_one_file(tmp_path):
    search = StackedGridSearchCV(
        quick(callbacks=[Checkpoint(dirname=str(tmp_path))]), {"lr": [0.01, 0.02]}, cv=2
    )
    with pytest.raises(ValueError, match=r"a search must not write to one place.*Found \['Checkpoint'\]"):
        search.set_params(error_score="raise").fit(X, Y)


def test_a_class_is_made_and_the_users_own_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stopping = EarlyStopping(patience=1)
    before = dict(vars(stopping))
    fitted(Checkpoint, ("stop", stopping), ("timer", EpochTimer), n_bags=2)
    assert (tmp_path / "net1_params.pt").exists()
    assert vars(stopping) == before
