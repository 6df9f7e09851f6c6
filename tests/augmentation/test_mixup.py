"""Mixup against the equations of its paper."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from sklearn_mtl.augmentation import Mixup
from sklearn_mtl.data import Batch


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch_of(n_rows, weight=None, **blocks):
    """Rows whose only column is 1 in the row's own place, so that a mixed one tells what it is mixed of."""
    inputs = {"x": torch.eye(n_rows), **blocks}
    y = torch.stack([torch.arange(n_rows) + 0.5, -torch.arange(n_rows) - 0.5], 1)
    return Batch(inputs, y, torch.ones(n_rows, 2) if weight is None else weight)


def parts_of(mixed, n_rows):
    """For each row the other one, and the share of its own."""
    x = mixed.inputs["x"]
    own = x.diagonal()
    return (x - own.diag()).argmax(1), own


@pytest.mark.parametrize("n_rows", [2, 3, 32])
def test_rows_and_labels_are_those_of_two_rows_at_shares_that_add_up_to_1(n_rows):
    batch = batch_of(n_rows)
    mixed = Mixup(1.0).augment(batch, generator())
    other, own = parts_of(mixed, n_rows)
    assert sorted(other.tolist()) == list(range(n_rows))
    assert (other != torch.arange(n_rows)).all()
    torch.testing.assert_close(
        mixed.inputs["x"], own.diag() + (1 - own).unsqueeze(1) * torch.eye(n_rows)[other]
    )
    y, weight = mixed.y.view(n_rows, 2, 2), mixed.weight.view(n_rows, 2, 2)
    assert torch.equal(y[:, 0], batch.y)
    assert torch.equal(y[:, 1], batch.y[other])
    torch.testing.assert_close(weight[:, 0], own.unsqueeze(1).expand(-1, 2))
    torch.testing.assert_close(weight[:, 1], (1 - own).unsqueeze(1).expand(-1, 2))


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_are_of_a_beta_distribution(alpha):
    batch = Batch({"x": torch.zeros(4000, 1)}, torch.zeros(4000, 1), torch.ones(4000, 1))
    shares = Mixup(alpha).augment(batch, generator()).weight[::2, 0]
    assert kstest(shares.double().numpy(), "beta", args=(alpha, alpha)).pvalue > 0.01


def test_a_row_is_only_mixed_with_rows_of_the_same_labelled_tasks():
    weight = torch.ones(40, 2)
    weight[::3, 0] = 0
    weight[1::3, 1] = 0
    weight[39] = 0
    kinds = (weight > 0).float() @ torch.tensor([1.0, 2.0])
    partners = set()
    for seed in range(5):
        other, own = parts_of(Mixup(1.0).augment(batch_of(40, weight), generator(seed)), 40)
        mixed = own < 1
        assert mixed.sum() == 39, "the only row without any label stays as it is"
        assert torch.equal(kinds[other[mixed]], kinds[mixed])
        assert (other[mixed] != torch.arange(40)[mixed]).all()
        assert len(set(other[mixed].tolist())) == 39
        partners.add(int(other[0]))
    assert len(partners) > 1


def test_weights_of_rows_are_mixed_along_and_add_up():
    weight = torch.rand(10, 2, generator=generator()) + 0.1
    mixed = Mixup(0.5).augment(batch_of(10, weight), generator(1))
    other, own = parts_of(mixed, 10)
    own = own.unsqueeze(1)
    torch.testing.assert_close(mixed.row_weight, own * weight + (1 - own) * weight[other])


def test_codes_are_those_of_the_one_row_or_the_other():
    codes = torch.arange(400)[:, None].expand(-1, 50).clone()
    batch = batch_of(400, code=codes)
    mixed = Mixup(1.0).augment(batch, generator())
    other, own = parts_of(mixed, 400)
    assert mixed.inputs["code"].dtype == codes.dtype
    is_own = mixed.inputs["code"] == codes
    assert (is_own | (mixed.inputs["code"] == codes[other])).all()
    assert np.corrcoef(is_own.double().mean(1), own)[0, 1] > 0.95


def test_a_mixed_row_is_as_long_as_the_longer_one():
    lengths = torch.arange(1, 41)
    mixed = Mixup(1.0).augment(batch_of(40, length=lengths), generator())
    other, _ = parts_of(mixed, 40)
    assert torch.equal(mixed.inputs["length"], torch.maximum(lengths, lengths[other]))


def test_images_are_mixed_as_wholes():
    images = torch.arange(6.0)[:, None, None, None].expand(-1, 2, 3, 3)
    mixed = Mixup(1.0).augment(batch_of(6, image=images), generator())
    other, own = parts_of(mixed, 6)
    expected = own * torch.arange(6.0) + (1 - own) * other
    torch.testing.assert_close(mixed.inputs["image"], expected[:, None, None, None].expand(-1, 2, 3, 3))


def test_a_row_by_itself_stays_as_it_is():
    mixed = Mixup(1.0).augment(batch_of(1), generator())
    torch.testing.assert_close(mixed.inputs["x"], torch.ones(1, 1))
    torch.testing.assert_close(mixed.row_weight, torch.ones(1, 2))
    assert (mixed.y == torch.tensor([0.5, -0.5])).all()


@pytest.mark.parametrize("alpha", [5e-324, 1e-6, 1e6, 1.7e308])
def test_extreme_shares_are_numbers(alpha):
    mixed = Mixup(alpha).augment(batch_of(50), generator())
    assert all(tensor.isfinite().all() for tensor in (mixed.inputs["x"], mixed.weight))
    torch.testing.assert_close(mixed.row_weight, torch.ones(50, 2))


@pytest.mark.parametrize("alpha", [0, -1.0, "1", None, float("nan"), float("inf"), True])
def test_alpha_is_a_positive_number(alpha):
    with pytest.raises(ValueError, match=r"`alpha` of Mixup must be a positive number\. Found"):
        Mixup(alpha).check()
