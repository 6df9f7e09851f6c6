import pytest
import torch

from sklearn_mtl.training.randomness import seeded


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
