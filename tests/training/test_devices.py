import numpy as np
import pytest
import torch

from sklearn_mtl.training import (
    devices,
    numpy_dtype,
    resolve_autocast,
    resolve_device,
    resolve_precision,
)


def test_auto_takes_cuda_where_it_is():
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_a_device_is_itself(device):
    assert resolve_device(device) == torch.device("cpu")


@pytest.mark.parametrize("device", ["gpu", "", 3.5, None])
def test_what_is_no_device_is_refused(device):
    with pytest.raises(ValueError, match=r"`device` must be 'auto' or a torch device\. Found"):
        resolve_device(device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_cuda_is_refused_where_there_is_none(device):
    with pytest.raises(ValueError, match=r"`device`.*sees no CUDA"):
        resolve_device(device)


class _Worker:
    def __init__(self, *identity):
        self._identity = identity


@pytest.fixture
def three_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: False)


@pytest.mark.usefixtures("three_cards")
def test_workers_are_dealt_over_the_cards(monkeypatch):
    assert resolve_device("auto") == torch.device("cuda")
    monkeypatch.setattr(devices, "parent_process", object)
    found = []
    for number in (1, 2, 3, 4):
        monkeypatch.setattr(devices, "current_process", lambda number=number: _Worker(7, number))
        found.append(resolve_device("auto").index)
    assert found == [0, 1, 2, 0]
    assert resolve_device("cuda:2") == torch.device("cuda:2")


@pytest.mark.usefixtures("three_cards")
@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:1"])
def test_a_fork_after_cuda_has_started_is_an_error_and_no_hang(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    with pytest.raises(RuntimeError, match=r"forked after CUDA had started.*spawn"):
        resolve_device(device)
    assert resolve_device("cpu").type == "cpu"


@pytest.mark.parametrize(
    ("precision", "weights", "products", "array"),
    [
        ("float32", torch.float32, None, np.float32),
        ("float64", torch.float64, None, np.float64),
        ("bf16", torch.float32, torch.bfloat16, np.float32),
    ],
)
def test_precisions(precision, weights, products, array):
    assert resolve_precision(precision) is weights
    assert resolve_autocast(precision) is products
    assert numpy_dtype(weights) is array


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match=r"`precision` must be one of .* Found 'float16'"):
        resolve_precision("float16")
