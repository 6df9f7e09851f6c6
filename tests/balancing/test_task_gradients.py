"""The gradient of each task by itself."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.autograd import Function
from torch.func import vmap

from sklearn_mtl.balancing.task_gradients import task_gradients
from sklearn_mtl.trunks.layers import BatchEnsembleLinear


def given(losses):
    """What a balancer is given for losses with a graph."""
    values = losses.detach()
    return SimpleNamespace(
        raw=losses, values=values, mass=torch.ones_like(values), gradient=lambda rates: rates
    )


def losses_of(trunk, n_tasks=3):
    torch.manual_seed(0)
    x = torch.randn(7, 4, dtype=torch.float64)
    heads = nn.ModuleList(nn.Linear(2, 1) for _ in range(n_tasks)).double()
    hidden = trunk(x)
    return torch.stack([(head(hidden) - i).square().mean() for i, head in enumerate(heads)])


def one_by_one(losses, parameters):
    of_tasks = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in losses]
    return [torch.stack(of_each) for of_each in zip(*of_tasks, strict=True)]


def make_trunk(middle):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 3), middle, nn.Linear(3, 2)).double()


class Asking(Function):
    """Asks for a number on the way back, which vmap can't."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (2 if float(gradient.abs().sum()) > 0 else 1)


class Ask(nn.Module):
    def forward(self, x):
        return Asking.apply(x)


@pytest.mark.parametrize("middle", [nn.Tanh(), nn.LayerNorm(3), Ask()], ids=lambda part: type(part).__name__)
@pytest.mark.parametrize("n_tasks", [1, 3])
def test_each_row_is_the_gradient_of_one_loss(middle, n_tasks):
    trunk = make_trunk(middle)
    losses, parameters = losses_of(trunk, n_tasks), list(trunk.parameters())
    for own, expected in zip(
        task_gradients(given(losses), parameters), one_by_one(losses, parameters), strict=True
    ):
        torch.testing.assert_close(own, expected)
    # The graph is kept.
    losses.sum().backward()
    assert all((parameter.grad != 0).any() for parameter in parameters)


@pytest.mark.parametrize("middle", [nn.Tanh(), Ask()], ids=lambda part: type(part).__name__)
def test_what_a_loss_does_not_depend_on_has_a_gradient_of_0(middle):
    trunk, apart = make_trunk(middle), nn.Parameter(torch.ones(5, dtype=torch.float64))
    own = nn.Parameter(torch.ones((), dtype=torch.float64))
    losses = torch.cat([losses_of(trunk), (own * 3).view(1)])
    found = task_gradients(given(losses), [apart, own, *trunk.parameters()])
    assert found[0].tolist() == [[0] * 5] * 4
    assert found[1].tolist() == [0, 0, 0, 3]
    assert all((gradient[3] == 0).all() and (gradient[:3] != 0).any() for gradient in found[2:])


def test_columns_of_bits_go_back_at_once():
    torch.manual_seed(0)
    layer = BatchEnsembleLinear(302, 4, 3, shared_input=True, n_bits=300).double()
    x = torch.cat([torch.randn(9, 2), (torch.rand(9, 300) < 0.1).float()], 1).double()
    hidden = layer(x.unsqueeze(1).expand(-1, 3, -1)).tanh()
    losses = torch.stack([(hidden * torch.randn_like(hidden)).mean() for _ in range(3)])
    parameters = list(layer.parameters())
    at_once = vmap(lambda rates: torch.autograd.grad(losses, parameters, rates, retain_graph=True))
    for own, expected in zip(at_once(torch.eye(3).double()), one_by_one(losses, parameters), strict=True):
        torch.testing.assert_close(own, expected)
