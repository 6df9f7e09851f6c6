import pytest
import torch
from torch import nn

from sklearn_mtl.trunks.layers.batch_ensemble import BatchEnsembleLinear


def with_random_state(layer):
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer


@pytest.mark.parametrize("shared_input", [True, False])
def test_members_are_linear_layers_with_scaled_matrices(shared_input):
    layer = with_random_state(BatchEnsembleLinear(7, 4, 3, shared_input=shared_input)).double()
    x = torch.randn(10, 1, 7, dtype=torch.float64).expand(-1, 3, -1)
    found = layer(x)
    for member in range(3):
        matrix = layer.s[member].diag() @ layer.weight @ layer.r[member].diag()
        torch.testing.assert_close(found[:, member], x[:, member] @ matrix.T + layer.bias[member])


def test_both_ways_of_computing_have_one_gradient():
    layers = [BatchEnsembleLinear(7, 4, 3, [2, 5], shared_input=shared).double() for shared in (True, False)]
    with_random_state(layers[0])
    layers[1].load_state_dict(layers[0].state_dict())
    x = torch.randn(10, 1, 7, dtype=torch.float64).expand(-1, 3, -1)
    gradients = [torch.autograd.grad(layer(x).square().sum(), list(layer.parameters())) for layer in layers]
    torch.testing.assert_close(gradients[0], gradients[1])


def test_inputs_of_the_members_may_differ():
    layer, x = with_random_state(BatchEnsembleLinear(7, 4, 3)), torch.randn(10, 3, 7)
    alone = torch.stack([layer(x[:, [member]].expand(-1, 3, -1))[:, member] for member in range(3)], dim=1)
    torch.testing.assert_close(layer(x), alone)


def test_members_start_with_one_matrix_and_bias():
    layer = BatchEnsembleLinear(7, 4, 3)
    assert (layer.r == 1).all()
    assert (layer.s == 1).all()
    assert (layer.bias == layer.bias[0]).all()
    assert len(layer.bias[0].unique()) == 4
    assert float(layer.weight.detach().abs().max()) <= 7**-0.5


@pytest.mark.parametrize("shared_input", [True, False])
def test_networks_can_be_stacked(shared_input):
    layers = [with_random_state(BatchEnsembleLinear(7, 4, 3, shared_input=shared_input)) for _ in range(5)]
    parameters, buffers = torch.func.stack_module_state(layers)
    x = torch.randn(10, 1, 7).expand(-1, 3, -1)

    def call(parameters, buffers):
        return torch.func.functional_call(layers[0], (parameters, buffers), (x,))

    together = torch.vmap(call)(parameters, buffers)
    torch.testing.assert_close(together, torch.stack([layer(x) for layer in layers]))
