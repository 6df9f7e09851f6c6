"""CUDA graphs, on a card."""

import gc

import numpy as np
import pytest
import torch

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.network.generators import GeneratorState
from sklearn_mtl.training.capture import graph, of_net, replayed
from sklearn_mtl.training.stacking import trainer

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def data():
    return make_multitask(
        170, 6, n_regression=1, n_binary=1, n_multiclass=1, missing_labels=0.1, random_state=0
    )


@pytest.fixture
def recorded(monkeypatch):
    """The steps that were recorded, with the reason why not, of each training."""
    found = []
    record = replayed.ReplayedSteps._record

    def noting(steps, *given):
        record(steps, *given)
        found.append(steps.why_not)

    monkeypatch.setattr(replayed.ReplayedSteps, "_record", noting)
    return found


def fitted(data, **settings):
    told = {"max_epochs": 4, "batch_size": 16, "linear_blend": False, "random_state": 0, "device": "cuda"}
    return MultiTaskClassifierRegressor(**{**told, **settings}).fit(*data)


SETTINGS = {
    "default": {},
    "mlp": {"trunk": "mlp"},
    "ft_transformer": {"trunk": "ft_transformer"},
    "bf16": {"trunk": "mlp", "precision": "bf16"},
    "uncertainty": {"trunk": "mlp", "balancing": "uncertainty"},
    "rlw": {"trunk": "mlp", "balancing": "rlw"},
    "clipped": {"trunk": "mlp", "gradient_clip": 0.5, "lr_schedule": "cosine"},
    "mmoe": {"trunk": "mlp", "sharing": "mmoe"},
    "separate": {"trunk": "mlp", "sharing": "separate"},
}


@pytest.mark.parametrize("n_bags", [1, 4], ids=["alone", "stacked"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_same_as_without(data, settings, n_bags, recorded, monkeypatch):
    with monkeypatch.context() as without:
        for module in (of_net, trainer):
            without.setattr(module, "RECORDED_ON", frozenset())
        expected = fitted(data, n_bags=n_bags, **settings)
    assert recorded == []
    found = fitted(data, n_bags=n_bags, **settings)
    assert set(recorded) == {None}
    wide = settings.get("precision") == "bf16"
    np.testing.assert_allclose(
        found.history_.to_numpy(float),
        expected.history_.to_numpy(float),
        rtol=0.05 if wide else 1e-3,
        atol=0.02 if wide else 1e-4,
    )


def test_a_graph_that_fails_leaves_generators_that_draw_the_same(data):
    device = torch.device("cuda")

    def draws():
        with GeneratorState.of_torch(device).restored(device, alone=True):
            own = graph.own_generator(device)
            yield own
            yield torch.empty(3, device=device).uniform_(generator=own).tolist()
            yield torch.rand(3, device=device).tolist()

    def fails():
        own = graph.own_generator(device)
        torch.empty(3, device=device).uniform_(generator=own)
        return torch.ones(3, device=device).sum().item()

    torch.cuda.manual_seed(0)
    _, *expected = draws()
    torch.cuda.manual_seed(0)
    drawn = draws()
    next(drawn)
    with pytest.raises(RuntimeError):
        graph.CudaGraph(device).record(fails)
    assert [*drawn] == expected
    assert torch.ones(2, 2, device=device).matmul(torch.ones(2, 2, device=device)).sum() == 8


def test_waiting_is_noted():
    with graph.noting_waits(torch.device("cuda")) as waits:
        torch.ones(3, device="cuda").sum().item()
    assert len(waits) == 1
    with graph.noting_waits(torch.device("cuda")) as waits:
        torch.ones(3, device="cuda").sum()
    assert waits == []


def test_memory_is_given_back(data):
    def allocated():
        gc.collect()
        return torch.cuda.memory_allocated()

    fitted(data, trunk="mlp", n_bags=1)
    before = allocated()
    for _ in range(3):
        fitted(data, trunk="mlp", n_bags=1)
    assert allocated() <= before + 2**16
