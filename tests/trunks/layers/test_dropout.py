import pytest
import torch

from sklearn_mtl.trunks.layers.dropout import Dropout


@pytest.mark.parametrize("p", [0.0, 1e-3, 0.1, 0.5, 0.9, 1 - 1e-9])
def test_a_mask_drops_the_share_and_keeps_the_mean(p):
    mask = Dropout(p).draw((1000, 1003), torch.Generator().manual_seed(0))
    assert mask.shape == (1000, 1003)
    assert len(mask.unique()) <= 2
    dropped = float((mask == 0).double().mean())
    # Five standard errors, and half a level of rounding; the share itself is at most 1 - 2**-16.
    assert dropped == pytest.approx(min(p, 1 - 2**-16), abs=5 * (p * (1 - p) / 1e6) ** 0.5 + 2**-17)
    if p < 0.95:
        assert float(mask.double().mean()) == pytest.approx(1, abs=0.02)
        assert float(mask.max()) == pytest.approx(1 / (1 - p), rel=1e-3)


def test_neighbours_are_dropped_independently():
    dropped = (Dropout(0.5).draw((400_000,), torch.Generator().manual_seed(0)) == 0).double()
    for lag in (1, 2, 3, 4, 8):
        together = (dropped[lag:] * dropped[:-lag]).mean()
        assert float(together) == pytest.approx(0.25, abs=0.005)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 1), (2, 3, 7), (0, 4)])
def test_masks_of_any_shape(shape):
    assert Dropout(0.3).draw(shape).shape == shape


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_mask_has_the_dtype_asked_for_and_the_same_places(dtype):
    masks = [Dropout(0.3).draw((500,), torch.Generator().manual_seed(3), dtype=t) for t in (None, dtype)[1:]]
    reference = Dropout(0.3).draw((500,), torch.Generator().manual_seed(3))
    assert masks[0].dtype == dtype
    assert torch.equal(masks[0] == 0, reference == 0)


def test_the_global_generator_is_the_source_where_none_is_given():
    dropout, state = Dropout(0.5), torch.get_rng_state()
    torch.manual_seed(7)
    first = dropout.draw((50,))
    torch.manual_seed(7)
    assert torch.equal(dropout.draw((50,)), first)
    before = torch.get_rng_state()
    dropout.draw((50,), torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)
    torch.set_rng_state(state)


def test_training_multiplies_by_a_mask_and_evaluation_does_not():
    dropout, x = Dropout(0.4), torch.randn(30, 20, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    trained = dropout(x)
    torch.manual_seed(0)
    mask = dropout.draw(x.shape, dtype=x.dtype)
    torch.testing.assert_close(trained, x * mask, rtol=0, atol=0)
    trained.sum().backward()
    torch.testing.assert_close(x.grad, mask, rtol=0, atol=0)
    assert dropout.eval()(x) is x


def test_its_repr_names_the_share():
    assert repr(Dropout(0.25)) == "Dropout(p=0.25)"
