import pytest
import torch

from sklearn_mtl.augmentation import FeatureDropout
from sklearn_mtl.data import Batch


def augmented(batch, *, seed=0, **params):
    return FeatureDropout(**params).augment(batch, torch.Generator().manual_seed(seed))


def batch_of(**blocks):
    n_rows = len(next(iter(blocks.values())))
    return Batch(blocks, torch.arange(n_rows).unsqueeze(1), torch.ones(n_rows, 1))


NUMBERS = (1 + torch.arange(500.0))[:, None] + torch.arange(20.0) / 100


def test_a_column_is_replaced_by_its_value_in_another_row():
    found = augmented(batch_of(x=NUMBERS), rate=0.3).inputs["x"]
    assert float((found != NUMBERS).float().mean()) == pytest.approx(0.3, abs=0.02)
    for column in range(20):
        assert set(found[:, column].tolist()) <= set(NUMBERS[:, column].tolist())
    # Each cell by itself: not one row for all columns.
    source = (found.floor() - 1)[(found != NUMBERS).sum(1) > 5]
    assert all(len(row.unique()) > 3 for row in source)


def test_a_column_is_replaced_by_nothing():
    found = augmented(batch_of(x=NUMBERS), rate=0.3, replacement="zero").inputs["x"]
    assert float((found == 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert torch.equal(found[found != 0], NUMBERS[found != 0])


@pytest.mark.parametrize("replacement", ["swap", "zero"])
def test_labels_and_what_is_given_stay_as_they_are(replacement):
    batch = batch_of(x=NUMBERS.clone(), code=torch.arange(500)[:, None].expand(-1, 3))
    found = augmented(batch, rate=0.5, replacement=replacement)
    assert torch.equal(batch.inputs["x"], NUMBERS)
    assert found.y is batch.y
    assert found.weight is batch.weight
    assert found.inputs["code"].dtype == torch.int64
    assert (found.inputs["code"] != batch.inputs["code"]).any()


@pytest.mark.parametrize("replacement", ["swap", "zero"])
def test_whole_parts_of_rows_of_more_axes_are_replaced(replacement):
    images = (1 + torch.arange(50.0))[:, None, None, None].expand(-1, 4, 3, 3)
    found = augmented(batch_of(x=images), rate=0.4, replacement=replacement).inputs["x"].flatten(2)
    assert (found == found[..., :1]).all()
    assert (found[..., 0] != images[..., 0, 0]).any()


@pytest.mark.parametrize("replacement", ["swap", "zero"])
def test_lengths_and_presence_stay_as_they_are(replacement):
    batch = batch_of(x=NUMBERS, x_lengths=torch.arange(1, 501), x_present=torch.arange(500.0) % 2)
    found = augmented(batch, rate=0.5, replacement=replacement).inputs
    for name in ("x_lengths", "x_present"):
        assert torch.equal(found[name], batch.inputs[name])


def test_at_rate_0_nothing_is_replaced():
    assert torch.equal(augmented(batch_of(x=NUMBERS), rate=0).inputs["x"], NUMBERS)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rate": 1}, "`rate` of FeatureDropout must be a number from 0 to below 1. Found 1"),
        ({"rate": -0.1}, "`rate` of FeatureDropout must be a number from 0"),
        ({"rate": "0.1"}, "`rate` of FeatureDropout must be a number from 0"),
        (
            {"replacement": "mean"},
            r"`replacement` of FeatureDropout must be one of \['swap', 'zero'\]. Found 'mean'",
        ),
        ({"replacement": None}, "`replacement` of FeatureDropout must be one of"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        FeatureDropout(**params).check()
