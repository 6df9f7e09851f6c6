"""Networks of fewer members, of weights of 0, and of eight bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_mtl.inference.compression import Int8BatchEnsembleLinear, Int8Linear
from sklearn_mtl.trunks.layers import BatchEnsembleLinear


def test_a_row_is_rounded_alike_among_any_others():
    torch.manual_seed(0)
    layer = Int8Linear(torch.randn(24, 40), torch.randn(24))
    x = torch.randn(50, 40).abs()
    x[7] *= -100
    x[8] = 0
    whole = layer(x)
    for row in (0, 7, 8, 49):
        torch.testing.assert_close(layer(x[row : row + 1])[0], whole[row], rtol=0, atol=0)
    torch.testing.assert_close(whole[8], layer.bias)


def test_eight_bits_are_near_single_precision():
    torch.manual_seed(0)
    weight, x = torch.randn(24, 40), torch.randn(50, 40)
    exact, found = x @ weight.T, Int8Linear(weight)(x)
    error = (found - exact).norm() / exact.norm()
    assert 1e-4 < error < 0.03


@pytest.mark.parametrize("shared_input", [False, True])
def test_members_share_a_matrix_of_eight_bits(shared_input):
    torch.manual_seed(0)
    layer = BatchEnsembleLinear(12, 8, 3, [4, 8], shared_input=shared_input).eval()
    x = torch.randn(20, 1, 12).expand(-1, 3, -1) if shared_input else torch.randn(20, 3, 12)
    exact = layer(x)
    error = (Int8BatchEnsembleLinear(layer)(x) - exact).norm() / exact.norm()
    assert 1e-4 < error < 0.03


def test_the_state_of_eight_bits_is_refused():
    with pytest.raises(TypeError, match="A quantized estimator can't be copied, pickled, saved"):
        Int8Linear(torch.ones(2, 2)).state_dict()


def test_no_numbers_are_no_rows():
    assert np.shape(Int8Linear(torch.ones(2, 3))(torch.zeros(0, 3))) == (0, 2)
