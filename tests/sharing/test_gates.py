"""Gates: one product for all tasks, finite for inputs of any size."""

import numpy as np
import pytest
import torch

from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.sharing.gates import (
    SCALE,
    InputGates,
    RepresentationGates,
    StaticGates,
    check_count,
    gates_of,
    mixed,
)

TABLE = FeatureSpec((Block("x", (4,), n_continuous=4),))
PICTURES = FeatureSpec((Block("pixels", (2, 3, 3)), Block("y", (5,), n_continuous=5)))
CODES = FeatureSpec((Block("tokens", (7,), kind="codes", cardinalities=(9,) * 7),))


def rows_of(spec, n_rows=6):
    random = torch.Generator().manual_seed(0)
    return {block.name: torch.randn(n_rows, *block.shape, generator=random) for block in spec.blocks}


@pytest.mark.parametrize("spec", [TABLE, PICTURES], ids=["table", "pictures and a table"])
def test_input_gates_are_linear_layers_of_the_flattened_blocks(spec):
    gates, inputs = InputGates(spec, 3, 2), rows_of(spec)
    row = np.concatenate([block.flatten(1).numpy() for block in inputs.values()], axis=1)
    weight, bias = (SCALE * parameter.detach().numpy() for parameter in gates.parameters())
    expected = np.einsum("ri,goi->rgo", row, weight) + bias
    for mode in (True, False):
        found = gates.train(mode)(inputs).detach()
        assert found.shape == (6, 1, 3, 2)
        np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)


def test_gates_of_representations_read_one_each():
    gates = RepresentationGates(3, 4, 2)
    given = torch.randn(6, 5, 3, 4)
    weight, bias = (SCALE * parameter.detach()[0] for parameter in gates.linear.parameters())
    expected = torch.einsum("rmgi,goi->rmgo", given, weight) + bias
    torch.testing.assert_close(gates(given), expected)
    assert gates(given[:0]).shape == (0, 5, 3, 2)


def test_static_gates_are_one_row():
    gates = StaticGates(CODES, 3, 2)
    assert gates({}).shape == (1, 1, 3, 2)
    torch.testing.assert_close(gates({})[0, 0], SCALE * gates.outputs)
    gates.draw_within(0.1)
    assert 0 < gates({}).abs().max() <= 0.1


def test_input_gates_drawn_closer_are_as_far_off_as_is_asked():
    for n_columns in (1, 10, 3000):
        spec = FeatureSpec((Block("x", (n_columns,), n_continuous=n_columns),))
        gates = InputGates(spec, 10, 10)
        gates.draw_within(0.1)
        size = gates(rows_of(spec, 200)).std()
        assert 0.03 < size < 0.1


@pytest.mark.parametrize("size", [0.0, 1e-38, 1e10, 1e30])
def test_weights_are_finite_for_inputs_of_any_size(size):
    gates, inputs = InputGates(TABLE, 3, 4), rows_of(TABLE)
    weights = gates({"x": size * inputs["x"]}).softmax(-1)
    assert weights.isfinite().all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(6, 1, 3))
    weights[..., 0].sum().backward()
    assert gates.weight.grad.isfinite().all()


@pytest.mark.parametrize("shape", [(6, 2, 3, 4), (6, 1, 3, 4), (1, 1, 3, 4)], ids=str)
def test_experts_are_mixed_by_row_member_and_gate(shape):
    weights, experts = torch.randn(shape), torch.randn(6, 2, 4, 5)
    expected = np.einsum("rmge,rmew->rmgw", np.broadcast_to(weights, (6, 2, 3, 4)), experts)
    np.testing.assert_allclose(mixed(weights, experts), expected, atol=1e-5)


def test_names_of_gates_and_what_they_can_read():
    assert gates_of("MMoE", "per_example", PICTURES) is InputGates
    assert gates_of("MMoE", "static", CODES) is StaticGates
    words = (
        r"Gates of MMoE .* must be numbers. Found codes in \['tokens'\]; "
        r"MMoE\(gate='static'\) has gates that read no inputs."
    )
    with pytest.raises(ValueError, match=words):
        gates_of("MMoE", "per_example", CODES)
    for wrong in ("softmax", None, ["static"]):
        with pytest.raises(ValueError, match=r"`gate` of MMoE must be one of \['per_example', 'static'\]"):
            gates_of("MMoE", wrong, TABLE)


def test_counts_are_positive_integers():
    assert check_count("MMoE", "experts", np.int64(3)) == 3
    for wrong in (0, -1, 2.0, True, "4", None, 2**31):
        with pytest.raises(ValueError, match=r"`experts` of MMoE must be a positive integer, below 2\*\*31"):
            check_count("MMoE", "experts", wrong)
