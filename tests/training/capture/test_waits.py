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
    entered, may_leave = Event(), Event()

    def second():
        with graph.noting_waits(CARD):
            entered.set()
            may_leave.wait(5)

    with graph.noting_waits(CARD):
        assert mode["mode"] == "warn"
        thread = in_thread(second)
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


def test_other_warnings_are_told_when_the_block_ends(mode):
    with pytest.warns(UserWarning, match="^something else$"), graph.noting_waits(CARD) as waits:
        warnings.warn("something else", stacklevel=1)
    assert waits == []


def test_after_an_error_the_mode_is_as_before(mode):
    with pytest.raises(RuntimeError, match="in the step"), graph.noting_waits(CARD):
        raise RuntimeError("in the step")
    assert mode["mode"] == 0
