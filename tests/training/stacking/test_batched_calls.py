"""For many networks at once a linear layer is one product, attention one call, a convolution one for each."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.func import vmap
from torch.nn import functional as F

from sklearn_mtl.training.stacking.batched_calls import batched_calls

# Linear layers


def linears(bias, n_networks=3):
    torch.manual_seed(0)
    weight = torch.randn(n_networks, 4, 5, dtype=torch.float64, requires_grad=True)
    return weight, torch.randn(n_networks, 4, dtype=torch.float64, requires_grad=True) if bias else None


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7, 5), (7, 2, 5), (5,)], ids=str)
def test_batched_linear_layers_are_those_of_each_network(shape, bias):
    weight, offset = linears(bias)
    x = torch.randn(3, *shape, dtype=torch.float64, requires_grad=True)
    leaves = [leaf for leaf in (x, weight, offset) if leaf is not None]
    with batched_calls(torch.zeros(())):
        found = vmap(nn.functional.linear, (0, 0, 0 if bias else None))(x, weight, offset)
    expected = torch.stack(
        [nn.functional.linear(x[i], weight[i], None if offset is None else offset[i]) for i in range(3)]
    )
    torch.testing.assert_close(found, expected)
    slope = torch.randn_like(expected)
    for gradient, other in zip(
        torch.autograd.grad(found, leaves, slope), torch.autograd.grad(expected, leaves, slope), strict=True
    ):
        torch.testing.assert_close(gradient, other)
        assert gradient.is_contiguous()


@pytest.mark.parametrize(
    "in_dims", [(1, 0, 0), (0, 2, 0), (0, 0, None), (None, 0, 0), (0, None, None)], ids=str
)
def test_networks_may_lie_on_any_axis_or_share_a_tensor(in_dims):
    tensors = []
    for shape, axis in zip([(7, 5), (4, 5), (4,)], in_dims, strict=True):
        tensor = torch.randn(3, *shape, dtype=torch.float64)
        tensors.append(tensor[0] if axis is None else tensor.movedim(0, axis).contiguous())
    expected = vmap(nn.functional.linear, in_dims)(*tensors)
    with batched_calls(torch.zeros(())):
        found = vmap(nn.functional.linear, in_dims)(*tensors)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shared_input", [True, False])
def test_networks_may_map_over_parts_of_their_own(shared_input, bias):
    """Each of 3 networks has 2 layers that are mapped over within it."""
    weight = torch.randn(3, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    offset = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True) if bias else None
    x = torch.randn(3, *((7, 5) if shared_input else (2, 7, 5)), dtype=torch.float64, requires_grad=True)
    of_one = vmap(nn.functional.linear, (None if shared_input else 0, 0, 0 if bias else None))
    leaves = [leaf for leaf in (x, weight, offset) if leaf is not None]
    outputs = []
    for mode in (batched_calls(torch.zeros(())), nullcontext()):
        with mode:
            found = vmap(of_one, (0, 0, 0 if bias else None))(x, weight, offset)
        outputs.append([found, *torch.autograd.grad(found.sin().sum(), leaves)])
    torch.testing.assert_close(outputs[0], outputs[1])


def test_outside_of_vmap_a_linear_layer_is_as_ever():
    layer, x = nn.Linear(5, 4), torch.randn(7, 5)
    expected = layer(x)
    with batched_calls(torch.zeros(())):
        assert torch.equal(layer(x), expected)


# Attention and convolutions


def attention(x, weight, offset=None, mask=None):
    """Steps that read each other through what a matrix makes of them."""
    query = x @ weight if offset is None else x @ weight + offset
    return F.scaled_dot_product_attention(query, x, x, attn_mask=mask)


def convolution(x, weight, offset=None, _mask=None):
    return F.conv1d(x, weight, offset, padding=1, dilation=2)


def image_convolution(x, weight, offset=None, _mask=None):
    return F.conv2d(x, weight, bias=offset, stride=2)


SHAPES = {attention: ((2, 2, 5, 4), (4, 4)), convolution: ((2, 4, 7), (4, 4, 3))}
SHAPES[image_convolution] = ((2, 4, 7, 7), (4, 4, 3, 3))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("of_one", SHAPES, ids=lambda function: function.__name__)
def test_other_calls_are_those_of_each_network(of_one, bias):
    torch.manual_seed(0)
    x, weight = (torch.randn(3, *shape, dtype=torch.float64).requires_grad_() for shape in SHAPES[of_one])
    offset = torch.randn(3, 4, dtype=torch.float64).requires_grad_() if bias else None
    mask = torch.arange(5) < torch.tensor([[5, 3], [2, 5], [1, 4]])[..., None, None, None]
    leaves = [leaf for leaf in (x, weight, offset) if leaf is not None]
    # Within the networks, parts may be mapped over too: here, their rows.
    of_rows = vmap(lambda *own: of_one(*own).squeeze(0), (0, None, None, 0))
    for mapped, axis in ((of_one, False), (of_rows, True)):
        given = x.unsqueeze(2) if axis else x
        masks = mask.unsqueeze(2) if axis else mask
        with batched_calls(x):
            found = vmap(mapped, (0, 0, 0 if bias else None, 0))(given, weight, offset, masks)
        each = [of_one(x[i], weight[i], None if offset is None else offset[i], mask[i]) for i in range(3)]
        expected = torch.stack(each)
        torch.testing.assert_close(found, expected)
        for gradient, other in zip(
            torch.autograd.grad(found.sin().sum(), leaves),
            torch.autograd.grad(expected.sin().sum(), leaves),
            strict=True,
        ):
            torch.testing.assert_close(gradient, other)


@pytest.mark.parametrize("of_one", SHAPES, ids=lambda function: function.__name__)
def test_outside_of_vmap_other_calls_are_as_ever(of_one):
    x, weight = (torch.randn(shape) for shape in SHAPES[of_one])
    expected = of_one(x, weight)
    with batched_calls(x):
        assert torch.equal(of_one(x, weight), expected)
