from threading import Barrier, Thread

import pytest
import torch

from sklearn_mtl.network.torch_state import each_in_default_modes, in_default_modes, release_memory, seeded


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


def test_the_global_generator_is_put_back():
    before = torch.get_rng_state()
    with seeded(3, torch.device("cpu")):
        inside = torch.rand(4)
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(3, torch.device("cpu")):
        assert torch.equal(torch.rand(4), inside)
    with seeded(4, torch.device("cpu")):
        assert not torch.equal(torch.rand(4), inside)


def interrupted():
    with seeded(0, torch.device("cpu")):
        torch.rand(1)
        raise KeyboardInterrupt


def test_it_is_put_back_after_an_error_too():
    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert torch.equal(torch.get_rng_state(), before)


def test_memory_goes_back_to_the_card(monkeypatch):
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(1))
    release_memory(torch.device("cpu"))
    assert emptied == []
    release_memory(torch.device("cuda"))
    assert emptied == [1]
