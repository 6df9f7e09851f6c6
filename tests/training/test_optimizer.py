import subprocess
import sys
from copy import deepcopy

import pytest
import torch
from torch import nn

from sklearn_mtl.training.steps import FusedAdamW


def trained(optimizer_class, *, dtype, skip=(), own_rate=False):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)
    groups = [{"params": [*module.parameters()]}]
    if own_rate:
        last = {"params": [*module[2].parameters()], "lr": 0.2, "weight_decay": 0.0}
        groups = [{"params": [*module[0].parameters()]}, last]
    optimizer = optimizer_class(groups, lr=0.05, weight_decay=0.1, fused=True)
    x = torch.randn(7, 3, dtype=dtype)
    for step in range(6):
        optimizer.zero_grad()
        module(x).square().mean().backward()
        if step in skip:
            module[0].weight.grad = None
        optimizer.step()
    return module, optimizer


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("skip", [(), (0, 3)])
@pytest.mark.parametrize("own_rate", [False, True])
def test_the_same_numbers_as_torch(dtype, skip, own_rate):
    module, optimizer = trained(FusedAdamW, dtype=dtype, skip=skip, own_rate=own_rate)
    reference, theirs = trained(torch.optim.AdamW, dtype=dtype, skip=skip, own_rate=own_rate)
    for mine, expected in zip(module.parameters(), reference.parameters(), strict=True):
        assert torch.equal(mine, expected)
    mine, expected = optimizer.state_dict()["state"], theirs.state_dict()["state"]
    assert mine.keys() == expected.keys()
    for place, state in expected.items():
        for key, value in state.items():
            assert torch.equal(mine[place][key], value)


def test_it_goes_on_from_the_state_of_torch():
    module, optimizer = trained(torch.optim.AdamW, dtype=torch.float64)
    successor = FusedAdamW(module.parameters(), lr=0.05, weight_decay=0.1, fused=True)
    successor.load_state_dict(deepcopy(optimizer.state_dict()))
    before = [parameter.detach().clone() for parameter in module.parameters()]
    optimizer.step()
    expected = [parameter.detach().clone() for parameter in module.parameters()]
    for parameter, value in zip(module.parameters(), before, strict=True):
        parameter.data.copy_(value)
    successor.step()
    for parameter, value in zip(module.parameters(), expected, strict=True):
        assert torch.equal(parameter, value)


def test_frozen_parameters_leave_the_count_of_steps_shared():
    trained, frozen = [nn.Parameter(torch.ones(2)) for _ in range(2)], nn.Parameter(torch.ones(2))
    optimizer = FusedAdamW([*trained, frozen], lr=0.5, weight_decay=0.0, fused=True)
    for _ in range(3):
        for weight in trained:
            weight.grad = torch.ones(2)
        optimizer.step()
    first, second = (optimizer.state[weight]["step"] for weight in trained)
    assert first is second
    assert first == 3
    assert frozen not in optimizer.state
    assert torch.equal(frozen, torch.ones(2))


def test_a_closure_is_called_first():
    weight = nn.Parameter(torch.ones(2))

    def closure():
        weight.grad = torch.ones(2)

    FusedAdamW([weight], lr=0.5, weight_decay=0.0, fused=True).step(closure)
    torch.testing.assert_close(weight.detach(), torch.full((2,), 0.5))


def test_the_first_fit_of_a_process_does_not_wait_for_the_compiler():
    code = """
import sys
import numpy as np
from sklearn_mtl import MultiTaskRegressor
X = np.random.default_rng(0).normal(size=(30, 2))
MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=1).fit(X, X)
assert "torch" in sys.modules
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
