"""The cards that these tests run on: a stand-in everywhere, and a real one where there is one."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import torch

from tests.device.stand_in import card


@pytest.fixture(params=["stand-in", pytest.param("cuda", marks=pytest.mark.gpu)])
def on_card(request) -> Iterator:
    """A context in which ``"cuda"`` is a device."""
    if request.param == "cuda":
        return nullcontext
    if torch.cuda.is_available():
        pytest.skip("there is a real one")
    return card
