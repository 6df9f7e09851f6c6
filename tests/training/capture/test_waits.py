"""What is noted of waiting for a GPU, where several threads train: without a card, its mode being played."""

import warnings
from threading import Event, Thread

import pytest
import torch

from sklearn_mtl.training.capture import graph

CARD = torch.device("cuda")
WAIT = "called a synchronizing CUDA operation (somewhere)"


@pytest.fixture
def mode(monkeypatch):
    """What torch would do at a wait: nothing, or warn."""
    now = {"mode": 0}
    monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: now["mode"])
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda mode: now.update(mode=mode))
    return now


def in_thread(work):
    thread = Thread(target=work)
    thread.start()
    return thread


def test_the_mode_is_as_before_when_two_threads_have_noted(mode):
    started, entered, may_leave = Event(), Event(), Event()

    def second():
        started.set()
        with graph.noting_waits(CARD):
            entered.set()
            may_leave.wait(5)

    with graph.noting_waits(CARD):
        assert mode["mode"] == "warn"
        thread = in_thread(second)
        assert started.wait(5)
        # It would find the mode of this block, and leave it behind.
        assert not entered.wait(0.2)
    assert entered.wait(5)
    may_leave.set()
    thread.join()
    assert mode["mode"] == 0


def test_waits_of_another_thread_are_not_noted_and_not_told(mode):
    with graph.noting_waits(CARD) as waits:
        in_thread(lambda: warnings.warn(WAIT, stacklevel=1)).join()
        assert waits == []
        warnings.warn(WAIT + "\nand more", stacklevel=1)
    assert waits == [WAIT]


def test_other_warnings_are_told_as_ever(mode):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        with graph.noting_waits(CARD) as waits:
            for _ in range(3):
                warnings.warn("something else", stacklevel=1)
    assert waits == []
    assert [str(one.message) for one in told] == ["something else"]


def test_a_block_of_another_thread_that_ends_later_leaves_no_filter_for_other_texts(mode):
    inside, may_leave = Event(), Event()

    def other():
        with warnings.catch_warnings():
            inside.set()
            may_leave.wait(5)

    before = warnings.filters[:]
    with warnings.catch_warnings():
        with graph.noting_waits(CARD):
            thread = in_thread(other)
            assert inside.wait(5)
        may_leave.set()
        thread.join()
        left = [one for one in warnings.filters if one not in before]
        assert all(one[1].pattern in {graph.WAITS, ".*debug mode"} for one in left)
        with pytest.warns(UserWarning, match="^a word to the user$"):
            warnings.warn("a word to the user", stacklevel=1)


def test_after_an_error_the_mode_is_as_before(mode):
    with pytest.raises(RuntimeError, match="in the step"), graph.noting_waits(CARD):
        raise RuntimeError("in the step")
    assert mode["mode"] == 0
