"""Steps recorded on a CPU."""

import pytest

from sklearn_mtl.training.capture import of_net, replayed
from sklearn_mtl.training.stacking import trainer
from tests.training.capture.tape import Tape


@pytest.fixture
def tapes(monkeypatch):
    """Let steps be recorded on the CPU; what is recorded is put into this list."""
    found = []

    def recording_on(device):
        found.append(Tape())
        return found[-1]

    monkeypatch.setattr(replayed, "recording_on", recording_on)
    for module in (of_net, trainer):
        monkeypatch.setattr(module, "RECORDED_ON", frozenset({"cpu"}))
    return found
