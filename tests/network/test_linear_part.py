import numpy as np
import torch

from sklearn_mtl.network import LinearPart

STATE = {
    "raw_scale": np.ones(3),
    "linear.weight": np.zeros((3, 5)),
    "linear.bias": np.zeros(3),
    "linear.share": np.zeros(3),
}


def part():
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(3, 5, generator=generator), torch.randn(3, generator=generator)
    return LinearPart(weight, bias, torch.tensor([0.0, 0.3, 1.0]))


def test_it_gives_the_raw_outputs_of_a_linear_model_and_blends_them_by_its_share():
    one, x, raw = part(), torch.randn(7, 5), torch.randn(7, 2, 3)
    beside = one({"x": x})
    assert torch.allclose(beside, x @ one.weight.T + one.bias, atol=1e-6)
    blended = one.blended(raw, beside)
    assert torch.equal(blended[..., 0], raw[..., 0])
    assert torch.allclose(blended[..., 1], 0.7 * raw[..., 1] + 0.3 * beside[:, None, 1])
    # A linear part that has it all: members no longer differ.
    assert torch.equal(blended[:, 0, 2], beside[:, 2])
    assert torch.equal(blended[:, 1, 2], beside[:, 2])


def test_nothing_of_it_is_trained():
    assert list(part().parameters()) == []
    assert set(part().state_dict()) == {"weight", "bias", "share"}


def test_a_state_tells_the_shapes_of_the_part_and_whether_there_is_one():
    found = LinearPart.in_state(STATE)
    shapes = {f"linear.{name}": tuple(tensor.shape) for name, tensor in found.state_dict().items()}
    assert shapes == LinearPart.expected_shapes(STATE, 3, 5)
    without = {"raw_scale": np.ones(3)}
    assert LinearPart.in_state(without) is None
    assert LinearPart.expected_shapes(without, 3, 5) == {}
