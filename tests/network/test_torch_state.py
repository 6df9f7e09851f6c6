import gc
import weakref
from threading import Barrier, Thread
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_mtl.network import (
    each_in_default_modes,
    in_default_modes,
    memory_given_back,
    numpy_dtype,
    resolve_autocast,
    resolve_device,
    resolve_precision,
    torch_state,
)


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_a_generator_leaves_its_consumer_the_modes(double):
    @each_in_default_modes
    def two():
        yield torch.zeros(1).dtype, torch.is_grad_enabled()
        yield torch.zeros(1).dtype, torch.is_grad_enabled()

    with torch.no_grad():
        for found in two():
            assert found == (torch.float32, True)
            assert torch.zeros(1).dtype == torch.float64
            assert not torch.is_grad_enabled()


def test_an_error_of_a_generator_is_passed_on(double):
    @each_in_default_modes
    def failing():
        yield 1
        raise KeyError("no")

    values = failing()
    assert next(values) == 1
    with pytest.raises(KeyError):
        next(values)
    assert torch.get_default_dtype() == torch.float64


def test_the_last_of_several_threads_puts_the_dtype_back(double):
    first_is_in, first_is_out = Barrier(2, timeout=10), Barrier(2, timeout=10)
    found = []

    @in_default_modes
    def first():
        first_is_in.wait()
        first_is_in.wait()

    @in_default_modes
    def second():
        first_is_in.wait()
        first_is_out.wait()
        found.append(torch.get_default_dtype())

    def of_first():
        first()
        first_is_out.wait()

    def of_second():
        first_is_in.wait()
        second()

    threads = [Thread(target=of_first), Thread(target=of_second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == [torch.float32]
    assert torch.get_default_dtype() == torch.float64


def test_memory_goes_back_to_the_card(monkeypatch):
    done = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("emptied"))
    monkeypatch.setattr(gc, "collect", lambda: done.append("collected"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2**20)
    with memory_given_back([torch.device("cpu")]):
        assert gc.get_freeze_count() < torch_state.FEW_OBJECTS
    assert done == []
    # Collecting takes as long as a small fit: not for a mebibyte.
    with memory_given_back([torch.device("cuda")]):
        pass
    assert done == ["emptied"]
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2**30)
    with memory_given_back([torch.device("cuda")]):
        pass
    assert done == ["emptied", "collected", "emptied"]


def test_only_what_was_made_meanwhile_is_collected(monkeypatch):
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2**30)

    class Circle:
        def __init__(self):
            self.self = self

    gc.collect()
    gc.disable()
    try:
        before = weakref.ref(Circle())
        with memory_given_back([torch.device("cuda")]):
            with memory_given_back([torch.device("cuda")]):
                inner = weakref.ref(Circle())
            assert inner() is None
            assert gc.get_freeze_count() > torch_state.FEW_OBJECTS
            meanwhile = weakref.ref(Circle())
        assert meanwhile() is None
        assert before() is not None
        assert gc.get_freeze_count() < torch_state.FEW_OBJECTS
        gc.collect()
        assert before() is None
    finally:
        gc.enable()


def test_it_is_so_too_where_python_has_set_some_aside(monkeypatch):
    # Python 3.12 begins with 375.
    monkeypatch.setattr(gc, "get_freeze_count", lambda: 375)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 0)
    done = []
    monkeypatch.setattr(gc, "freeze", lambda: done.append("set aside"))
    monkeypatch.setattr(gc, "unfreeze", lambda: done.append("back"))
    with memory_given_back([torch.device("cuda")]):
        assert done == ["set aside"]
    assert done == ["set aside", "back"]


def test_what_a_user_has_set_aside_stays_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 0)
    gc.freeze()
    try:
        with memory_given_back([torch.device("cuda")]):
            pass
        assert gc.get_freeze_count() > torch_state.FEW_OBJECTS
    finally:
        gc.unfreeze()


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


NOT_HERE = ["mps", "xpu", "meta", "hpu", "privateuseone", "vulkan", "mtia", "cpu:3", "xpu:1"]


@pytest.mark.parametrize("device", [*NOT_HERE, torch.device("meta"), torch.device("cpu", 3)], ids=str)
def test_a_device_that_does_not_compute_here_is_refused(device):
    # A Mac has one of them.
    if str(device) == "mps" and torch.backends.mps.is_available():
        pytest.skip("it is there")
    with pytest.raises(ValueError, match=r"`device` must be a device of this machine\. Found"):
        resolve_device(device)


@pytest.mark.parametrize(
    "device",
    [
        True,
        -1,
        2**80,
        1j,
        [],
        ["cpu"],
        {},
        object(),
        np.int64(-1),
        np.array("cpu"),
        "cpu:x",
        "cuda:-1",
    ],
    ids=lambda value: type(value).__name__ + (value if isinstance(value, str) else ""),
)
def test_what_is_neither_a_name_nor_a_device_is_refused(device):
    with pytest.raises(ValueError, match=r"`device` must be 'auto' or a torch device\. Found"):
        resolve_device(device)


@pytest.mark.parametrize("device", ["cpu:0", torch.device("cpu", 0)], ids=repr)
def test_there_is_one_cpu(device):
    assert resolve_device(device) == torch.device("cpu")


@pytest.mark.usefixtures("three_cards")
@pytest.mark.parametrize("device", ["cuda:7", torch.device("cuda:3")], ids=str)
def test_a_card_beyond_the_last_is_refused(device):
    with pytest.raises(ValueError, match=r"`device` must be a device of this machine\. Found"):
        resolve_device(device)


@pytest.fixture
def three_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: False)


@pytest.mark.usefixtures("three_cards")
def test_workers_are_dealt_over_the_cards(monkeypatch):
    assert resolve_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch_state, "parent_process", object)
    found = []
    for name in ("LokyProcess-1", "ForkPoolWorker-2", "SpawnProcess-7:3", "LokyProcess-4", "mine"):
        monkeypatch.setattr(torch_state, "current_process", lambda name=name: SimpleNamespace(name=name))
        found.append(resolve_device("auto").index)
    assert found == [0, 1, 2, 0, 0]
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


@pytest.mark.parametrize("device", ["cuda:256", "cuda:300", "cuda:128"])
def test_a_number_of_which_torch_keeps_a_part_is_refused(device):
    with pytest.raises(ValueError, match=r"`device` must be 'auto' or a torch device\. Found 'cuda:"):
        resolve_device(device)
