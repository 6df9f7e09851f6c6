"""A copy of a callback shares what it was given, and has a state of its own."""

import io
import threading

import numpy as np
import pytest
import skorch.callbacks
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, LoadInitState, LRScheduler, PrintLog

from sklearn_mtl.training.callback_copies import copied, given_to


class Writes(Callback):
    """Has what it is given under the names of its parameters, and a state besides."""

    def __init__(self, writer, step=1):
        self.writer = writer
        self._step = step
        self.seen = []
        self.lock = threading.Lock()
        self.twice = {"writer": self.writer, "mine": [1]}


class Renames(Callback):
    """Has what it is given under another name."""

    def __init__(self, writer):
        self.out = writer
        self.seen_ = []


class Several(Callback):
    def __init__(self, *callbacks):
        self.callbacks = callbacks


@pytest.mark.parametrize("kind", [Writes, Renames])
@pytest.mark.parametrize("writer", [{"a": []}, threading.Lock(), io.StringIO()], ids=["dict", "lock", "file"])
def test_what_was_given_is_shared(kind, writer):
    callback = kind(writer)
    copy = copied(callback)
    assert copy is not callback
    assert type(copy) is kind
    assert any(value is writer for value in vars(copy).values())


def test_state_is_copied_where_it_can_be():
    callback = Writes({})
    copy = copied(callback)
    copy.seen.append(1)
    copy.twice["mine"].append(2)
    assert (callback.seen, callback.twice["mine"]) == ([], [1])
    assert copy.twice["writer"] is callback.writer
    assert copy.lock is callback.lock


def test_of_a_copy_that_fails_nothing_is_kept():
    callback = Callback()
    inner = [1, threading.Lock()]
    vars(callback).update(first_=[inner], second_=inner)
    copy = copied(callback)
    assert copy.first_[0] is copy.second_ is inner


def test_callbacks_that_know_each_other_do_so_in_the_copy():
    saved = Checkpoint()
    listed, (name, loads), several = copied([saved, ("load", LoadInitState(saved)), Several(saved)])
    assert listed is not saved
    assert loads.checkpoint is listed
    assert several.callbacks == (listed,)
    assert name == "load"


def test_what_holds_no_callback_is_itself():
    for value in (None, "x", [EarlyStopping], [1, 2], EarlyStopping):
        assert copied(value) is value


def test_a_list_that_was_given_is_itself():
    seen = []
    assert copied(PrintLog(sink=seen.append)).sink.__self__ is seen
    assert copied(Writes(seen)).writer is seen


def make(kind):
    by_name = {"LoadInitState": [Checkpoint()], "LRScheduler": ["StepLR"], "PassthroughScoring": ["x"]}
    of_logger = {"TensorBoard", "WandbLogger", "NeptuneLogger", "SacredLogger"}
    of_parameters = {"ParamMapper", "Freezer", "Unfreezer", "Initializer"}
    arguments = by_name.get(kind.__name__, [])
    if kind.__name__ in of_logger:
        arguments = [object()]
    if kind.__name__ in of_parameters:
        arguments = ["*"]
    if kind.__name__ in ("EpochScoring", "BatchScoring"):
        arguments = ["r2"]
    return kind(*arguments)


@pytest.mark.parametrize("name", [name for name in skorch.callbacks.__all__ if name != "WarmRestartLR"])
def test_the_parameters_of_skorchs_own_are_what_they_were_given(name):
    callback = make(getattr(skorch.callbacks, name))
    public = {known for known in vars(callback) if not known.startswith("_") and not known.endswith("_")}
    assert given_to(callback) >= public
    copy = copied(callback)
    assert vars(copy).keys() == vars(callback).keys()
    for key, value in vars(callback).items():
        assert getattr(copy, key) is value or isinstance(value, Callback | list | dict)


def test_a_schedule_shares_what_its_policy_is_given():
    class Factor:
        def __call__(self, epoch):
            return 1.0

        def __deepcopy__(self, memo):
            raise TypeError("cannot pickle '_thread.lock' object")

    factor = Factor()
    assert copied(LRScheduler("LambdaLR", lr_lambda=factor)).lr_lambda is factor


def test_arrays_of_a_state_are_copied():
    callback = EarlyStopping()
    callback.weights_ = np.zeros(2)
    copied(callback).weights_ += 1
    assert callback.weights_.tolist() == [0, 0]
